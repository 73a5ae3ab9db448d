"""Carries one attempt's reply from the upstream's connection to the client's, and sees how it ended.

A relay is the sink of one attempt. A plain reply is held until it is whole, because its headers name its cost. A
stream's events are read as they come; what the client gets of them is held until the relay commits, which is when the
client is given the beginning of an answer and no other attempt can take this one's place unseen.
"""

import zlib
from asyncio import Task
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from watchkeeper.gateway.snapshot import Timeouts
from watchkeeper.gateway.streams import StreamReader, end_of_last_event
from watchkeeper.gateway.wire.client import Flight, WireFault
from watchkeeper.gateway.wire.runs import Signal
from watchkeeper.gateway.wire.server import Exchange

End = Literal["whole", "fault", "cancelled", "expired", "overrun"]
"""How the upstream's part ended. whole: complete by framing. expired: past a deadline. overrun: past a size limit."""

REPLY_BYTES_MAX = 64 * 1024 * 1024
"""A longer plain reply, or a longer stream before its commitment, is refused: it is held in memory."""
EVENT_BYTES_MAX = 4 * 1024 * 1024
"""A longer single event of a stream is refused: it is held until its end is seen."""
KEPT_BYTES_MAX = 1024 * 1024
"""A longer stream is not kept for others."""
TERMINATOR_WAIT_S = 2.0
"""How long a stream that has named its finish reason may keep its terminator back."""
CHUNKS_TIMED_MAX = 20_000
"""Chunks whose arrival is noted; later ones are relayed all the same."""


class Relay(Struct, eq=False, kw_only=True):
    """The sink of one attempt; `ended` is set exactly once. A struct, because making one takes a third of the time."""

    ended: Signal
    exchange: Exchange
    now: Callable[[], float]
    call_started_at: float
    sent_at: float
    heard_at: float
    """When the upstream was last heard of; the sending counts as the first time."""
    record_limit: int
    reader: StreamReader | None
    """Understands the stream; None when the client asked for a plain reply."""
    begin: "Callable[[Relay], None]"
    """Sends the response's head when the relay commits."""
    commits_late: bool = False
    """Commits only when told to, not at the first content."""
    is_committed: bool = False
    """The client has the beginning of a stream; from the start where an earlier attempt gave it that."""
    timeouts: Timeouts
    ends_by: float = float("inf")
    """When the call's time is up."""
    limit: str = ""
    """The limit that the upstream has passed: `first_token`, `reply`, `idle` or `total`."""
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
    first_token_at: float = 0.0
    """When a stream brought content."""
    is_stream: bool = False
    """The upstream answers with a stream of events."""
    is_paused: bool = False
    body: list[bytes] = []
    body_bytes: int = 0
    held: list[bytes] = []
    """What the client gets when the relay commits."""
    sent_bytes_kept: list[bytes] | None = None
    """What the client got, where it may be kept for the next one who asks."""
    delivered_bytes: int = 0
    first_sent_at: float = 0.0
    chunk_offsets_us: list[int] = []
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
        if self.reader is not None and status == 200 and self.content_type.startswith(b"text/event-stream"):
            self.is_stream = True

    def on_data(self, data: bytes) -> None:
        """Keep a plain reply's bytes; pass a stream's whole events on."""
        self.body_bytes += len(data)
        self.heard_at = now = self.now()
        if self.body_bytes <= self.record_limit or not self.is_stream:
            self.body.append(data)
        if self.is_stream:
            if len(self.chunk_offsets_us) < CHUNKS_TIMED_MAX:
                self.chunk_offsets_us.append(int((now - self.call_started_at) * 1e6))
            self._relay(data)
        elif self.body_bytes > REPLY_BYTES_MAX:
            self._stop("overrun")

    def on_end(self) -> None:
        """Complete by framing; whether the answer is complete is the pipeline's question."""
        if self.is_stream and self.tail:
            self._read(self.tail)
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
        """The client has gone: stop the upstream at once.

        One that has the terminator has all that it asked for; one that was told of an error has left because of it.
        """
        reader = self.reader
        is_over = self.is_committed and reader is not None and (reader.is_done or reader.failure is not None)
        self._stop("whole" if is_over else "cancelled")

    def expire(self, limit: str) -> None:
        """A deadline has passed; a stream that has said all but its terminator is whole all the same."""
        if limit == "end":
            self._stop("whole")
        else:
            self.limit = limit
            self._stop("expired")

    def commit(self) -> None:
        """Give the client what is held, and from now on everything at once."""
        if not self.is_committed:
            self.is_committed = True
            self.begin(self)
        held, self.held = self.held, []
        for events in held:
            self._send(events)

    def rest(self) -> bytes:
        """Return what the client of a complete stream still lacks: all of it, where the relay has not committed."""
        held, self.held = b"".join(self.held), []
        return held + self.reader.end() if self.reader is not None else held

    def overdue(self, now: float) -> str:
        """Return the limit that has been passed; empty when none has."""
        if now > self.ends_by:
            return "total"
        if self.is_paused:
            return ""
        silent_s = now - self.heard_at
        reader = self.reader
        if self.is_stream and reader is not None:
            if reader.is_finished and silent_s > TERMINATOR_WAIT_S:
                return "end"
            if not self.first_token_at:
                return "first_token" if now - self.sent_at > self.timeouts.first_token_s else ""
        elif reader is not None and now - self.sent_at > self.timeouts.first_token_s:
            return "first_token"
        elif not self.body_bytes:
            return "reply" if now - self.sent_at > self.timeouts.reply_s else ""
        return "idle" if silent_s > self.timeouts.idle_s else ""

    def let_go(self) -> None:
        """Drop what refers back to this relay: a call's memory is free at once and not at the next collection."""
        self.departure = None
        self.flight = None
        self.begin = _begin_nothing

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
            cut = end_of_last_event(data)
            self.tail = data[cut:]
            data = data[:cut]
            if len(self.tail) > EVENT_BYTES_MAX:
                self._stop("overrun")
        if data:
            self._read(data)

    def _read(self, events: bytes) -> None:
        reader = self.reader
        assert reader is not None
        given = reader.feed(events)
        if not self.first_token_at and reader.has_content:
            self.first_token_at = self.heard_at
            if not (self.is_committed or self.commits_late):
                self.commit()
        if not given:
            return
        if self.is_committed:
            self._send(given)
        else:
            self.held.append(given)
            if self.body_bytes > REPLY_BYTES_MAX:
                self._stop("overrun")

    def _send(self, events: bytes) -> None:
        if not self.delivered_bytes:
            self.first_sent_at = self.now()
        self.delivered_bytes += len(events)
        if self.sent_bytes_kept is not None:
            self.sent_bytes_kept.append(events)
            if self.delivered_bytes > KEPT_BYTES_MAX:
                self.sent_bytes_kept = None
        self.exchange.write(events)

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


def _begin_nothing(_relay: Relay) -> None:
    """What has been let go begins nothing."""
