"""What lists and searches show of a call's bodies: a preview of question and answer, and the words to find it by."""

from typing import NamedTuple

from watchkeeper.core.call import Call
from watchkeeper.core.conversation import Message, read_conversation

PREVIEW_LETTERS = 200
WORDS_LETTERS = 4_000
"""Of question and answer each; what is longer cannot be searched for."""


class Digest(NamedTuple):
    """The readable part of a call."""

    input_preview: str = ""
    output_preview: str = ""
    words: str = ""
    finish_reason: str = ""
    tool_names: tuple[str, ...] = ()


def digest(call: Call) -> Digest:
    """Read the bodies of a call; what cannot be read is left out."""
    found = read_conversation(
        call.request_body, call.response_body, surface=call.surface, is_stream=bool(call.chunk_offsets_us)
    )
    asked = _last_question(found.messages)
    answered = "\n".join(_said(answer.message) for answer in found.answers)
    names = (tool_call.name for answer in found.answers for tool_call in answer.message.tool_calls)
    return Digest(
        input_preview=_preview(asked),
        output_preview=_preview(answered),
        words=f"{asked[:WORDS_LETTERS]}\n{answered[:WORDS_LETTERS]}".lower(),
        finish_reason=found.answers[0].finish_reason if found.answers else "",
        tool_names=tuple(dict.fromkeys(names)),
    )


def _last_question(messages: tuple[Message, ...]) -> str:
    """The last thing a person said; without one, the last message."""
    for message in reversed(messages):
        if message.role == "user":
            return message.text
    return messages[-1].text if messages else ""


def _said(message: Message) -> str:
    calls = (f"{call.name}({call.arguments})" for call in message.tool_calls)
    return " ".join(part for part in (message.text, message.refusal, *calls) if part)


def _preview(text: str) -> str:
    """The first letters on one line."""
    return " ".join(text[: PREVIEW_LETTERS * 2].split())[:PREVIEW_LETTERS]
