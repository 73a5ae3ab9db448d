"""Where in a chat request stands what its prompt says."""

import msgspec
from msgspec import Struct

from watchkeeper.gateway.surfaces.chat.messages import Message
from watchkeeper.gateway.surfaces.places import client_field

_NAMES = {
    "output": "response_format",
    "output.description": "response_format.json_schema.description",
    "reasoning.effort": "reasoning_effort",
}


class _Conversation(Struct, gc=False):
    messages: list[Message]


_conversation = msgspec.json.Decoder(_Conversation).decode


def field_of(body: bytes, place: str) -> str:
    """Name a place of the prompt that `prompt_of` has read from this body as the body has it."""
    turns: list[list[str]] = []
    was_result = False
    for number, message in enumerate(_conversation(body).messages):
        if message.role in ("system", "developer"):
            continue
        is_result = message.role == "tool"
        names = [f"messages[{number}].{name}" for name in (["content"] if is_result else _parts(message))]
        if is_result and was_result:
            turns[-1] += names
        else:
            turns.append(names)
        was_result = is_result
    return client_field(place, turns, _NAMES)


def _parts(message: Message) -> list[str]:
    """In the order in which a message's parts are read."""
    names: list[str] = []
    if message.reasoning_content or message.reasoning:
        names.append("reasoning_content" if message.reasoning_content else "reasoning")
    if isinstance(message.content, list):
        names += [f"content[{index}]" for index in range(len(message.content))]
    elif message.content:
        names.append("content")
    if message.refusal:
        names.append("refusal")
    return names + [f"tool_calls[{index}]" for index in range(len(message.tool_calls or ()))]
