"""What the gateway must know of an API that clients speak: a room of this folder fills it in."""

from collections.abc import Callable
from dataclasses import dataclass

from watchkeeper.core.call import Surface
from watchkeeper.gateway.neutral import Completion, EventWriter, Prompt
from watchkeeper.gateway.surfaces.errors import Family
from watchkeeper.gateway.surfaces.views import View


@dataclass(frozen=True, slots=True)
class ReplyFrame:
    """What a reply carries beside what the model said."""

    reply_id: str
    created_s: int
    wants_usage: bool
    request: bytes
    """The client's, which some APIs repeat in their replies."""


@dataclass(frozen=True, slots=True)
class Translation:
    """How requests leave a surface's own language, and replies come back into it."""

    prompt_of: Callable[[bytes], Prompt]
    """Raises BadRequest, CannotCarry."""
    reply_body: Callable[[Completion, ReplyFrame], bytes]
    event_writer: Callable[[ReplyFrame], EventWriter]
    field_of: Callable[[bytes, str], str]
    """Name a place of a `Prompt` (`turns[0].parts[1]`, `output`) as the request that it was read from does."""


@dataclass(frozen=True, slots=True)
class Room:
    """An API that clients speak."""

    surface: Surface
    path: str
    """Without a version prefix."""
    family: Family
    read: Callable[[bytes], View]
    """Raises BadRequest."""
    error_event: Callable[[str, str, str], bytes]
    """Write the event that tells a stream's reader that what it has is not the whole answer: message, code, call id."""
    translation: Translation | None = None
    """None where a request only makes sense in its own language."""
