"""What a request asks, read from the body that a client sent; how depends on the API that it spoke."""

from collections.abc import Iterator

from watchkeeper.core.call import Surface
from watchkeeper.core.conversation.parts import block_messages, chat_message, item_message, parts_of
from watchkeeper.core.conversation.values import as_array, as_object, as_string, written
from watchkeeper.core.conversation.words import Conversation, Message, Other, Part, Text, Tool


def asked(request: dict[str, object], surface: Surface, notes: list[str]) -> Conversation:
    """Read messages, tools and parameters."""
    match surface:
        case "messages" | "count_tokens":
            messages, apart = _blocks(request, notes), _OF_MESSAGES
        case "responses":
            messages, apart = _items(request, notes), _OF_RESPONSES
        case "completions":
            messages, apart = _inputs(request.get("prompt")), _OF_COMPLETIONS
        case "embeddings":
            messages, apart = _inputs(request.get("input")), _OF_EMBEDDINGS
        case _:  # what a newer version may have recorded is read like chat, too
            messages, apart = _turns(request, notes), _OF_CHAT
    return Conversation(
        messages=tuple(messages),
        tools=() if surface == "embeddings" else tuple(_tools(request)),
        parameters={name: written(value) for name, value in request.items() if name not in apart},
    )


_OF_CHAT = frozenset({"messages", "tools", "functions", "input"})
_OF_MESSAGES = frozenset({"messages", "system", "tools"})
_OF_RESPONSES = frozenset({"input", "instructions", "tools"})
_OF_COMPLETIONS = frozenset({"prompt"})
_OF_EMBEDDINGS = _OF_CHAT
"""Fields of a request that are not shown among its parameters."""


def _turns(request: dict[str, object], notes: list[str]) -> Iterator[Message]:
    return (chat_message(item, "unknown") for item in _objects(request.get("messages"), "Message", notes))


def _blocks(request: dict[str, object], notes: list[str]) -> Iterator[Message]:
    if system := request.get("system"):
        yield Message(role="system", parts=tuple(parts_of(system)))
    for item in _objects(request.get("messages"), "Message", notes):
        yield from block_messages(as_string(item.get("role")) or "unknown", item.get("content"))


def _items(request: dict[str, object], notes: list[str]) -> Iterator[Message]:
    if instructions := as_string(request.get("instructions")):
        yield Message(role="system", parts=(Text(instructions),))
    given = request.get("input")
    if isinstance(given, str):
        yield Message(role="user", parts=(Text(given),))
    else:
        yield from map(item_message, _objects(given, "Item", notes))


def _inputs(given: object) -> Iterator[Message]:
    """Read one text or several, each of them words or numbers of tokens."""
    texts: list[object] = [given] if isinstance(given, str) else as_array(given)
    if texts and all(isinstance(text, int) for text in texts):
        texts = [texts]
    return (Message(role="input", parts=(_input(text),)) for text in texts)


def _input(value: object) -> Part:
    return Text(value) if isinstance(value, str) else Other("tokens", written(value))


def _objects(value: object, name: str, notes: list[str]) -> Iterator[dict[str, object]]:
    for position, item in enumerate(as_array(value), start=1):
        if isinstance(item, dict):
            yield item
        else:
            notes.append(f"{name} {position} of the request is not an object; it is left out here.")


def _tools(request: dict[str, object]) -> Iterator[Tool]:
    given = as_array(request.get("tools"))
    wrapped = [as_object(as_object(tool).get("function")) or as_object(tool) for tool in given]
    for tool in [*wrapped, *map(as_object, as_array(request.get("functions")))]:
        parameters = tool.get("parameters", tool.get("input_schema"))
        yield Tool(
            name=as_string(tool.get("name")) or as_string(tool.get("type")),
            description=as_string(tool.get("description")),
            parameters="" if parameters is None else written(parameters),
        )
