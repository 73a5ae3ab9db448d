"""Anthropic's Messages API as clients speak it: what a request asks."""

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw

from watchkeeper.gateway.decoding import is_given
from watchkeeper.gateway.neutral import (
    CannotCarry,
    Document,
    Image,
    Output,
    Part,
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.messages import shapes
from watchkeeper.gateway.surfaces.messages.shapes import (
    Base64Source,
    Block,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    Message,
    OpenRequest,
    PlainSource,
    RedactedThinkingBlock,
    Request,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
    UrlSource,
)
from watchkeeper.gateway.surfaces.places import client_field

_request = msgspec.json.Decoder(Request).decode
_open_request = msgspec.json.Decoder(OpenRequest).decode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str | None).decode
_write = msgspec.json.Encoder().encode

_KNOWN = frozenset(Request.__struct_fields__)
_NAMES = {"output": "output_config.format", "reasoning.effort": "output_config.effort"}
_DEFAULTS = {"service_tier": b'"auto"', "speed": b'"standard"'}


Read = TypeVar("Read")
Made = TypeVar("Made")


class _NotAnObject(Exception):
    """A field holds something else."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(field)


def prompt_of(body: bytes) -> Prompt:
    """Read a request; the body is a JSON object.

    Raises:
        BadRequest: a field is missing or of the wrong type.
        CannotCarry: a field or a kind of block has no place in a `Prompt`. Unknown top-level fields are not refused;
            they are the prompt's `others`.
    """
    others: dict[str, Raw] = {}
    try:
        request = _request(body)
    except msgspec.ValidationError:
        request, others = _open(body)
    try:
        return _prompt(request, others)
    except _NotAnObject as problem:
        raise BadRequest(f"`{problem.field}` must be an object.", param=problem.field) from None


def field_of(body: bytes, place: str) -> str:
    """Name a place of the prompt that `prompt_of` has read from this body as the body has it."""
    turns = [_names_of_parts(message, number) for number, message in enumerate(_open_request(body).messages)]
    within = place.partition("].content[")  # of a tool's result
    return client_field(place, turns, _NAMES) + (f".content[{within[2].partition(']')[0]}]" if within[1] else "")


def _names_of_parts(message: Message, number: int) -> list[str]:
    if isinstance(message.content, str):
        return [f"messages[{number}].content"]
    return [f"messages[{number}].content[{index}]" for index in range(len(message.content))]


def _prompt(request: Request, others: dict[str, Raw]) -> Prompt:
    system, tools = request.system, request.tools
    return Prompt(
        system=() if not system else (Text(system),) if isinstance(system, str) else _each(_words, system, "system"),
        turns=_each(_turn, request.messages, "messages"),
        tools=_each(_tool, tools, "tools") if tools else (),
        tool_choice=_tool_choice(request) if request.tool_choice else None,
        parallel_tools=_parallel_tools(request),
        output=_output(request),
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=tuple(request.stop_sequences or ()),
        reasoning=_reasoning(request),
        user=_user(request.metadata, others) if request.metadata else "",
        is_stream=request.stream is True,
        others=others,
    )


def _each(read: Callable[[Read], Made], found: list[Read], place: str) -> tuple[Made, ...]:
    """Read every item of a list; a refusal is told with the item's place."""
    try:
        return tuple([read(item) for item in found])
    except (CannotCarry, _NotAnObject):
        # looked for again, so that no place is written where all is well
        for number, item in enumerate(found):
            try:
                read(item)
            except CannotCarry as misfit:
                raise CannotCarry(f"{place}[{number}].{misfit.field}", misfit.why) from None
            except _NotAnObject as misfit:
                raise _NotAnObject(f"{place}[{number}].{misfit.field}") from None
        raise


def _open(body: bytes) -> tuple[Request, dict[str, Raw]]:
    """Read a request that has more top-level fields than we know, or is wrong."""
    try:
        request = _open_request(body)
    except msgspec.ValidationError as problem:
        raise _refusal(body, str(problem)) from None
    others = {
        name: value
        for name, value in _fields(body).items()
        if name not in _KNOWN and is_given(value) and bytes(value) != _DEFAULTS.get(name)
    }
    return request, others


def _refusal(body: bytes, problem: str) -> BadRequest | CannotCarry:
    what, _, where = problem.partition(" - at `$")
    place = where.strip(".`")
    if what.startswith("Object contains unknown field `"):
        if place.startswith("tools[") and "." not in place:
            kind = _kind_of_tool(body, int(place[len("tools[") : -1]))
            if kind != "custom":
                return CannotCarry(f"{place}.type", f"`{kind}` is a tool of the provider's")
        return CannotCarry(_join(place, what[len("Object contains unknown field `") : -1]))
    if what.startswith(("Invalid value ", "Invalid enum value ")):
        return CannotCarry(place, f"{what.partition('value ')[2]} is not known here")
    if what.startswith("Object missing required field `"):
        field = _join(place, what[len("Object missing required field `") : -1])
        return BadRequest(f"`{field}` is required.", param=field)
    return BadRequest(f"`{place}` has the wrong type: {what[:1].lower()}{what[1:]}.", param=place or None)


def _kind_of_tool(body: bytes, number: int) -> str:
    tools: list[dict[str, object]] = msgspec.json.decode(_fields(body)["tools"])
    return str(tools[number].get("type") or "custom")


