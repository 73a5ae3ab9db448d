"""The objects of a Messages request, with every field that can be understood; what else stands in one is refused."""

from typing import Literal

from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT


class Exact(Struct, gc=False, forbid_unknown_fields=True, tag_field="type"):
    """An object whose every field is known."""


class CacheControl(Exact, tag="ephemeral"):
    """The prefix up to here should be cached."""

    ttl: Literal["5m", "1h"] | None = None


class Base64Source(Exact, tag="base64"):
    """A picture or a file, in the request itself."""

    media_type: str
    data: str


class UrlSource(Exact, tag="url"):
    """A picture or a file, elsewhere."""

    url: str


class PlainSource(Exact, tag="text"):
    """A document in plain text."""

    data: str
    media_type: str = "text/plain"


class Citations(Struct, gc=False):
    """Whether the answer should cite the document."""

    enabled: bool = False


class Caller(Struct, gc=False):
    """Who asked for a tool: `direct` is the model."""

    type: str


class TextBlock(Exact, tag="text"):
    """Words."""

    text: str
    cache_control: CacheControl | None = None
    citations: Raw = ABSENT


class ImageBlock(Exact, tag="image"):
    """A picture."""

    source: Base64Source | UrlSource
    cache_control: CacheControl | None = None


class DocumentBlock(Exact, tag="document"):
    """A file to be read."""

    source: Base64Source | UrlSource | PlainSource
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None
    cache_control: CacheControl | None = None


class ToolUseBlock(Exact, tag="tool_use"):
    """The model asked for a tool."""

    id: str
    name: str
    input: Raw
    caller: Caller | None = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


class ToolResultBlock(Exact, tag="tool_result"):
    """What a tool gave back."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(Exact, tag="thinking"):
    """The model's reasoning, sealed."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(Exact, tag="redacted_thinking"):
    """Reasoning that only the provider can read."""

    data: str


Block = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock


class Message(Struct, gc=False, forbid_unknown_fields=True):
    """What one side said. The `system` role in the middle of a conversation has no place elsewhere."""

    role: Literal["user", "assistant"]
    content: str | list[Block]


class ToolSpec(Struct, gc=False, forbid_unknown_fields=True):
    """A tool of the client's. The two that only say how it is handed over are met by every target."""

    name: str
    input_schema: Raw = ABSENT
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    defer_loading: Literal[False] | None = None


class AutoChoice(Exact, tag="auto"):
    """The model may use a tool."""

    disable_parallel_tool_use: bool | None = None


class AnyChoice(Exact, tag="any"):
    """The model must use a tool."""

    disable_parallel_tool_use: bool | None = None


class NoneChoice(Exact, tag="none"):
    """The model must not use a tool."""

    disable_parallel_tool_use: bool | None = None


class OneChoice(Exact, tag="tool"):
    """The model must use this tool."""

    name: str
    disable_parallel_tool_use: bool | None = None


class ThinkingEnabled(Exact, tag="enabled"):
    """Think, within a budget."""

    budget_tokens: int
    display: str | None = None


class ThinkingAdaptive(Exact, tag="adaptive"):
    """Think as much as it takes."""

    display: str | None = None


class ThinkingDisabled(Exact, tag="disabled"):
    """Do not think."""


class JsonFormat(Exact, tag="json_schema"):
    """The answer is JSON after a schema."""

    schema: Raw


class OutputConfig(Struct, gc=False, forbid_unknown_fields=True):
    """How the answer is made."""

    format: JsonFormat | None = None
    effort: str | None = None


class Request(Struct, gc=False, forbid_unknown_fields=True):
    """A request, with the top-level fields that have a place in a `Prompt`."""

    messages: list[Message]
    max_tokens: int
    model: str = ""
    """Which target answers has been decided when this is read."""
    system: str | list[TextBlock] | None = None
    tools: list[ToolSpec] | None = None
    tool_choice: AutoChoice | AnyChoice | NoneChoice | OneChoice | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    thinking: ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled | None = None
    output_config: OutputConfig | None = None
    output_format: JsonFormat | None = None
    """`output_config.format`, as it was called before."""
    metadata: dict[str, Raw] | None = None
    stream: bool | None = None


class OpenRequest(Request, forbid_unknown_fields=False):
    """A request with further top-level fields."""
