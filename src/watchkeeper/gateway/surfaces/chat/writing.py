"""A completion and a stream's events, written as a chat reply and its chunks."""

import msgspec

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    Completion,
    Declined,
    DeclinedDelta,
    Event,
    Finish,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolBegin,
    ToolDelta,
    ToolUse,
    Used,
)

FINISH_REASONS: dict[Stop, str] = {
    "end": "stop",
    "length": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "filtered": "content_filter",
    "declined": "content_filter",
    # The answer is not whole, and the client may ask for the rest.
    "pause": "length",
}
"""declined: `stop` where the refusal has words, for they tell the client what happened."""

DONE = b"data: [DONE]\n\n"

_write = msgspec.json.Encoder().encode
_SPEAKS = b'{"role":"assistant","content":""}'
_ASKS = b'{"role":"assistant","content":null}'
_NOTHING = b"{}"


def reply_body(completion: Completion, *, reply_id: str, created_s: int) -> bytes:
    """Write a complete reply with one choice.

    Texts follow each other in `content`, reasoning in `reasoning_content` without its seal; what only its provider can
    read is left out. `usage` is missing where it is not known.

    Raises:
        CannotCarry: the reply holds something else than words, reasoning and calls of tools.
    """
    message = _message(completion)
    stop = finish_reason(completion.stop, has_refusal=message["refusal"] is not None)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": stop}
    reply: dict[str, object] = {
        "id": reply_id,
        "object": "chat.completion",
        "created": created_s,
        "model": completion.model,
        "choices": [choice],
    }
    if completion.usage is not None:
        reply["usage"] = usage_json(completion.usage)
    return _write(reply)


def finish_reason(stop: Stop, *, has_refusal: bool) -> str:
    """Say in OpenAI's words why the model stopped."""
    return "stop" if has_refusal and stop == "declined" else FINISH_REASONS[stop]


def usage_json(usage: Usage) -> dict[str, object]:
    """Write usage as totals of which the details are parts; `total_tokens` is their sum."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
            "audio_tokens": usage.audio_in,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.output_reasoning, "audio_tokens": usage.audio_out},
    }


class ChatWriter:
    """Writes a stream's events as chunks with one choice.

    The role comes with the first event that says something, so that nothing has been sent while the upstream may still
    fail. A tool that was given no arguments gets `{}` before the end: clients read arguments as JSON.
    """

    def __init__(self, *, reply_id: str, created_s: int, includes_usage: bool) -> None:
        self._includes_usage = includes_usage
        self._head: dict[str, object] = {"id": reply_id, "object": "chat.completion.chunk", "created": created_s}
        self._has_role = False
        self._has_refusal = False
        self._bare_tools: set[int] = set()
        self._usage: Usage | None = None
        self._named("")

    def write(self, events: list[Event]) -> bytes:
        """Write events as the client's API has them."""
        return b"".join([self._chunks(event) for event in events])

    def end(self) -> bytes:
        """Write the usage where it was asked for and is known, and the terminator."""
        if not self._includes_usage or self._usage is None:
            return DONE
        return b"data: " + _write({**self._head, "choices": [], "usage": usage_json(self._usage)}) + b"\n\n" + DONE

    def _named(self, model: str) -> None:
        self._head["model"] = model
        self._before = b"data: " + _write(self._head)[:-1] + b',"choices":[{"index":0,"delta":'
        self._after = b"}]" + (b',"usage":null' if self._includes_usage else b"") + b"}\n\n"

    def _chunks(self, event: Event) -> bytes:
        match event:
            case TextDelta(text=text):
                return self._delta(b'{"content":' + _write(text) + b"}")
            case ToolDelta(index=index, json=json):
                self._bare_tools.discard(index)
                return self._delta(_arguments(index, json))
            case ThinkingDelta(text=text):
                return self._delta(b'{"reasoning_content":' + _write(text) + b"}") if text else b""
            case DeclinedDelta(text=text):
                self._has_refusal = True
                return self._delta(b'{"refusal":' + _write(text) + b"}")
            case ToolBegin(index=index, id=tool_id, name=name):
                self._bare_tools.add(index)
                call = {"index": index, "id": tool_id, "type": "function", "function": {"name": name, "arguments": ""}}
                return self._delta(b'{"tool_calls":[' + _write(call) + b"]}", role=_ASKS)
            case Begin(model=model):
                self._named(model)
            case Used(usage=usage):
                self._usage = usage
            case Finish(stop=stop):
                return self._finish(finish_reason(stop, has_refusal=self._has_refusal))
            case _:
                # `PartEnd` says nothing to a chat client; the others are not given to a writer.
                pass
        return b""

    def _delta(self, delta: bytes, *, role: bytes = _SPEAKS, reason: bytes = b"null") -> bytes:
        chunk = self._before + delta + b',"logprobs":null,"finish_reason":' + reason + self._after
        if self._has_role:
            return chunk
        self._has_role = True
        return self._delta(role) + chunk

    def _finish(self, reason: str) -> bytes:
        filled = b"".join([self._delta(_arguments(index, "{}")) for index in sorted(self._bare_tools)])
        self._bare_tools.clear()
        return filled + self._delta(_NOTHING, reason=_write(reason))


def _arguments(index: int, json: str) -> bytes:
    return b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (index, _write(json))


def _message(completion: Completion) -> dict[str, object]:
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    calls: list[dict[str, object]] = []
    for part in completion.parts:
        match part:
            case Text(text=text):
                texts.append(text)
            case Thinking(text=text):
                thoughts.append(text)
            case Declined(text=text):
                refusals.append(text)
            case ToolUse(id=tool_id, name=name, arguments=arguments):
                function = {"name": name, "arguments": arguments}
                calls.append({"id": tool_id, "type": "function", "function": function})
            case _:
                raise CannotCarry("choices[0].message.content", "a chat reply consists of words and calls of tools")
    message: dict[str, object] = {"role": "assistant", "content": "".join(texts) if texts else None}
    message["refusal"] = "".join(refusals) if refusals else None
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return message