def _join(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _turn(message: Message) -> Turn:
    content = message.content
    parts = (Text(content),) if isinstance(content, str) else _each(_part, content, "content")
    return Turn(message.role, parts)


def _part(block: Block) -> Part:
    match block:
        case TextBlock():
            return _words(block)
        case ToolUseBlock():
            return _tool_use(block)
        case ToolResultBlock():
            return _tool_result(block)
        case ImageBlock():
            return _image(block)
        case DocumentBlock():
            return _document(block)
        case ThinkingBlock():
            return Thinking(text=block.thinking, signature=block.signature)
        case RedactedThinkingBlock():
            return Thinking(redacted=block.data)


def _words(block: TextBlock) -> Text:
    if is_given(block.citations):
        raise CannotCarry("citations")
    return Text(block.text, _cache(block.cache_control)) if block.cache_control else Text(block.text)


def _cache(control: CacheControl | None) -> Literal["", "5m", "1h"]:
    return (control.ttl or "5m") if control else ""


def _image(block: ImageBlock) -> Image:
    source, cache = block.source, _cache(block.cache_control)
    if isinstance(source, UrlSource):
        return Image(url=source.url, cache=cache)
    return Image(media_type=source.media_type, data=source.data, cache=cache)


def _document(block: DocumentBlock) -> Document:
    if block.context:
        raise CannotCarry("context")
    if block.citations and block.citations.enabled:
        raise CannotCarry("citations")
    name, cache = block.title or "", _cache(block.cache_control)
    match block.source:
        case Base64Source(media_type=media_type, data=data):
            return Document(media_type=media_type, data=data, name=name, cache=cache)
        case UrlSource(url=url):
            return Document(url=url, name=name, cache=cache)
        case PlainSource(media_type=media_type, data=text):
            return Document(media_type=media_type, text=text, name=name, cache=cache)


def _tool_use(block: ToolUseBlock) -> ToolUse:
    if block.caller and block.caller.type != "direct":
        raise CannotCarry("caller", "another tool asked for this one")
    if block.toolset_name:
        raise CannotCarry("toolset_name")
    if not _is_object(block.input):
        raise _NotAnObject("input")
    return ToolUse(block.id, block.name, bytes(block.input).decode(), _cache(block.cache_control))


def _tool_result(block: ToolResultBlock) -> ToolResult:
    if block.toolset_name:
        raise CannotCarry("toolset_name")
    found = block.content
    content: tuple[Text | Image | Document, ...] = ()
    if found is not None:
        content = (Text(found),) if isinstance(found, str) else _each(_shown, found, "content")
    return ToolResult(block.tool_use_id, content, block.is_error is True, _cache(block.cache_control))


def _shown(block: TextBlock | ImageBlock | DocumentBlock) -> Text | Image | Document:
    match block:
        case TextBlock():
            return _words(block)
        case ImageBlock():
            return _image(block)
        case DocumentBlock():
            return _document(block)


def _tool(tool: ToolSpec) -> Tool:
    if tool.type is not None and tool.type != "custom":
        raise CannotCarry("type", f"`{tool.type}` is a tool of the provider's")
    if not _is_object(tool.input_schema):
        raise _NotAnObject("input_schema")
    return Tool(tool.name, tool.input_schema, tool.description or "", tool.strict is True, _cache(tool.cache_control))


def _tool_choice(request: Request) -> ToolChoice | None:
    match request.tool_choice:
        case shapes.AutoChoice():
            return ToolChoice("auto")
        case shapes.AnyChoice():
            return ToolChoice("any")
        case shapes.NoneChoice():
            return ToolChoice("none")
        case shapes.OneChoice(name=name):
            return ToolChoice("one", name)
        case None:
            return None


def _parallel_tools(request: Request) -> bool | None:
    if request.tool_choice is None or request.tool_choice.disable_parallel_tool_use is None:
        return None
    return not request.tool_choice.disable_parallel_tool_use


def _output(request: Request) -> Output | None:
    config, place = request.output_config, "output_config.format"
    form = config.format if config else None
    if form is None:
        form, place = request.output_format, "output_format"
    if form is None:
        return None
    if not _is_object(form.schema):
        raise _NotAnObject(f"{place}.schema")
    return Output("schema", form.schema, is_strict=True)


def _reasoning(request: Request) -> Reasoning | None:
    thinking = request.thinking
    effort = (request.output_config.effort or "") if request.output_config else ""
    if isinstance(thinking, shapes.ThinkingDisabled):
        return Reasoning(is_on=False, effort=effort)
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    if thinking.display not in (None, "summarized"):
        raise CannotCarry("thinking.display")
    budget = thinking.budget_tokens if isinstance(thinking, shapes.ThinkingEnabled) else None
    return Reasoning(budget_tokens=budget, effort=effort)


def _user(metadata: dict[str, Raw], others: dict[str, Raw]) -> str:
    """Return the person that the client names; what else the metadata says is among the others."""
    user = metadata.pop("user_id", None)
    if metadata:
        others["metadata"] = Raw(_write(metadata))
    try:
        return (_text(user) or "") if user is not None else ""
    except msgspec.ValidationError:
        raise BadRequest("`metadata.user_id` must be a string.", param="metadata.user_id") from None


def _is_object(value: Raw) -> bool:
    return memoryview(value)[:1].tobytes() == b"{"
