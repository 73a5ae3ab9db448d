"""The parts of a message, in the words of any of the APIs."""

from collections.abc import Iterator

from watchkeeper.core.conversation.values import as_array, as_object, as_string, text_or_json, written
from watchkeeper.core.conversation.words import Image, Message, Other, Part, Text, ToolCall

_TEXTS = frozenset({"text", "input_text", "output_text"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


def parts_of(content: object) -> Iterator[Part]:
    """Yield the parts of a message's content: a text, or an array of parts."""
    if isinstance(content, str):
        yield Text(content)
        return
    for part in as_array(content):
        yield _part(part)


def _part(part: object) -> Part:
    fields = as_object(part)
    kind = as_string(fields.get("type"))
    if kind in _TEXTS:
        return Text(as_string(fields.get("text")))
    match kind:
        case "refusal":
            return Text(as_string(fields.get("refusal")))
        case "image_url" | "input_image":
            image = fields.get("image_url")
            url = image if isinstance(image, str) else as_string(as_object(image).get("url"))
            return Image(url, as_string(as_object(image).get("detail")) or as_string(fields.get("detail")))
        case "image":
            source = as_object(fields.get("source"))
            data, media_type = as_string(source.get("data")), as_string(source.get("media_type"))
            return Image(f"data:{media_type};base64,{data}" if data else as_string(source.get("url")))
        case _:
            return Other(kind or "unknown", written(part))


def chat_message(item: dict[str, object], role: str) -> Message:
    """Read a message of OpenAI's chat; `role` stands where it names none."""
    calls = [tool_call(as_object(call)) for call in as_array(item.get("tool_calls"))]
    if legacy := as_object(item.get("function_call")):
        calls.append(tool_call({"function": legacy}))
    return Message(
        role=as_string(item.get("role")) or role,
        parts=tuple(parts_of(item.get("content"))),
        name=as_string(item.get("name")),
        tool_calls=tuple(calls),
        tool_call_id=as_string(item.get("tool_call_id")),
        reasoning=as_string(item.get("reasoning_content")) or as_string(item.get("reasoning")),
        refusal=as_string(item.get("refusal")),
    )


def tool_call(call: dict[str, object]) -> ToolCall:
    """Read a tool call of OpenAI's chat."""
    function = as_object(call.get("function"))
    return ToolCall(
        id=as_string(call.get("id")),
        name=as_string(function.get("name")),
        arguments=text_or_json(function.get("arguments", "")),
    )


def block_messages(role: str, content: object) -> Iterator[Message]:
    """Read a message of Anthropic's API: first the results of tools in it, each as a message, then what is left."""
    if isinstance(content, str):
        yield Message(role=role, parts=(Text(content),))
        return
    rest: list[object] = []
    for block in as_array(content):
        fields = as_object(block)
        if fields.get("type") == "tool_result":
            parts = tuple(parts_of(fields.get("content")))
            yield Message(role="tool", parts=parts, tool_call_id=as_string(fields.get("tool_use_id")))
        else:
            rest.append(block)
    if rest or not as_array(content):
        yield block_message(role, rest)


def block_message(role: str, blocks: list[object]) -> Message:
    """Put the blocks of a turn together: words, thoughts and calls of tools."""
    parts: list[Part] = []
    calls: list[ToolCall] = []
    thoughts: list[str] = []
    for block in blocks:
        fields = as_object(block)
        kind = fields.get("type")
        if kind == "tool_use":
            arguments = text_or_json(fields.get("input", ""))
            calls.append(
                ToolCall(id=as_string(fields.get("id")), name=as_string(fields.get("name")), arguments=arguments)
            )
        elif kind in _THOUGHTS:
            thoughts.append(as_string(fields.get("thinking")) or "(this thought is sealed)")
        else:
            parts.append(_part(block))
    return Message(role=role, parts=tuple(parts), tool_calls=tuple(calls), reasoning="\n\n".join(thoughts))


def item_message(item: dict[str, object]) -> Message:
    """Read an item of the Responses API as a message of its own."""
    match item.get("type"):
        case None | "message":
            role = as_string(item.get("role")) or "unknown"
            words, refusals = _spoken(item.get("content"))
            return Message(role=role, parts=tuple(words), refusal="\n".join(refusals))
        case "function_call":
            call = ToolCall(
                id=as_string(item.get("call_id")),
                name=as_string(item.get("name")),
                arguments=text_or_json(item.get("arguments", "")),
            )
            return Message(role="assistant", tool_calls=(call,))
        case "function_call_output":
            parts = tuple(parts_of(item.get("output")))
            return Message(role="tool", parts=parts, tool_call_id=as_string(item.get("call_id")))
        case "reasoning":
            return Message(role="assistant", reasoning=_thought(item))
        case kind:
            return Message(role="item", parts=(Other(as_string(kind) or "unknown", written(item)),))


def _spoken(content: object) -> tuple[list[Part], list[str]]:
    """Tell the words of a message from its refusals."""
    pieces = as_array(content)
    refusals = [as_string(as_object(one).get("refusal")) for one in pieces if as_object(one).get("type") == "refusal"]
    words = [one for one in pieces if as_object(one).get("type") != "refusal"] if refusals else content
    return list(parts_of(words)), refusals


def _thought(item: dict[str, object]) -> str:
    pieces = as_array(item.get("content")) or as_array(item.get("summary"))
    return "\n\n".join(as_string(as_object(piece).get("text")) for piece in pieces) or "(this thought is sealed)"
