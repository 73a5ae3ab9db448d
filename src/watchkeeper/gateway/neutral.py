"""What a request asks and a reply says, whichever API it was written in.

Where the target's dialect does not speak the client's surface, the surface's room reads the request into a `Prompt` and
the dialect's room writes it; the reply comes back the same way as a `Completion`, a stream as `Event`s. What has no
place here cannot be translated, and whoever meets it raises `CannotCarry`: nothing is dropped in silence.
"""

from typing import Literal, Protocol

from msgspec import Raw, Struct

from watchkeeper.core.call import ErrorClass
from watchkeeper.core.usage import Usage


class CannotCarry(Exception):
    """A field of the request has no meaning for this target."""

    def __init__(self, field: str, why: str = "") -> None:
        """Name the field, and why in half a sentence.

        A surface names it as the client wrote it (`messages[2].content[0].input_audio`), a dialect by its place in the
        `Prompt` (`turns[2].parts[0]`, `output`), which the surface then finds in the client's request.
        """
        self.field = field
        self.why = why
        super().__init__(f"`{field}` cannot be carried over" + (f": {why}" if why else ""))


# what a request asks


class Text(Struct, frozen=True, gc=False):
    """Words."""

    text: str
    cache: Literal["", "5m", "1h"] = ""
    """The prefix up to here should be cached by the provider, for so long; only a hint."""


class Image(Struct, frozen=True, gc=False):
    """A picture: `data` or `url`, never both."""

    media_type: str = ""
    data: str = ""
    """Base64."""
    url: str = ""
    detail: str = ""
    """OpenAI's `low`, `high`, `auto`; a hint."""
    cache: Literal["", "5m", "1h"] = ""


class Document(Struct, frozen=True, gc=False):
    """A file to be read: `data` (base64), `url`, or plain `text`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    text: str = ""
    name: str = ""
    cache: Literal["", "5m", "1h"] = ""


class ToolUse(Struct, frozen=True, gc=False):
    """The model asks for a tool."""

    id: str
    name: str
    arguments: str
    """The text of a JSON object."""
    cache: Literal["", "5m", "1h"] = ""


class ToolResult(Struct, frozen=True):
    """What a tool gave back."""

    id: str
    """Of its `ToolUse`."""
    content: "tuple[Text | Image | Document, ...]"
    is_error: bool = False
    cache: Literal["", "5m", "1h"] = ""


class Thinking(Struct, frozen=True, gc=False):
    """The model's reasoning, as far as it is shown."""

    text: str = ""
    signature: str = ""
    """The provider's seal, given back with the next request."""
    redacted: str = ""
    """Reasoning in a form that only the provider can read; then there is no text."""


class Declined(Struct, frozen=True, gc=False):
    """The model says that it will not answer (OpenAI's `refusal`)."""

    text: str


Part = Text | Image | Document | ToolUse | ToolResult | Thinking | Declined


class Turn(Struct, frozen=True):
    """What one side said. Tool results stand in the user's turns. Two turns of one side may follow each other."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]
    name: str = ""


class Tool(Struct, frozen=True):
    """A function that the model may ask for."""

    name: str
    schema: Raw
    """JSON schema of its arguments."""
    description: str = ""
    is_strict: bool = False
    cache: Literal["", "5m", "1h"] = ""


class ToolChoice(Struct, frozen=True, gc=False):
    """Which tool must be used; `name` for `one`."""

    kind: Literal["auto", "none", "any", "one"]
    name: str = ""


class Output(Struct, frozen=True):
    """The form of the answer: any JSON object, or one that a schema describes."""

    kind: Literal["json", "schema"]
    schema: Raw = Raw(b"")
    name: str = ""
    description: str = ""
    is_strict: bool = False


class Reasoning(Struct, frozen=True, gc=False):
    """How much the model may think before it answers."""

    is_on: bool = True
    budget_tokens: int | None = None
    effort: str = ""
    """`minimal`, `low`, `medium`, `high`; empty where only a budget was given."""


class Prompt(Struct, kw_only=True):
    """A request for one answer. What a client did not say is None or empty, and is not sent."""

    system: tuple[Text, ...] = ()
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    """False: at most one tool at a time."""
    output: Output | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    reasoning: Reasoning | None = None
    user: str = ""
    is_stream: bool = False
    others: dict[str, Raw] = {}
    """Further top-level fields by the client's name for them. A dialect takes those it knows and raises `CannotCarry`
    for the first it does not; a surface leaves out what only repeats a default (`n: 1`, `frequency_penalty: 0`)."""


# what a reply says

Stop = Literal["end", "length", "stop_sequence", "tool_use", "filtered", "declined", "pause"]
"""Why the model stopped. filtered: the provider cut it. declined: the model would not. pause: it wants to go on."""


class Completion(Struct, kw_only=True):
    """A complete reply."""

    id: str
    """The upstream's."""
    model: str
    parts: tuple[Part, ...]
    stop: Stop
    stop_sequence: str | None = None
    """The one that was met, where the provider says so."""
    usage: Usage | None = None
    service_tier: str = ""
    """As in `core.call.Attempt`."""


# what a stream says, piece by piece


class Begin(Struct, frozen=True, gc=False):
    """The reply begins."""

    id: str
    model: str


class TextDelta(Struct, frozen=True, gc=False):
    """More words of the answer."""

    text: str


class DeclinedDelta(Struct, frozen=True, gc=False):
    """More words of a refusal."""

    text: str


class ThinkingDelta(Struct, frozen=True, gc=False):
    """More reasoning. `signature` and `redacted` as in `Thinking`; each comes whole."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


class ToolBegin(Struct, frozen=True, gc=False):
    """The model begins to ask for a tool."""

    index: int
    """Among the tools of this reply, from 0."""
    id: str
    name: str


class ToolDelta(Struct, frozen=True, gc=False):
    """More of the text of a tool's arguments."""

    index: int
    json: str


class PartEnd(Struct, frozen=True, gc=False):
    """What was being said (text, reasoning, one tool) is complete; dialects that do not mark this leave it out."""


class Used(Struct, frozen=True, gc=False):
    """What has been used up to here, all in all; the last one counts."""

    usage: Usage
    service_tier: str = ""


class Finish(Struct, frozen=True, gc=False):
    """The model has stopped."""

    stop: Stop
    stop_sequence: str | None = None


class Failed(Struct, frozen=True, gc=False):
    """The upstream reports an error in the middle of its stream."""

    error_class: ErrorClass
    code: str
    message: str


class End(Struct, frozen=True, gc=False):
    """The stream's own terminator: all has been said."""


Event = (
    Begin | TextDelta | DeclinedDelta | ThinkingDelta | ToolBegin | ToolDelta | PartEnd | Used | Finish | Failed | End
)


class EventReader(Protocol):
    """A dialect's half of a translated stream: one for each attempt."""

    def read(self, events: bytes) -> list[Event]:
        """Read whole server-sent events, blank lines included; pings and comments say nothing.

        One that cannot be read (not JSON) is skipped; whether the answer is whole is seen at its end.
        """
        ...


class EventWriter(Protocol):
    """A surface's half of a translated stream: one for each call."""

    def write(self, events: list[Event]) -> bytes:
        """Write events as the client's API has them; `Failed` and `End` are not given to it."""
        ...

    def end(self) -> bytes:
        """Write what closes a complete stream: open blocks, usage where asked for, the terminator."""
        ...
