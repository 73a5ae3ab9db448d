"""A chat reply and its stream, read as a completion and events."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, is_given
from watchkeeper.gateway.dialects.openai.replies import failure_of
from watchkeeper.gateway.neutral import (
    Begin,
    Completion,
    Declined,
    DeclinedDelta,
    End,
    Event,
    Failed,
    Finish,
    Part,
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
from watchkeeper.money.tiers import tier_of
from watchkeeper.money.usage import from_openai

STOPS: dict[str, Stop] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "filtered",
    # Other servers' words for an answer that is not whole.
    "model_length": "length",
    "insufficient_system_resource": "length",
    "abort": "length",
    "error": "length",
}
"""What OpenAI's dialect calls a finish reason; any other word is an ordinary end."""


class Piece(Struct, gc=False):
    """A part of `content` where a server gives it as a list."""

    type: str = "text"
    text: str | None = None
    thinking: "list[Piece] | None" = None


class FunctionView(Struct, gc=False):
    """The function of a call, or what is new of it."""

    name: str | None = None
    arguments: str | None = None


class CallView(Struct, gc=False):
    """A call of a tool, or what is new of it."""

    index: int | None = None
    id: str | None = None
    function: FunctionView | None = None


class MessageView(Struct, gc=False):
    """A message, or what is new of it."""

    content: str | list[Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallView] | None = None


class ChoiceView(Struct, gc=False):
    """A choice of a complete reply."""

    message: MessageView
    index: int | None = 0
    finish_reason: str | None = None


class ReplyView(Struct, gc=False):
    """A complete reply."""

    choices: list[ChoiceView]
    id: str | None = None
    model: str | None = None
    usage: Raw = ABSENT
    service_tier: Raw = ABSENT


class DeltaView(Struct, gc=False):
    """A choice of a chunk."""

    delta: MessageView | None = None
    index: int | None = 0
    finish_reason: str | None = None


class ChunkView(Struct, gc=False):
    """A chunk of a stream."""

    choices: list[DeltaView] | None = None
    id: str | None = None
    model: str | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    service_tier: Raw = ABSENT


_reply = msgspec.json.Decoder(ReplyView).decode
_chunk = msgspec.json.Decoder(ChunkView).decode


def completion_of(body: bytes) -> Completion:
    """Read the first choice of a complete reply; usage is None when it is missing or cannot be read.

    Arguments of tools are given as the model wrote them, which may be cut short with the answer.

    Raises:
        any of `UNREADABLE`: it is not JSON, or not a reply with a choice.
    """
    reply = _reply(body)
    if not reply.choices:
        raise msgspec.ValidationError("Object contains no choices - at `$.choices`")
    choice, message = reply.choices[0], reply.choices[0].message
    words, thoughts = _content(message)
    parts: list[Part] = []
    if thoughts:
        parts.append(Thinking(thoughts))
    if words:
        parts.append(Text(words))
    if message.refusal:
        parts.append(Declined(message.refusal))
    for number, call in enumerate(message.tool_calls or ()):
        function = call.function or FunctionView()
        tool_id = call.id or _made_up_id(reply.id, number)
        parts.append(ToolUse(tool_id, function.name or "", function.arguments or "{}"))
    return Completion(
        id=reply.id or "",
        model=reply.model or "",
        parts=tuple(parts),
        stop=_stop(choice.finish_reason or "stop", bool(message.tool_calls), bool(message.refusal)),
        usage=from_openai(reply.usage) if is_given(reply.usage) else None,
        service_tier=tier_of(reply.service_tier),
    )


class OpenAIReader:
    """Reads the first choice of a stream's chunks.

    A tool begins where an index is new, or where a name comes with another id: some servers number all tools alike, or
    none.
    """

    def __init__(self) -> None:
        self._id = ""
        self._has_begun = False
        self._has_refused = False
        self._has_finished = False
        self._tools: dict[int, tuple[int, str]] = {}
        """The upstream's index, to ours and the tool's id."""
        self._tool_count = 0

    def read(self, events: bytes) -> list[Event]:
        """Read whole server-sent events; what cannot be read is skipped."""
        found: list[Event] = []
        data: bytes | None = None
        for line in events.splitlines():
            if line.startswith(b"data:"):
                data = line[5:] if data is None else data + b"\n" + line[5:]
            elif not line and data is not None:
                self._read_event(data, found)
                data = None
        if data is not None:
            self._read_event(data, found)
        return found

    def _read_event(self, data: bytes, found: list[Event]) -> None:
        try:
            chunk = _chunk(data)
        except UNREADABLE:
            if data.strip() == b"[DONE]":
                found.append(End())
            return
        if is_given(chunk.error):
            failure = failure_of(200, data)
            found.append(Failed(failure.error_class, failure.code or "", failure.message))
            return
        if not self._has_begun and (chunk.choices or chunk.id):
            self._has_begun = True
            self._id = chunk.id or ""
            found.append(Begin(self._id, chunk.model or ""))
        usage = from_openai(chunk.usage) if is_given(chunk.usage) else None
        if usage is not None:
            found.append(Used(usage, tier_of(chunk.service_tier)))
        for choice in chunk.choices or ():
            if not choice.index:
                self._read_choice(choice, found)

    def _read_choice(self, choice: DeltaView, found: list[Event]) -> None:
        delta = choice.delta
        if delta is not None:
            words, thoughts = _content(delta)
            if thoughts:
                found.append(ThinkingDelta(thoughts))
            if words:
                found.append(TextDelta(words))
            if delta.refusal:
                self._has_refused = True
                found.append(DeclinedDelta(delta.refusal))
            for call in delta.tool_calls or ():
                self._read_call(call, found)
        if choice.finish_reason and not self._has_finished:
            self._has_finished = True
            found.append(Finish(_stop(choice.finish_reason, self._tool_count > 0, self._has_refused)))

    def _read_call(self, call: CallView, found: list[Event]) -> None:
        function = call.function or FunctionView()
        theirs = call.index
        if theirs is None:
            theirs = self._tool_count if call.id or function.name else self._tool_count - 1
        known = self._tools.get(theirs)
        if known is None or (function.name and call.id and call.id != known[1]):
            tool_id = call.id or _made_up_id(self._id, self._tool_count)
            known = (self._tool_count, tool_id)
            self._tools[theirs] = known
            self._tool_count += 1
            found.append(ToolBegin(known[0], tool_id, function.name or ""))
        if function.arguments:
            found.append(ToolDelta(known[0], function.arguments))


def _content(message: MessageView) -> tuple[str, str]:
    """What is said and what is thought."""
    thoughts = message.reasoning_content or message.reasoning or ""
    content = message.content
    if not isinstance(content, list):
        return content or "", thoughts
    words = "".join([piece.text or "" for piece in content if piece.type == "text"])
    inner = [piece.text or "" for outer in content for piece in outer.thinking or ()]
    return words, thoughts + "".join(inner)


def _stop(reason: str, has_tools: bool, has_refused: bool) -> Stop:
    """Servers say `stop` for a forced tool too, and OpenAI for a refusal."""
    stop = STOPS.get(reason, "end")
    if stop != "end":
        return stop
    if has_tools:
        return "tool_use"
    return "declined" if has_refused else "end"


def _made_up_id(reply_id: str | None, number: int) -> str:
    """An id for a tool call that a server gave none: the result is matched by it."""
    return f"call_{reply_id or 'unnamed'}_{number}"
