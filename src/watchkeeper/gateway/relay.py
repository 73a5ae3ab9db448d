"""Carries one attempt's reply from the upstream's connection to the client's, and sees how it ended.

A relay is the sink of one attempt. A plain reply is held until it is whole, because its headers name its cost; a
stream's events are passed on as they come. Only events that carry usage or an error are decoded.
"""

import re
import zlib
from asyncio import Task
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from watchkeeper.gateway.decoding import UNREADABLE, is_given
from watchkeeper.gateway.dialects.openai import replies as openai
from watchkeeper.gateway.wire.client import Flight, WireFault
from watchkeeper.gateway.wire.runs import Signal
from watchkeeper.gateway.wire.server import Exchange

End = Literal["whole", "fault", "cancelled", "expired", "overrun"]
"""How the upstream's part ended. whole: complete by framing. expired: past a deadline. overrun: past a size limit."""

REPLY_BYTES_MAX = 64 * 1024 * 1024
"""A longer plain reply is refused: it is held in memory."""
EVENT_BYTES_MAX = 4 * 1024 * 1024
"""A longer single event of a stream is refused: it is held until its end is seen."""
CHUNKS_TIMED_MAX = 20_000
"""Chunks whose arrival is noted; later ones are relayed all the same."""

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ERROR = re.compile(rb'"error"\s*:\s*[{"]')
_EVENT_END = re.compile(rb"\r?\n\r?\n")


