"""One connection to an upstream, and the request that is under way on it."""

from __future__ import annotations

from asyncio import Protocol as TransportProtocol
from asyncio import Transport
from typing import TYPE_CHECKING, Literal, Protocol, cast

import httptools

from watchkeeper.gateway.wire.faults import BodyCut, ConnectionLost, MalformedResponse, WireFault
from watchkeeper.gateway.wire.heads import BODILESS

if TYPE_CHECKING:
    from watchkeeper.gateway.wire.client import Lane

Phase = Literal["idle", "sent", "head", "body", "done"]
"""How much of the response has come. sent: nothing of it; head, body: a part of that; done: all."""

_JOINED_BYTES_MAX = 64 * 1024
"""Up to here, head and body are copied into one buffer; a longer body is handed over as it is."""


class Sink(Protocol):
    """Receives one response. Called from the connection's own callbacks: it must not block and must not raise."""

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The final response's head has come; names are lower case."""

    def on_data(self, data: bytes) -> None:
        """Body bytes have come, with chunked coding taken off: everything that one read brought."""

    def on_end(self) -> None:
        """The response is complete by its framing."""

    def on_fault(self, fault: WireFault) -> None:
        """The response will not be complete. Exactly one of `on_end` and `on_fault` is called, once."""


class Flight:
    """One request on its way, and its response on its way back."""

    __slots__ = (
        "body", "connect_ms", "connect_timeout_s", "connection", "head", "is_on_used_connection", "sent_at", "sink",
    )  # fmt: skip

    def __init__(self, head: bytes, body: bytes, sink: Sink, connect_timeout_s: float) -> None:
        self.connect_timeout_s = connect_timeout_s
        self.is_on_used_connection = False
        self.head = head
        self.body = body
        self.sink: Sink | None = sink
        self.connection: Upstream | None = None
        self.connect_ms: float | None = None
        """Time to open the connection, name lookup and TLS included; None when a pooled one was used."""
        self.sent_at = 0.0

    def pause(self) -> None:
        """Stop reading the response; what the upstream sends stays in the network."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.connection is not None:
            self.connection.resume()

    def cancel(self) -> None:
        """Close the connection at once; the sink is not called again."""
        self.sink = None
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()


class Upstream(TransportProtocol):
    """One connection to an upstream; carries one request at a time."""

    __slots__ = (
        "_clock",
        "_data",
        "_ends_with_connection",
        "_fields",
        "_flight",
        "_framing_bytes",
        "_has_carried",
        "_headers",
        "_is_paused",
        "_keeps_alive",
        "_lane",
        "_parser",
        "_phase",
        "_status",
        "_transport",
        "idle_since",
    )  # fmt: skip

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._clock = lane.clock
        self._transport: Transport
        self._parser = httptools.HttpResponseParser(self)
        self._flight: Flight | None = None
        self._phase: Phase = "idle"
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._data: list[bytes] = []
        self._status = 0
        self._framing_bytes = 0
        """Of the present reply, in reads that brought nothing of its body."""
        self._keeps_alive = True
        self._ends_with_connection = False
        self._has_carried = False
        self._is_paused = False
        self.idle_since = 0.0

    # what the pool and the flight call

    def carry(self, flight: Flight) -> None:
        """Send a request, head and body in one write, and give its response to its sink."""
        self._flight = flight
        flight.connection = self
        flight.is_on_used_connection = self._has_carried
        flight.sent_at = self._clock()
        self._has_carried = True
        self._framing_bytes = 0
        self._phase = "sent"
        if len(flight.body) <= _JOINED_BYTES_MAX:
            self._transport.write(flight.head + flight.body)
        else:
            self._transport.writelines([flight.head, flight.body])

    def pause(self) -> None:
        """Stop reading."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._is_paused = False
        self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once, without telling anybody."""
        self._flight = None
        self._phase = "idle"
        self._transport.abort()

    def close(self) -> None:
        """Close between requests."""
        self._transport.close()

    def drop(self) -> None:
        """Close at once; a request under way ends in a fault."""
        self._transport.abort()

    # what the transport calls

    def connection_made(self, transport: object) -> None:
        self._transport = cast(Transport, transport)
        self._lane.connections.add(self)

    def data_received(self, data: bytes) -> None:
        flight, phase = self._flight, self._phase
        if flight is None or flight.sink is None:
            self._lane.withdraw(self)  # nobody asked for anything: what is on this connection cannot be trusted
            self.abort()
            return
        if phase == "sent":
            self._phase = phase = "head"
        problem: httptools.HttpParserError | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            problem = error
            self._keeps_alive = False
        sink = flight.sink
        if phase == "head" and self._phase != "head":
            sink.on_head(self._status, self._headers)
        if self._data:
            parts, self._data = self._data, []
            if flight.connection is self:  # else the sink has cancelled
                sink.on_data(parts[0] if len(parts) == 1 else b"".join(parts))
        else:
            self._framing_bytes += len(data)
        if flight.connection is not self:
            return
        if self._phase == "done":
            self._land(sink)
        elif problem is not None:
            self._fail(_malformed(problem))
        elif self._framing_bytes > self._lane.limits.head_bytes_max:
            self._fail(MalformedResponse("The reply's head, or its chunk extensions and trailers, are too long."))

    def eof_received(self) -> bool:
        if self._phase == "idle":
            self._lane.withdraw(self)
        self._transport.abort()  # a plain close would first wait for the rest of a request that nobody reads
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lane.forget(self)
        flight, self._flight = self._flight, None
        if flight is None or flight.sink is None:
            return
        flight.connection = None
        if self._phase == "body":
            if self._ends_with_connection and error is None:
                flight.sink.on_end()
            else:
                flight.sink.on_fault(
                    BodyCut(f"The upstream's connection ended in the middle of the reply{_why(error)}.")
                )
        elif self._phase == "sent" and self._may_resend(flight):
            self._lane.resend(flight)
        else:
            where = "in the middle of the reply's head" if self._phase == "head" else "before any reply came"
            flight.sink.on_fault(ConnectionLost(f"The upstream's connection ended {where}{_why(error)}."))

    # what the parser calls

    def on_message_begin(self) -> None:
        if self._phase == "done":
            raise MalformedResponse("There is more on the connection than the reply.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        fields, self._fields = self._fields, []
        if len(fields) > self._lane.limits.headers_max:
            raise MalformedResponse(f"The reply has more than {self._lane.limits.headers_max} header fields.")
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise MalformedResponse("The upstream switched protocols, which nobody asked it to do.")
            return
        self._status = status
        self._headers = fields
        self._phase = "body"
        self._keeps_alive = self._parser.should_keep_alive()
        self._ends_with_connection = not _states_length(fields) and status not in BODILESS
        flight = self._flight
        if flight is not None and flight.head.startswith(b"HEAD "):
            self._phase = "done"
            self._keeps_alive = False  # the parser expects a body that will not come

    def on_body(self, part: bytes) -> None:
        self._data.append(part)

    def on_message_complete(self) -> None:
        if self._phase == "body":
            self._phase = "done"

    def _land(self, sink: Sink) -> None:
        flight = cast(Flight, self._flight)
        self._flight = flight.connection = None
        self._phase = "idle"
        if self._is_paused:
            self.resume()
        if self._keeps_alive and not (len(flight.body) > _JOINED_BYTES_MAX and self._transport.get_write_buffer_size()):
            self._lane.park(self)
        else:
            self._transport.abort()
        sink.on_end()

    def _fail(self, fault: WireFault) -> None:
        flight = cast(Flight, self._flight)
        sink = flight.sink
        flight.connection = None
        self.abort()
        if sink is not None:
            sink.on_fault(fault)

    def _may_resend(self, flight: Flight) -> bool:
        return flight.is_on_used_connection and self._clock() - flight.sent_at <= self._lane.limits.resend_within_s


def _states_length(fields: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether a response's head says where its body ends; otherwise only the connection's end does."""
    for name, value in fields:
        if name == b"content-length":
            return True
        if name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise MalformedResponse(f"The reply is in the transfer coding {value[:80].decode('latin-1')}.")
            return True
    return False


def _malformed(error: httptools.HttpParserError) -> MalformedResponse:
    cause = error.__context__
    if isinstance(cause, MalformedResponse):
        return cause
    return MalformedResponse(f"The upstream's reply is not well-formed HTTP/1.1: {error}.")


def _why(error: Exception | None) -> str:
    return f" ({error})" if error is not None else ""
