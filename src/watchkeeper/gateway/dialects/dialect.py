"""What the gateway must know of a wire language that targets speak: a room of this folder fills it in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from watchkeeper.core.call import Surface
from watchkeeper.gateway.neutral import Completion, EventReader, Prompt
from watchkeeper.gateway.outcome import Answer, Failure
from watchkeeper.gateway.streams import StreamReader


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of a dialect's APIs, reached from the surface of the same shape: bytes pass through."""

    path: str
    """Behind the base URL."""
    with_usage: Callable[[bytes], dict[str, bytes | None]]
    """What must change in a stream's request so that its usage is reported; given the body."""
    read: Callable[[int, bytes], Answer | Failure]
    """Read a plain reply's status and body."""
    open_stream: Callable[[bool], StreamReader]
    """Make the reader of one stream, given whether the client asked for its usage."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A wire language."""

    name: str
    endpoints: Mapping[Surface, Endpoint]
    path: str
    """Where a translated request goes, behind the base URL."""
    auth: str
    """How a secret is sent unless the provider says otherwise: `bearer`, `api-key` or `x-api-key`."""
    headers: Mapping[bytes, bytes]
    """Sent with every request; a client's own of the same name wins where it is in `forwarded`."""
    forwarded: frozenset[bytes]
    """A client's headers that go upstream where bytes pass through."""
    strips: str
    """What a base URL may end in though the paths begin with it."""
    continues: bool
    """A request may end in the assistant's own words, and the reply goes on from there, unless the provider says no."""
    error_family: str
    """Whose clients can read this dialect's errors: `openai` or `anthropic`."""
    failure_of: Callable[[int, bytes], Failure]
    """Classify a reply that is not an answer: a status of 400 and above, or an error inside a 200."""
    request_body: Callable[[Prompt, str], bytes]
    """Write a request for a model. Raises CannotCarry."""
    completion_of: Callable[[bytes], Completion]
    """Read a complete reply. Raises one of `decoding.UNREADABLE`."""
    event_reader: Callable[[], EventReader]
