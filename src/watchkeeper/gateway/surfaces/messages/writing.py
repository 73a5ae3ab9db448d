"""Anthropic's Messages API as clients speak it: a reply, complete or piece by piece, and errors."""

import msgspec
from msgspec import Raw

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    Completion,
    Declined,
    DeclinedDelta,
    Event,
    EventWriter,
    Finish,
    Part,
    PartEnd,
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

_write = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode

_REASONS: dict[Stop, str] = {
    "end": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "filtered": "refusal",
    "declined": "refusal",
    "pause": "pause_turn",
}
_UNKNOWN_USAGE = {"input_tokens": 0, "output_tokens": 0}
"""The API has no word for it, and clients add these two up."""

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b}}\n\n'
_BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def reply_body(completion: Completion, *, reply_id: str) -> bytes:
    """Write a complete reply under an id of ours. A refusal's words are text; its stop reason says what they are.

    Raises:
        CannotCarry: a part has no block in a message, or a tool's arguments are not a JSON object (a model that was
            stopped within them); the field is named as this reply would have it.
    """
    blocks = [_block(part, number) for number, part in enumerate(completion.parts)]
    has_declined = any(isinstance(part, Declined) for part in completion.parts)
    return _write(
        {
            "id": reply_id,
            "type": "message",
            "role": "assistant",
            "model": completion.model,
            "content": blocks,
            "stop_reason": _reason(completion.stop, has_declined=has_declined),
            "stop_sequence": completion.stop_sequence,
            "usage": usage_json(completion.usage) if completion.usage else _UNKNOWN_USAGE,
        }
    )


