"""Server-sent events on their way from an upstream to a client."""

import re
from typing import Protocol

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    DeclinedDelta,
    End,
    Event,
    EventReader,
    EventWriter,
    Failed,
    Finish,
    TextDelta,
    ThinkingDelta,
    ToolBegin,
    Used,
)
from watchkeeper.gateway.outcome import Failure

_EVENT_END = re.compile(rb"\r?\n\r?\n")
_CONTENT = (TextDelta, ThinkingDelta, ToolBegin, DeclinedDelta)


class StreamReader(Protocol):
    """Understands one attempt's stream, and says what of it the client gets."""

    model: str
    usage: Usage | None
    usage_raw: bytes
    """The usage object as received (JSON)."""
    has_content: bool
    """The model has begun to answer."""
    is_finished: bool
    """The model has said why it stopped; nothing but usage and the terminator can follow."""
    is_done: bool
    """The terminator has come."""
    failure: Failure | None
    """The error that the upstream reported in its stream."""
    skipped: int
    """Events that could not be read and were left out."""
    service_tier: str
    """As in `core.call.Attempt`."""

    def feed(self, events: bytes) -> bytes:
        """Take whole events, blank lines included; return what the client gets of them."""
        ...

    def end(self) -> bytes:
        """Return what a complete stream lacks at its end."""
        ...


def split_events(events: bytes) -> list[bytes]:
    """Cut whole events apart, each with the blank line behind it; lines end in LF or CRLF."""
    parts: list[bytes] = []
    start = 0
    while start < len(events):
        match = _EVENT_END.search(events, start)
        stop = match.end() if match else len(events)
        parts.append(events[start:stop])
        start = stop
    return parts


def data_of(event: bytes) -> bytes:
    """Return an event's data; empty for a comment."""
    return b"\n".join([line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")])


def end_of_last_event(data: bytes) -> int:
    """Return the offset behind the last blank line, 0 when there is none; lines end in LF or CRLF."""
    bare, full = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(bare + 2 if bare >= 0 else 0, full + 4 if full >= 0 else 0)


class TranslatedStream:
    """A stream that the client's dialect writes otherwise than the upstream's."""

    def __init__(self, reader: EventReader, writer: EventWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_ended = False
        self.model = ""
        self.usage: Usage | None = None
        self.usage_raw = b""
        self.has_content = False
        self.is_finished = False
        self.is_done = False
        self.failure: Failure | None = None
        self.skipped = 0
        self.service_tier = ""
        self.text: list[str] = []
        """What has been said so far; whether something else than text was said is told by `is_only_text`."""
        self.is_only_text = True

    def feed(self, events: bytes) -> bytes:
        """Translate event by event, so that it does not matter which of them came together; see `StreamReader.feed`."""
        try:
            return b"".join([self._translated(self._reader.read(event)) for event in split_events(events)])
        except (CannotCarry, LookupError, ValueError) as problem:  # events that contradict each other
            message = f"The upstream's stream cannot be translated: {type(problem).__name__} {problem}."
            self.failure = Failure("malformed_reply", "untranslatable", message)
            return b""

    def end(self) -> bytes:
        """Close the client's stream; see `StreamReader.end`."""
        if self._is_ended:
            return b""
        self._is_ended = True
        return self._writer.end()

    def _translated(self, found: list[Event]) -> bytes:
        said: list[Event] = []
        for event in found:
            match event:
                case Begin():
                    self.model = event.model or self.model
                case Used():
                    self.usage = event.usage
                    self.service_tier = event.service_tier
                case Finish():
                    self.is_finished = True
                case End():
                    self.is_done = True
                    continue
                case Failed():
                    self.failure = Failure(event.error_class, event.code, event.message)
                    continue
                case TextDelta():
                    self.has_content = True
                    self.text.append(event.text)
                case _ if isinstance(event, _CONTENT):
                    self.has_content = True
                    self.is_only_text = False
                case _:
                    pass
            said.append(event)
        return self._writer.write(said) if said else b""
