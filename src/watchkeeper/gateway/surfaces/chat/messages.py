"""The messages of a chat request, and what they mean as instructions and turns."""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT, UNREADABLE
from watchkeeper.gateway.neutral import (
    CannotCarry,
    Declined,
    Document,
    Image,
    Part,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from watchkeeper.gateway.surfaces.chat.fields import wrong

Cache = Literal["", "5m", "1h"]


class CacheControl(Struct, gc=False, forbid_unknown_fields=True):
    """The mark of a prefix to be cached, in the form that gateways before Anthropic's models take."""

    type: str = "ephemeral"
    ttl: str | None = None


class Breakpoint(Struct, gc=False, forbid_unknown_fields=True):
    """OpenAI's own mark of a prefix to be cached."""

    mode: str = "explicit"
    ttl: str | None = None


class ImageUrl(Struct, gc=False, forbid_unknown_fields=True):
    """Where a picture is, or the picture itself as a data URL."""

    url: str
    detail: str | None = None


class File(Struct, gc=False, forbid_unknown_fields=True):
    """A file within the request, or one that was uploaded before."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ContentPart(Struct, gc=False, forbid_unknown_fields=True):
    """One part of a message's content; `type` tells which field counts."""

    type: str
    text: str | None = None
    image_url: ImageUrl | None = None
    file: File | None = None
    refusal: str | None = None
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class CalledFunction(Struct, gc=False, forbid_unknown_fields=True):
    """The function that the model asked for."""

    name: str
    arguments: str = ""
    parsed_arguments: Raw = ABSENT
    """What OpenAI's client has made of the arguments, given back with them."""


class ToolCall(Struct, gc=False, forbid_unknown_fields=True):
    """A call of a tool in an assistant's message."""

    id: str
    type: str = "function"
    function: CalledFunction | None = None
    index: int | None = None
    """Left over from a stream; says what the order says."""


class Message(Struct, gc=False, forbid_unknown_fields=True):
    """A message of any role. Three of the last are not carried, but clients give them back empty; `parsed` is what
    OpenAI's client has made of the content, given back with it."""

    role: str
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    function_call: dict[str, Raw] | None = None
    audio: dict[str, Raw] | None = None
    annotations: list[Raw] | None = None
    parsed: Raw = ABSENT


_NEVER = ("function_call", "audio", "annotations")
_ASSISTANT_ONLY = ("tool_calls", "refusal", "reasoning_content", "reasoning")
_FOREIGN: dict[str, tuple[str, ...]] = {
    "user": ("tool_call_id", *_ASSISTANT_ONLY, *_NEVER),
    "system": ("tool_call_id", "name", *_ASSISTANT_ONLY, *_NEVER),
    "assistant": ("tool_call_id", *_NEVER),
    # `name` repeats that of the tool, which the call already says.
    "tool": (*_ASSISTANT_ONLY, *_NEVER),
}
_PDF_IN_BASE64 = "JVBERi0"
_json_object = msgspec.json.Decoder(dict[str, Raw]).decode


def turns_of(messages: list[Message]) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """Read messages as instructions and turns; tool results that follow each other become one turn.

    Raises:
        BadRequest: a message is not what its role takes.
        CannotCarry: a message says what has no place in a prompt.
    """
    system: list[Text] = []
    turns: list[Turn] = []
    results: list[Part] = []
    for number, message in enumerate(messages):
        role = "system" if message.role == "developer" else message.role
        _refuse_foreign(message, role, number)
        if role == "tool":
            results.append(_result(message, number))
            continue
        if results:
            turns.append(Turn("user", tuple(results)))
            results = []
        if role == "user":
            turns.append(Turn("user", tuple(_said(message, number)), message.name or ""))
        elif role == "assistant":
            turns.append(Turn("assistant", tuple(_answered(message, number)), message.name or ""))
        elif turns:
            raise CannotCarry(f"messages[{number}].role", "instructions can only stand at the beginning")
        else:
            system += _words(message, number)
    if results:
        turns.append(Turn("user", tuple(results)))
    return tuple(system), tuple(turns)


def cache_of(mark: CacheControl | None, own: Breakpoint | None = None) -> Cache:
    """Read how long a prefix should be cached; a longer time than is known here is the longest that is."""
    if mark is not None:
        return "5m" if mark.ttl in (None, "5m") else "1h"
    if own is not None:
        return "5m" if own.ttl is None else "1h"
    return ""


def _refuse_foreign(message: Message, role: str, number: int) -> None:
    foreign = _FOREIGN.get(role)
    if foreign is None:
        if role == "function":
            raise CannotCarry(f"messages[{number}].role", "functions are deprecated: send tools")
        raise wrong(f"messages[{number}].role", f"is not a role: {role[:40]}")
    for name in foreign:
        if getattr(message, name):
            raise CannotCarry(f"messages[{number}].{name}")


def _said(message: Message, number: int) -> list[Part]:
    content = message.content
    if isinstance(content, str):
        return [Text(content)] if content else []
    if content is None:
        raise wrong(f"messages[{number}].content", "is required")
    return [_user_part(part, f"messages[{number}].content[{index}]") for index, part in enumerate(content)]


def _words(message: Message, number: int) -> list[Text]:
    content = message.content
    if isinstance(content, str):
        return [Text(content)] if content else []
    if content is None:
        raise wrong(f"messages[{number}].content", "is required")
    return [_text(part, f"messages[{number}].content[{index}]") for index, part in enumerate(content)]


def _answered(message: Message, number: int) -> list[Part]:
    parts: list[Part] = []
    thoughts = message.reasoning_content or message.reasoning
    if thoughts:
        parts.append(Thinking(thoughts))
    content = message.content
    if isinstance(content, list):
        parts += [_assistant_part(part, f"messages[{number}].content[{index}]") for index, part in enumerate(content)]
    elif content:
        parts.append(Text(content))
    if message.refusal:
        parts.append(Declined(message.refusal))
    for index, call in enumerate(message.tool_calls or ()):
        parts.append(_tool_use(call, f"messages[{number}].tool_calls[{index}]"))
    return parts


def _result(message: Message, number: int) -> ToolResult:
    if message.tool_call_id is None:
        raise wrong(f"messages[{number}].tool_call_id", "is required")
    return ToolResult(message.tool_call_id, tuple(_words(message, number)))


def _tool_use(call: ToolCall, field: str) -> ToolUse:
    if call.type != "function":
        raise CannotCarry(f"{field}.type", "only functions are known")
    if call.function is None:
        raise wrong(f"{field}.function", "is required")
    arguments = call.function.arguments or "{}"
    if arguments != "{}":
        try:
            _json_object(arguments)
        except UNREADABLE:
            raise CannotCarry(f"{field}.function.arguments", "it is not the text of a JSON object") from None
    return ToolUse(call.id, call.function.name, arguments)


def _user_part(part: ContentPart, field: str) -> Part:
    match part.type:
        case "text":
            return _text(part, field)
        case "image_url":
            return _image(part, f"{field}.image_url")
        case "file":
            return _document(part, f"{field}.file")
        case _:
            raise CannotCarry(f"{field}.{_field_of(part)}")


def _assistant_part(part: ContentPart, field: str) -> Part:
    if part.type == "refusal":
        if part.refusal is None:
            raise wrong(f"{field}.refusal", "is required")
        return Declined(part.refusal)
    return _text(part, field)


def _text(part: ContentPart, field: str) -> Text:
    if part.type != "text":
        raise CannotCarry(f"{field}.{_field_of(part)}")
    if part.text is None:
        raise wrong(f"{field}.text", "is required")
    return Text(part.text, cache_of(part.cache_control, part.prompt_cache_breakpoint))


def _field_of(part: ContentPart) -> str:
    """The field that a part in the wrong place, or of a kind that is not known, brings along."""
    return part.type if getattr(part, part.type, None) is not None else "type"


def _image(part: ContentPart, field: str) -> Image:
    image = part.image_url
    if image is None:
        raise wrong(field, "is required")
    cache = cache_of(part.cache_control, part.prompt_cache_breakpoint)
    if image.url.startswith("data:"):
        media_type, data = _data_url(image.url, f"{field}.url")
        return Image(media_type, data, detail=image.detail or "", cache=cache)
    return Image(url=image.url, detail=image.detail or "", cache=cache)


def _document(part: ContentPart, field: str) -> Document:
    file = part.file
    if file is None:
        raise wrong(field, "is required")
    if file.file_id is not None:
        raise CannotCarry(f"{field}.file_id", "the file is kept by another provider")
    if file.file_data is None:
        raise wrong(f"{field}.file_data", "is required")
    if file.file_data.startswith("data:"):
        media_type, data = _data_url(file.file_data, f"{field}.file_data")
    else:
        data = file.file_data
        media_type = "application/pdf" if data.startswith(_PDF_IN_BASE64) else ""
    cache = cache_of(part.cache_control, part.prompt_cache_breakpoint)
    return Document(media_type, data, name=file.filename or "", cache=cache)


def _data_url(url: str, field: str) -> tuple[str, str]:
    head, comma, data = url.partition(",")
    media_type = head[len("data:") :].partition(";")[0]
    if not comma or not media_type or not head.endswith(";base64"):
        raise wrong(field, "is a data URL without a media type or not in base64")
    return media_type, data