def usage_json(usage: Usage) -> dict[str, object]:
    """Return the `usage` object of a reply: input beside its cached parts, reasoning as a part of the output."""
    written = usage.cache_write_5m + usage.cache_write_1h
    counts: dict[str, object] = {
        "input_tokens": usage.input_uncached + usage.audio_in,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output_tokens,
    }
    if written:
        counts["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.output_reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.output_reasoning}
    return counts


class MessagesWriter(EventWriter):
    """Writes a stream of messages.

    Blocks follow each other: the next one begins when the open one is complete. A tool is complete when the upstream
    says so or its arguments are a whole JSON object; until then what belongs to others waits.
    """

    def __init__(self, *, reply_id: str) -> None:
        """Write under an id of ours."""
        self._reply_id = reply_id
        self._has_begun = False
        self._number = -1
        """Of the open block, or of the last one."""
        self._open = ""
        """The kind of the open block: text, declined, thinking or tool."""
        self._tool = -1
        """The tool of the open block, or of the last such."""
        self._arguments: list[str] = []
        """Of the open tool."""
        self._waiting: list[Event] = []
        self._usage: Usage | None = None
        self._finish = Finish("end")
        self._has_declined = False
        self._written: list[bytes] = []

    def write(self, events: list[Event]) -> bytes:
        if not self._has_begun:
            self._begin(events)
        for event in events:
            self._take(event)
        return self._flush()

    def end(self) -> bytes:
        if not self._has_begun:
            self._begin([])
        self._close()
        while self._waiting:
            self._catch_up()
            self._close()
        reason = _reason(self._finish.stop, has_declined=self._has_declined)
        delta: dict[str, object] = {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": self._finish.stop_sequence},
            "usage": usage_json(self._usage) if self._usage else _UNKNOWN_USAGE,
        }
        self._written += (_event(b"message_delta", delta), _MESSAGE_STOP)
        return self._flush()

    def _flush(self) -> bytes:
        written = b"".join(self._written)
        self._written.clear()
        return written

    def _begin(self, events: list[Event]) -> None:
        """Open the message, with what the first events already tell of it."""
        self._has_begun = True
        usage = next((event.usage for event in events if isinstance(event, Used)), None)
        message: dict[str, object] = {
            "id": self._reply_id,
            "type": "message",
            "role": "assistant",
            "model": next((event.model for event in events if isinstance(event, Begin)), ""),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_json(usage) if usage else _UNKNOWN_USAGE,
        }
        self._written.append(_event(b"message_start", {"type": "message_start", "message": message}))

    def _take(self, event: Event) -> None:
        match event:
            case Used():
                self._usage = event.usage
            case Finish():
                self._finish = event
            case ToolDelta() if self._open == "tool" and event.index == self._tool:
                self._argue(event.json)
            case PartEnd():
                self._close()
                self._catch_up()
            case _ if self._open == "tool" and self._must_wait():
                self._waiting.append(event)
            case TextDelta():
                self._say("text", event.text)
            case DeclinedDelta():
                self._has_declined = True
                self._say("declined", event.text)
            case ThinkingDelta():
                self._think(event)
            case ToolBegin():
                self._begin_tool(event)
            case _:
                # what follows the whole arguments of a tool is not part of them; the rest is not given to a writer
                pass

    def _must_wait(self) -> bool:
        return bool(self._waiting) or not _is_object("".join(self._arguments))

    def _catch_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._take(event)

    def _say(self, kind: str, text: str) -> None:
        if not text:
            return
        if self._open != kind:
            self._start(kind, {"type": "text", "text": ""})
        self._written.append(_DELTA % (self._number, b'"text_delta","text":' + _write(text)))

    def _think(self, event: ThinkingDelta) -> None:
        if event.redacted:
            self._start("redacted", {"type": "redacted_thinking", "data": event.redacted})
            self._close()
            return
        if self._open != "thinking" and (event.text or event.signature):
            self._start("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if event.text:
            self._written.append(_DELTA % (self._number, b'"thinking_delta","thinking":' + _write(event.text)))
        if event.signature:
            self._written.append(_DELTA % (self._number, b'"signature_delta","signature":' + _write(event.signature)))

    def _begin_tool(self, event: ToolBegin) -> None:
        self._start("tool", {"type": "tool_use", "id": event.id, "name": event.name, "input": {}})
        self._tool = event.index
        self._arguments.clear()

    def _argue(self, json: str) -> None:
        if not json:
            return
        self._arguments.append(json)
        self._written.append(_DELTA % (self._number, b'"input_json_delta","partial_json":' + _write(json)))
        if self._waiting and json.rstrip().endswith("}") and _is_object("".join(self._arguments)):
            self._close()
            self._catch_up()

    def _start(self, kind: str, block: dict[str, object]) -> None:
        self._close()
        self._number += 1
        self._open = kind
        start = {"type": "content_block_start", "index": self._number, "content_block": block}
        self._written.append(_event(b"content_block_start", start))

    def _close(self) -> None:
        if self._open:
            self._written.append(_BLOCK_STOP % self._number)
            self._open = ""


def _event(name: bytes, data: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, _write(data))


def _reason(stop: Stop, *, has_declined: bool) -> str:
    return "refusal" if has_declined and stop == "end" else _REASONS[stop]


def _block(part: Part, number: int) -> dict[str, object]:
    match part:
        case Text(text=text) | Declined(text=text):
            return {"type": "text", "text": text}
        case Thinking(redacted="", text=text, signature=signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case Thinking(redacted=data):
            return {"type": "redacted_thinking", "data": data}
        case ToolUse(id=tool_id, name=name, arguments=arguments):
            if not arguments:
                return {"type": "tool_use", "id": tool_id, "name": name, "input": {}}
            if not _is_object(arguments):
                raise CannotCarry(f"content[{number}].input", "the tool's arguments are not a JSON object")
            return {"type": "tool_use", "id": tool_id, "name": name, "input": Raw(arguments.encode())}
        case _:
            raise CannotCarry(f"content[{number}]", "a message of the model's has no such block")


def _is_object(text: str) -> bool:
    try:
        _object(text)
    except UNREADABLE:
        return False
    return True
