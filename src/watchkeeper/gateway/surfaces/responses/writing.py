"""Writes neutral replies and streams as the Responses API has them."""

from typing import assert_never

import msgspec

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    Completion,
    Declined,
    DeclinedDelta,
    End,
    Event,
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
from watchkeeper.gateway.surfaces.responses import shapes
from watchkeeper.gateway.surfaces.responses.opened import Lines, OpenCall, OpenItem, OpenMessage, OpenReasoning
from watchkeeper.gateway.surfaces.responses.shapes import Envelope, Json, Status, echo_of

_NOTHING = ThinkingDelta()

_encode = msgspec.json.Encoder().encode


def reply_body(completion: Completion, *, reply_id: str, created_s: int, request: bytes = b"") -> bytes:
    """Write a complete reply; of the client's request body, the response repeats the settings.

    Raises:
        CannotCarry: the reply has a part that this API has no item for.
    """
    envelope = Envelope(reply_id, created_s, echo_of(request))
    has_declined = any(isinstance(part, Declined) for part in completion.parts)
    reason = shapes.ending(completion.stop, has_declined=has_declined)
    status: Status = "incomplete" if reason else "completed"
    output = _output(completion.parts, envelope)
    if output and "status" in output[-1]:
        output[-1]["status"] = status
    return _encode(envelope.response(completion.model, output, status=status, reason=reason, usage=completion.usage))


def error_event(message: str, code: str, *, sequence_number: int = 0) -> bytes:
    """Write the event that says that a stream has failed.

    Its fields stand in the event, as the API describes it, and in its `error`, which makes the official clients raise.
    """
    error = {"type": "server_error", "code": code, "message": message, "param": None}
    data = {"type": "error", "sequence_number": sequence_number, "code": code, "message": message, "param": None}
    return b"event: error\ndata: %b\n\n" % _encode(data | {"error": error})


