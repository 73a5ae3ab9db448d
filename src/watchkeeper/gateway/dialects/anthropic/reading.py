"""Anthropic's Messages API as upstreams speak it: replies, streams and errors."""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.call import ErrorClass
from watchkeeper.gateway.decoding import UNREADABLE, is_given
from watchkeeper.gateway.dialects.anthropic import shapes
from watchkeeper.gateway.dialects.openai import replies
from watchkeeper.gateway.neutral import (
    Begin,
    Completion,
    Declined,
    DeclinedDelta,
    End,
    Event,
    EventReader,
    Failed,
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
from watchkeeper.gateway.outcome import Failure
from watchkeeper.money.tiers import tier_in
from watchkeeper.money.usage import AnthropicUsage, disjoint_anthropic, from_anthropic, later_anthropic

_STOPS: dict[str | None, Stop] = {
    "end_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "pause_turn": "pause",
    "refusal": "declined",
}
"""A reason that we do not know is an end."""

_CLASS_OF_TYPE: dict[str, ErrorClass] = {
    "invalid_request_error": "bad_request",
    "authentication_error": "upstream_auth",
    "permission_error": "upstream_auth",
    "billing_error": "rate_limit",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "timeout_error": "timeout",
    "api_error": "upstream_error",
    "overloaded_error": "capacity",
}
_CLASS_OF_WORDS: tuple[tuple[str, ErrorClass], ...] = (
    ("prompt is too long", "context_length"),
    ("exceed context limit", "context_length"),
    ("content filtering policy", "content_policy"),
    ("credit balance is too low", "rate_limit"),
)
"""What an `invalid_request_error` is about, which only its message tells."""
_MESSAGE_LIMIT = 500

_reply = msgspec.json.Decoder(shapes.Reply).decode
_event: Callable[[bytes], shapes.StreamEvent] = msgspec.json.Decoder(shapes.StreamEvent).decode
_usage = msgspec.json.Decoder(AnthropicUsage, strict=False).decode


def completion_of(body: bytes) -> Completion:
    """Read a complete reply. One that the model would not give says why, where the provider explains it.

    Raises:
        any of `UNREADABLE`: it is not a message, or has a block of a kind that was not asked for.
    """
    reply = _reply(body)
    parts = [_part(block) for block in reply.content]
    explanation = reply.stop_details.explanation if reply.stop_details else None
    if explanation:
        parts.append(Declined(explanation))
    return Completion(
        id=reply.id,
        model=reply.model,
        parts=tuple(parts),
        stop=_STOPS.get(reply.stop_reason, "end"),
        stop_sequence=reply.stop_sequence,
        usage=from_anthropic(reply.usage) if is_given(reply.usage) else None,
        service_tier=tier_in(bytes(reply.usage)),
    )


def failure_of(status: int, body: bytes) -> Failure:
    """Classify a reply that is not an answer: by the error's type, else by the status."""
    failure = replies.failure_of(status, body)
    error_class = _class_of(failure.code or "", failure.message)
    return failure._replace(error_class=error_class) if error_class else failure


class _Tool(Struct, gc=False):
    """A tool whose arguments are coming."""

    index: int
    input: str
    """The arguments of the block's start; they count where no piece of them follows."""
    has_pieces: bool = False


class AnthropicReader(EventReader):
    """Reads a stream of messages. The first usage is of the input alone: its output count stands for nothing yet."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._usage = AnthropicUsage()
        self._service_tier = ""
        self._tools = 0
        self._open: dict[int, _Tool | None] = {}
        """Blocks by their index."""

    def read(self, events: bytes) -> list[Event]:
        said: list[Event] = []
        data = b""
        for line in events.splitlines():
            if line.startswith(b"data:"):
                data = data + b"\n" + line[5:] if data else line[5:]
            elif not line and data:
                self._take(data, said)
                data = b""
        if data:
            self._take(data, said)
        return said

    def _take(self, data: bytes, said: list[Event]) -> None:
        try:
            self._tell(_event(data), said)
        except UNREADABLE:
            return

    def _tell(self, event: shapes.StreamEvent, said: list[Event]) -> None:
        match event:
            case shapes.BlockDelta():
                self._go_on(event, said)
            case shapes.BlockStart():
                self._open_block(event, said)
            case shapes.BlockStop():
                self._close_block(event.index, said)
            case shapes.MessageStart():
                said.append(Begin(event.message.id, event.message.model))
                self._count(event.message.usage, said, is_first=True)
            case shapes.MessageDelta():
                self._count(event.usage, said)
                _finish(event.delta, said)
            case shapes.MessageStop():
                said.append(End())
            case shapes.Trouble(error=error):
                error_class = _class_of(error.type, error.message) or "upstream_error"
                said.append(Failed(error_class, error.type, error.message[:_MESSAGE_LIMIT]))
            case shapes.Ping():
                pass

    def _open_block(self, event: shapes.BlockStart, said: list[Event]) -> None:
        block = event.content_block
        self._open[event.index] = None
        match block:
            case shapes.TextBlock():
                if block.text:
                    said.append(TextDelta(block.text))
            case shapes.ThinkingBlock():
                if block.thinking or block.signature:
                    said.append(ThinkingDelta(block.thinking, block.signature))
            case shapes.RedactedThinkingBlock():
                said.append(ThinkingDelta(redacted=block.data))
            case shapes.ToolUseBlock():
                self._open[event.index] = _Tool(self._tools, _arguments(block.input))
                said.append(ToolBegin(self._tools, block.id, block.name))
                self._tools += 1

    def _go_on(self, event: shapes.BlockDelta, said: list[Event]) -> None:
        match event.delta:
            case shapes.TextPiece(text=text):
                said.append(TextDelta(text))
            case shapes.InputPiece(partial_json=json):
                tool = self._open.get(event.index)
                if tool is not None and json:
                    tool.has_pieces = True
                    said.append(ToolDelta(tool.index, json))
            case shapes.ThinkingPiece(thinking=text):
                said.append(ThinkingDelta(text))
            case shapes.SignaturePiece(signature=signature):
                said.append(ThinkingDelta(signature=signature))

    def _close_block(self, index: int, said: list[Event]) -> None:
        if index not in self._open:
            return
        tool = self._open.pop(index)
        if tool is not None and not tool.has_pieces:
            said.append(ToolDelta(tool.index, tool.input))
        said.append(PartEnd())

    def _count(self, raw: Raw, said: list[Event], *, is_first: bool = False) -> None:
        try:
            found = _usage(raw)
        except UNREADABLE:
            return
        if is_first:
            found.output_tokens = None
        self._usage = later_anthropic(self._usage, found)
        self._service_tier = tier_in(bytes(raw)) or self._service_tier
        usage = disjoint_anthropic(self._usage)
        if usage is not None:
            said.append(Used(usage, self._service_tier))


def _finish(delta: shapes.StopDelta, said: list[Event]) -> None:
    if delta.stop_reason is None:
        return
    if delta.stop_details and delta.stop_details.explanation:
        said.append(DeclinedDelta(delta.stop_details.explanation))
    said.append(Finish(_STOPS.get(delta.stop_reason, "end"), delta.stop_sequence))


def _part(block: shapes.Block) -> Part:
    match block:
        case shapes.TextBlock():
            return Text(block.text)
        case shapes.ThinkingBlock():
            return Thinking(block.thinking, block.signature)
        case shapes.RedactedThinkingBlock():
            return Thinking(redacted=block.data)
        case shapes.ToolUseBlock():
            return ToolUse(block.id, block.name, _arguments(block.input))


def _arguments(found: Raw) -> str:
    return bytes(found).decode() if is_given(found) else "{}"


def _class_of(error_type: str, message: str) -> ErrorClass | None:
    if error_type == "invalid_request_error":
        words = message.lower()
        for some, error_class in _CLASS_OF_WORDS:
            if some in words:
                return error_class
    return _CLASS_OF_TYPE.get(error_type)
