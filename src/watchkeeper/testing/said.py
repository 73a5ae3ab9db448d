"""What scripts say, in no API's words; a room of `apis` writes it in those of the API that was asked."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from watchkeeper.testing.asked import Asked, Json

CREATED_S = 1_767_225_600
ARGUMENT_FRAGMENT_LENGTH = 8
"""Characters of a tool call's arguments in one event of a stream."""

_TOKEN = re.compile(r"\s*\S+|\s+$")
_NEWER_NAMES = {
    "prompt_tokens": "input_tokens",
    "prompt_tokens_details": "input_tokens_details",
    "completion_tokens": "output_tokens",
    "completion_tokens_details": "output_tokens_details",
}
_ASKED_IN = ("system", "instructions", "messages", "input", "prompt")

UsageReport = Literal["asked", "missing", "every_chunk", "last_choice"]
"""Where usage is reported. Plain replies always do, unless it is missing. In streams:

asked: as the API does it. Completions when asked for, in an extra chunk at the end, all others then saying
`usage: null`; messages the input at the start and the output at the end; responses in their last event.
every_chunk: cumulative, on each chunk of completions; whole at both ends of messages.
last_choice: on the chunk with the finish reason; at the end alone of messages.
The latter two without being asked, as some compatible servers do; responses do not tell them from the first.
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model asks for."""

    name: str
    arguments: Json
    id: str = "call_scripted"

    @property
    def written(self) -> str:
        """The arguments as the model writes them."""
        return json.dumps(self.arguments)

    @property
    def fragments(self) -> list[str]:
        """The written arguments in the pieces of a stream."""
        return fragments_of(self.written)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a stream: its data, and how many output tokens it brings."""

    data: bytes
    tokens: int = 0
    name: str = ""
    """Written as an `event:` line when not empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model says."""

    text: str
    thinking: str = ""
    """Thought before the text."""
    tools: tuple[Tool, ...] = ()
    finish_reason: str = ""
    """`stop` or `tool_calls` when empty."""
    model: str = ""
    """The name to answer with; the one asked for when empty."""
    reports_usage: UsageReport = "asked"
    usage: Json | None = None
    """Reported instead of what was counted."""
    is_terminated: bool = True
    """Whether a stream has the event that ends it."""
    has_ping: bool = False
    """Whether a stream of messages has a `ping`."""

    @property
    def reason(self) -> str:
        """The finish reason to report."""
        return self.finish_reason or ("tool_calls" if self.tools else "stop")

    @property
    def output_tokens(self) -> int:
        """Words thought and said, and those of what tools are given."""
        texts = (self.thinking, self.text, *(tool.written for tool in self.tools))
        return sum(len(tokens_of(text)) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing is said, in OpenAI's words."""

    status: int
    message: str
    error_type: str = "server_error"
    code: str | None = None
    param: str | None = None


def tokens_of(text: str) -> list[str]:
    """Split a text into what counts as tokens here: words with the white space before them."""
    return _TOKEN.findall(text)


def fragments_of(arguments: str) -> list[str]:
    """Split a tool call's written arguments into the pieces of a stream."""
    starts = range(0, len(arguments), ARGUMENT_FRAGMENT_LENGTH)
    return [arguments[start : start + ARGUMENT_FRAGMENT_LENGTH] for start in starts]


def input_tokens(asked: Asked) -> int:
    """Count the words of what is asked, whatever the API calls it."""
    texts = [text for name in _ASKED_IN for text in _texts(asked.json.get(name))]
    return len(tokens_of(" ".join(texts)))


def renamed_usage(usage: Json) -> Json:
    """Say `input_tokens` and `output_tokens` for what completions call prompt and completion; keep all else."""
    return {_NEWER_NAMES.get(name, name): count for name, count in usage.items()}


def signature_of(thinking: str) -> str:
    """Sign a thought: the same for the same thought, and for no other."""
    return base64.b64encode(hashlib.sha256(thinking.encode()).digest()).decode()


def written(document: Json) -> bytes:
    """Write JSON without needless white space."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of messages or inputs; what is not text costs nothing here."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(value.get("content", value.get("text")))