class ResponsesWriter:
    """Writes one stream. Several tools may be open at once, as some upstreams mix their pieces; all else ends in turn.

    What a `PartEnd` ends is closed when the next thing is said: until then the model may be found to have been cut.
    """

    def __init__(self, *, reply_id: str, created_s: int, request: bytes = b"") -> None:
        """Take the response's name and time, and the client's request body, whose settings the response repeats."""
        self._envelope = Envelope(reply_id, created_s, echo_of(request))
        self._lines = Lines()
        self._model: str | None = None
        self._output: dict[int, Json] = {}
        self._items_begun = 0
        self._said: OpenMessage | OpenReasoning | None = None
        self._calls: dict[int, OpenCall] = {}
        self._latest: OpenItem | None = None
        self._is_part_over = False
        self._has_declined = False
        self._usage: Usage | None = None
        self._stop: Stop | None = None

    def write(self, events: list[Event]) -> bytes:
        """Write events; those that only the end can tell (usage, why the model stopped) are kept for it.

        A `ToolDelta` must follow its `ToolBegin`.
        """
        for event in events:
            match event:
                case TextDelta(text=text):
                    self._say(text, is_refusal=False)
                case ThinkingDelta():
                    self._think(event)
                case ToolDelta(index=index, json=json):
                    self._add_to_call(index, json)
                case ToolBegin():
                    self._call(event)
                case PartEnd():
                    self._is_part_over = True
                case DeclinedDelta(text=text):
                    self._has_declined = True
                    self._say(text, is_refusal=True)
                case Used(usage=usage):
                    self._usage = usage
                case Begin(model=model):
                    self._begin(model)
                case Finish(stop=stop):
                    self._finish(stop)
                case Failed() | End():
                    pass
                case _:
                    assert_never(event)
        return self._lines.take()

    def end(self) -> bytes:
        """Close a complete stream: with `response.completed`, or with `response.incomplete` where it was cut."""
        self._begin("")
        self._close_all()
        reason = shapes.ending(self._stop, has_declined=self._has_declined)
        status = "incomplete" if reason else "completed"
        response = self._response(status, reason)
        self._lines.add(f"response.{status}", response=response)
        return self._lines.take()

    def failure(self, message: str, code: str) -> bytes:
        """Close a stream that has failed: the response with what of it is whole, then the error."""
        self._begin("")
        response = self._response("failed") | {"error": shapes.error_object(message, code)}
        self._lines.add("response.failed", response=response)
        self._lines.put(error_event(message, code, sequence_number=self._lines.number()))
        return self._lines.take()

    def _begin(self, model: str) -> None:
        if self._model is None:
            self._model = model
            response = self._envelope.response(model, [], status="in_progress")
            self._lines.add("response.created", response=response)
            self._lines.add("response.in_progress", response=response)

    def _say(self, text: str, *, is_refusal: bool) -> None:
        if text:
            self._turn_to(OpenMessage)
            if not isinstance(self._said, OpenMessage):
                self._said = OpenMessage(self._lines, *self._next("msg"))
            self._latest = self._said
            self._said.say(text, is_refusal=is_refusal)

    def _think(self, delta: ThinkingDelta) -> None:
        if delta == _NOTHING:
            return
        self._turn_to(OpenReasoning)
        if isinstance(self._said, OpenReasoning) and (self._said.is_sealed or delta.redacted):
            self._close_said()
        if not isinstance(self._said, OpenReasoning):
            self._said = OpenReasoning(self._lines, *self._next("rs"))
        self._latest = self._said
        if delta.text:
            self._said.think(delta.text)
        self._said.signature = delta.signature
        self._said.redacted = delta.redacted

    def _call(self, event: ToolBegin) -> None:
        self._turn_to(OpenCall)
        call = OpenCall(self._lines, *self._next("fc"), call_id=event.id, name=event.name)
        self._latest = self._calls[event.index] = call

    def _add_to_call(self, index: int, json: str) -> None:
        if json:
            if self._is_part_over:
                self._turn_to(OpenCall)
            self._latest = call = self._calls[index]
            call.more(json)

    def _turn_to(self, kind: type[OpenItem]) -> None:
        """End what a `PartEnd` has ended, and what of another kind was being said."""
        self._begin("")
        if self._is_part_over:
            self._is_part_over = False
            latest = self._latest
            if latest is not None and latest.index not in self._output and latest.end_part():
                self._close(latest, "completed")
        if self._said is not None and not isinstance(self._said, kind):
            self._close_said()

    def _close_said(self) -> None:
        if self._said is not None:
            self._close(self._said, "completed")

    def _close(self, item: OpenItem, status: Status) -> None:
        self._output[item.index] = item.close(status)
        if item is self._said:
            self._said = None
        else:
            self._calls = {index: call for index, call in self._calls.items() if call is not item}

    def _finish(self, stop: Stop) -> None:
        self._begin("")
        self._stop = stop
        self._close_all()

    def _close_all(self) -> None:
        is_cut = bool(shapes.ending(self._stop, has_declined=self._has_declined))
        left: list[OpenItem] = [*self._calls.values()]  # in their order; what is being said began after them
        if self._said is not None:
            left.append(self._said)
        for item in left:
            self._close(item, "incomplete" if is_cut and item is self._latest else "completed")

    def _next(self, prefix: str) -> tuple[str, int]:
        index = self._items_begun
        self._items_begun = index + 1
        return self._envelope.item_id(prefix, index), index

    def _response(self, status: str, reason: str = "") -> Json:
        output = [self._output[index] for index in sorted(self._output)]
        return self._envelope.response(self._model or "", output, status=status, reason=reason, usage=self._usage)


def _output(parts: tuple[Part, ...], envelope: Envelope) -> list[Json]:
    """Write the items of a complete reply; text and refusals that follow each other are one message."""
    output: list[Json] = []
    for part in parts:
        index = len(output)
        match part:
            case Text(text="") | Thinking(text="", signature="", redacted=""):
                pass
            case Text() | Declined():
                if not output or output[-1]["type"] != "message":
                    output.append(shapes.message_item(envelope.item_id("msg", index), [], "completed"))
                output[-1]["content"].append(shapes.content_part(part))
            case ToolUse():
                output.append(shapes.call_item(envelope.item_id("fc", index), part, "completed"))
            case Thinking():
                output.append(shapes.reasoning_item(envelope.item_id("rs", index), part))
            case _:
                raise CannotCarry(f"output[{index}]", "a response has no item for it")
    return output
