"""What a conversation is made of, whichever API it was held in."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    """Words, as they were sent."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by address; the address may be a `data:` URI and many megabytes long."""

    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A part of a kind that is not rendered: audio, files, parts of another dialect."""

    kind: str
    json: str


Part = Text | Image | Other


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool the model asked for."""

    id: str
    name: str
    arguments: str
    """As the model wrote them: usually, but not surely, a JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    """The tool call that a message of role `tool` answers."""
    reasoning: str = ""
    refusal: str = ""

    @property
    def text(self) -> str:
        """The words of all text parts, a line break between two."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One choice of the response."""

    index: int
    message: Message
    finish_reason: str
    """Empty when the upstream gave none, as in a stream that was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool the request offered."""

    name: str
    description: str
    parameters: str
    """Its JSON schema as JSON text; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The request's messages, the response's answers, and what surrounded them."""

    messages: tuple[Message, ...] = ()
    answers: tuple[Answer, ...] = ()
    """By choice index."""
    tools: tuple[Tool, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    """The request's other fields, each as JSON text, in the order they were sent."""
    vectors: tuple[int, int] | None = None
    """Of an embeddings call: how many vectors came back, and their dimensions (0 when packed)."""
    error: str = ""
    """What the upstream gave instead of an answer, or in the middle of one."""
    notes: tuple[str, ...] = ()
    """What could not be read, one sentence each."""