class Relay(Struct, eq=False, kw_only=True):
    """The sink of one attempt; `ended` is set exactly once. A struct, because making one takes a third of the time."""

    ended: Signal
    exchange: Exchange
    now: Callable[[], float]
    call_started_at: float
    sent_at: float
    heard_at: float
    """When the upstream was last heard of; the sending counts as the first time."""
    keeps_usage: bool
    """The client asked for the usage chunk."""
    record_limit: int
    begin_stream: "Callable[[Relay], None] | None"
    """Sends the response's head; None when the client asked for a plain reply."""
    departure: "Task[Flight] | None" = None
    """Waits for a connection and sends the request, where that takes time."""
    flight: Flight | None = None
    was_sent: bool = False
    end: End = "whole"
    fault: WireFault | None = None
    status: int = 0
    headers: list[tuple[bytes, bytes]] = []
    fields: dict[bytes, bytes] = {}
    """The headers by name; of a repeated one the last."""
    content_type: bytes = b""
    first_byte_at: float = 0.0
    is_streaming: bool = False
    is_paused: bool = False
    body: list[bytes] = []
    body_bytes: int = 0
    delivered_bytes: int = 0
    first_sent_at: float = 0.0
    chunk_offsets_us: list[int] = []
    usage: bytes = b""
    model: str = ""
    saw_done: bool = False
    stream_error: bytes = b""
    tail: bytes = b""
    """The beginning of an event whose end has not come."""

    # what the upstream's connection calls

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Note the head; a stream's events may begin."""
        self.status = status
        self.headers = headers
        self.fields = fields = dict(headers)
        self.content_type = fields.get(b"content-type", b"")
        self.first_byte_at = self.heard_at = self.now()
        if self.begin_stream is not None and status == 200 and self.content_type.startswith(b"text/event-stream"):
            self.is_streaming = True
            self.begin_stream(self)

    def on_data(self, data: bytes) -> None:
        """Keep a plain reply's bytes; pass a stream's whole events on."""
        self.body_bytes += len(data)
        self.heard_at = now = self.now()
        if self.body_bytes <= self.record_limit or not self.is_streaming:
            self.body.append(data)
        if self.is_streaming:
            if len(self.chunk_offsets_us) < CHUNKS_TIMED_MAX:
                self.chunk_offsets_us.append(int((now - self.call_started_at) * 1e6))
            self._relay(data)
        elif self.body_bytes > REPLY_BYTES_MAX:
            self._stop("overrun")

    def on_end(self) -> None:
        """Complete by framing; whether the answer is complete is the pipeline's question."""
        if self.is_streaming and self.tail:
            self._deliver(self.tail)
            self.tail = b""
        self._finish("whole")

    def on_fault(self, fault: WireFault) -> None:
        """The connection failed."""
        self.fault = fault
        self._finish("fault")

    # what the pipeline and the client's connection call

    def take_off(self, flight: Flight) -> None:
        """The request is on its way; when the end came before that, it is called back."""
        self.flight = flight
        self.was_sent = True
        if self.ended.is_set:
            flight.cancel()

    def cancel(self) -> None:
        """The client has gone: stop the upstream at once. One that has been given [DONE] has all that it asked for."""
        self._stop("whole" if self.saw_done else "cancelled")

    def expire(self) -> None:
        """The deadline has passed."""
        self._stop("expired")

    def let_go(self) -> None:
        """Drop what refers back to this relay: a call's memory is free at once and not at the next collection."""
        self.departure = None
        self.flight = None
        self.begin_stream = None

    def pause(self) -> None:
        """The client reads too slowly: stop reading from the upstream."""
        self.is_paused = True
        if self.flight is not None:
            self.flight.pause()

    def resume(self) -> None:
        """The client has caught up."""
        self.is_paused = False
        self.heard_at = self.now()
        if self.flight is not None:
            self.flight.resume()

    def whole_body(self) -> bytes:
        """Return what was kept of the body, as the upstream meant it: decompressed when it was compressed.

        Raises:
            zlib.error: it says that it is compressed and is not.
        """
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        if self.fields.get(b"content-encoding") in (b"gzip", b"deflate", b"x-gzip"):
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, REPLY_BYTES_MAX)
        return body

    def _relay(self, data: bytes) -> None:
        if self.tail:
            data = self.tail + data
            self.tail = b""
        if not data.endswith(b"\n\n"):
            cut = _end_of_last_event(data)
            self.tail = data[cut:]
            data = data[:cut]
            if len(self.tail) > EVENT_BYTES_MAX:
                self._stop("overrun")
        if data:
            self._deliver(data)

    def _deliver(self, events: bytes) -> None:
        if b'"usage"' in events or b'"error"' in events:
            events = self._inspect(events)
        if not self.saw_done and b"[DONE]" in events:
            self.saw_done = openai.is_done(events)
        if events:
            if not self.delivered_bytes:
                self.first_sent_at = self.now()
            self.delivered_bytes += len(events)
            self.exchange.write(events)

    def _inspect(self, events: bytes) -> bytes:
        """Read usage and errors out of whole events; return them without the usage chunk nobody asked for."""
        if not _USAGE.search(events) and not _ERROR.search(events):
            return events
        kept: list[bytes] = []
        start = 0
        while start < len(events):
            match = _EVENT_END.search(events, start)
            stop = match.end() if match else len(events)
            event = events[start:stop]
            start = stop
            if self._must_keep(event):
                kept.append(event)
        return b"".join(kept)

    def _must_keep(self, event: bytes) -> bool:
        if b'"usage"' not in event and b'"error"' not in event:
            return True
        data = b"".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
        try:
            chunk = openai.chunk_of(data)
        except UNREADABLE:
            return True
        if chunk.model:
            self.model = chunk.model
        if is_given(chunk.error):
            self.stream_error = data
        if not is_given(chunk.usage):
            return True
        self.usage = bytes(chunk.usage)
        return self.keeps_usage or bool(chunk.choices) or chunk.choices is None

    def _stop(self, end: End) -> None:
        if not self.ended.is_set:
            if self.flight is not None:
                self.flight.cancel()
            elif self.departure is not None:
                self.departure.cancel()
            self._finish(end)  # last: whoever waits goes on within it and lets go of the rest

    def _finish(self, end: End) -> None:
        if not self.ended.is_set:
            self.end = end
            self.ended.set()


def _end_of_last_event(data: bytes) -> int:
    """Return the offset behind the last blank line, 0 when there is none; lines end in LF or CRLF."""
    bare, full = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(bare + 2 if bare >= 0 else 0, full + 4 if full >= 0 else 0)
