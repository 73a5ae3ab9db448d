"""A complete reply, read by the shape it has: an upstream need not speak the API that the client spoke."""

from watchkeeper.core.conversation.parts import block_message, chat_message, item_message
from watchkeeper.core.conversation.values import as_array, as_object, as_place, as_string
from watchkeeper.core.conversation.words import Answer, Message, Part, Text, ToolCall


def answers_of(given: dict[str, object]) -> tuple[Answer, ...]:
    """Read the answers of a reply, in the order of their choices; none where it has none, or an unknown shape."""
    if "choices" in given:
        return _choices(given)
    if isinstance(given.get("output"), list):
        return (response_answer(given),)
    if given.get("type") == "message":
        role = as_string(given.get("role")) or "assistant"
        message = block_message(role, as_array(given.get("content")))
        return (Answer(index=0, message=message, finish_reason=as_string(given.get("stop_reason"))),)
    return ()


def _choices(given: dict[str, object]) -> tuple[Answer, ...]:
    answers = []
    for position, choice in enumerate(map(as_object, as_array(given.get("choices")))):
        text = choice.get("text")
        if isinstance(text, str) and "message" not in choice:
            message = Message(role="assistant", parts=(Text(text),))
        else:
            message = chat_message(as_object(choice.get("message")), "assistant")
        answers.append(
            Answer(
                index=as_place(choice.get("index"), position),
                message=message,
                finish_reason=as_string(choice.get("finish_reason")),
            )
        )
    return tuple(sorted(answers, key=lambda answer: answer.index))


def response_answer(response: dict[str, object]) -> Answer:
    """Put the output items of a response together as one answer."""
    parts: list[Part] = []
    calls: list[ToolCall] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    for item in map(as_object, as_array(response.get("output"))):
        message = item_message(item)
        parts += message.parts
        calls += message.tool_calls
        thoughts += [message.reasoning] if message.reasoning else []
        refusals += [message.refusal] if message.refusal else []
    message = Message(
        role="assistant",
        parts=tuple(parts),
        tool_calls=tuple(calls),
        reasoning="\n\n".join(thoughts),
        refusal="\n".join(refusals),
    )
    return Answer(index=0, message=message, finish_reason=_ending(response))


def _ending(response: dict[str, object]) -> str:
    """Say why it ended: the reason for which it is incomplete, or its status once it has ended."""
    status = as_string(response.get("status"))
    reason = as_string(as_object(response.get("incomplete_details")).get("reason"))
    return reason or ("" if status in ("in_progress", "queued") else status)
