"""A client's connection: requests are answered one at a time, in order; meanwhile the next ones wait."""

from __future__ import annotations

import fcntl
import socket
import struct
import sys
import termios
from asyncio import Future, Protocol, Transport
from math import inf
from typing import TYPE_CHECKING, cast

from watchkeeper.gateway.wire.exchange import Exchange
from watchkeeper.gateway.wire.heads import CLOSE, CONTINUE, JSON, STATUS_LINES
from watchkeeper.gateway.wire.reading import Phase, RequestReader
from watchkeeper.gateway.wire.rejections import Overloaded, Rejection, RequestTimeout

if TYPE_CHECKING:
    from watchkeeper.gateway.wire.server import Server


WRITE_HIGH_BYTES = 64 * 1024
"""With more than this waiting for a client, the exchange is told to pause,"""
WRITE_LOW_BYTES = 16 * 1024
"""and with less than this, to go on."""
EARLY_BYTES_MAX = 64 * 1024
"""Of the next requests, read while one is answered: the end of the connection is seen only behind them."""


class Connection(Protocol):
    """One client connection, from accept to close."""

    __slots__ = (
        "_clock", "_exchange", "_held_bytes", "_is_closing", "_is_write_paused", "_limits", "_mark", "_reader",
        "_timed_phase", "_transport", "_writable", "deadline", "peer", "server", "write", "writelines",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clock = server.clock
        self._limits = server.limits
        self._reader = RequestReader(server.limits)
        self._transport: Transport
        self._exchange: Exchange | None = None
        self._held_bytes = 0
        self._is_closing = False
        self._is_write_paused = False
        self._writable: Future[None] | None = None
        self._timed_phase: Phase = "idle"
        self._mark = 0
        self.deadline = inf
        """`time.monotonic()` after which the server calls `expire`."""
        self.peer = ""

    # what the transport calls

    def connection_made(self, transport: object) -> None:
        self._transport = cast(Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)  # uvloop's low is 16 bytes
        self.write = self._transport.write
        self.writelines = self._transport.writelines
        address = self._transport.get_extra_info("peername")
        self.peer = address[0] if isinstance(address, tuple) else ""
        self.deadline = self.server.now + self._limits.idle_s
        rejection = self.server.welcome(self)
        if rejection is not None:
            self._say(rejection)
            self._close()

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        reader = self._reader
        reader.feed(data, self._clock())
        if reader.held_bytes != self._held_bytes:
            self._account()
        if self._exchange is not None or self._is_write_paused:
            answered_bytes = len(self._exchange.request.body) if self._exchange is not None else 0
            if reader.held_bytes - answered_bytes > EARLY_BYTES_MAX:
                self._transport.pause_reading()
        elif reader.arrived:
            self._next()
        elif reader.phase in ("head", "body"):
            self._await_rest()

    def eof_received(self) -> bool:
        """Take a half-closed connection for a client that has gone: the answer under way is not finished."""
        if self._exchange is not None:
            self._transport.abort()
            self._lose()
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_closing = True
        self._lose()
        self._forget_bodies()
        self._reader.stop()
        self.server.forget(self)

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._mark = _untaken_bytes(self._transport)
        self.deadline = self.server.now + self._limits.write_stall_s
        if self._exchange is not None and self._exchange.on_pause is not None:
            self._exchange.on_pause()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._wake_writers()
        if self._exchange is None:
            if not self._is_closing:
                self._await_next()
            return
        self.deadline = inf
        if self._exchange.on_resume is not None:
            self._exchange.on_resume()

    # what the exchange calls

    def answered(self, *, keeps_alive: bool) -> None:
        """The present response is complete: read on, or close."""
        self._release()
        if not keeps_alive:
            self._close()
        elif not self._is_write_paused:
            self._await_next()

    def cut(self, *, must_reset: bool) -> None:
        """End in the middle of a response, behind what was written; by a reset where a close would look complete."""
        self._release()
        if must_reset:
            client = self._transport.get_extra_info("socket")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()

    def until_writable(self) -> Future[None] | None:
        """Return what to wait for before more is written; None when there is room."""
        if not self._is_write_paused:
            return None
        if self._writable is None:
            self._writable = self.server.loop.create_future()
        return self._writable

    # what the server calls

    @property
    def is_idle(self) -> bool:
        """Nothing is being received or answered."""
        return self._exchange is None and self._reader.phase == "idle" and not self._is_closing

    def close_idle(self) -> None:
        """Close between two requests."""
        self._close()

    def abort(self) -> None:
        """Cut now."""
        self._transport.abort()

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed."""
        limits = self._limits
        self.deadline = inf
        if self._is_closing or self._is_write_paused:
            self._expire_write(now)
        elif self._reader.phase == "head":
            self._reject(RequestTimeout(f"The request's head was not complete after {limits.head_s:g} seconds."))
        elif self._reader.phase == "body":
            self._expire_body(now)
        else:
            self._close()

    def _expire_write(self, now: float) -> None:
        """See whether the client still takes what was written before."""
        untaken_bytes = _untaken_bytes(self._transport)
        if 0 < untaken_bytes < self._mark:
            self._mark = untaken_bytes
            self.deadline = now + self._limits.write_stall_s
        else:
            self._transport.abort()

    def _expire_body(self, now: float) -> None:
        limits = self._limits
        body_bytes = self._reader.body_bytes
        if body_bytes - self._mark < limits.body_window_bytes_min:
            self._reject(
                RequestTimeout(
                    f"The body was not complete, and fewer than {limits.body_window_bytes_min} bytes of it came "
                    f"within {limits.body_window_s:g} seconds."
                )
            )
        else:
            self._mark = body_bytes
            self.deadline = now + limits.body_window_s

    # receiving

    def _next(self) -> None:
        """Answer what has arrived first."""
        arrived = self._reader.arrived.popleft()
        self._timed_phase = "idle"
        self.deadline = inf
        if isinstance(arrived, Rejection):
            self._refuse(arrived)
        elif arrived.body and self.server.buffered_bytes > self._limits.buffered_bytes_max:
            self._refuse(_full())
        else:
            self._exchange = exchange = Exchange(self, arrived)
            self.server.serve(exchange)

    def _await_next(self) -> None:
        """Go on with what has arrived meanwhile, or wait for the next request."""
        reader = self._reader
        if reader.unread and not reader.arrived:
            reader.read_on()
            self._account()
        if self._is_closing:
            return
        if reader.arrived:
            self.server.loop.call_soon(self._next_if_open)
            return
        self._transport.resume_reading()
        if reader.phase in ("head", "body"):
            self._await_rest()
        elif self.server.is_draining:
            self._close()
        else:
            self.deadline = self.server.now + self._limits.idle_s

    def _next_if_open(self) -> None:
        if not self._is_closing and self._exchange is None and self._reader.arrived:
            self._next()

    def _await_rest(self) -> None:
        """A part of a request has come: set the deadline of its phase, once."""
        reader = self._reader
        if reader.wants_continue:
            reader.wants_continue = False
            self.write(CONTINUE)
        if reader.phase != self._timed_phase:
            self._timed_phase = reader.phase
            self._mark = 0
            limits = self._limits
            self.deadline = self.server.now + (limits.head_s if reader.phase == "head" else limits.body_window_s)

    def _account(self) -> None:
        """Carry the change in body bytes held into the server's total."""
        server = self.server
        server.buffered_bytes += self._reader.held_bytes - self._held_bytes
        self._held_bytes = self._reader.held_bytes
        if server.buffered_bytes > self._limits.buffered_bytes_max and self._reader.phase == "body":
            self._reject(_full())

    def _reject(self, rejection: Rejection) -> None:
        reader = self._reader
        reader.fail(rejection)
        self._account()
        if self._exchange is None and len(reader.arrived) == 1:
            self._next()

    # ending

    def _release(self) -> None:
        exchange = cast(Exchange, self._exchange)
        body_bytes = len(exchange.request.body)
        self._exchange = None
        if body_bytes:
            self._reader.held_bytes -= body_bytes
            self._held_bytes -= body_bytes
            self.server.buffered_bytes -= body_bytes

    def _refuse(self, rejection: Rejection) -> None:
        """Answer a rejection, then listen a little longer: closing on bytes that are still coming would reset the
        connection, and the client would never see the answer."""
        self._say(rejection)
        self._is_closing = True
        self._forget_bodies()
        self._mark = 0
        self.deadline = self.server.now + self._limits.linger_s
        self._transport.resume_reading()
        self._transport.write_eof()

    def _say(self, rejection: Rejection) -> None:
        self.server.rejected[rejection.code] += 1
        body = rejection.body()
        head = STATUS_LINES[rejection.http_status] + JSON + CLOSE + self.server.date_line
        self.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))

    def _forget_bodies(self) -> None:
        self.server.buffered_bytes -= self._held_bytes
        self._held_bytes = 0

    def _close(self) -> None:
        """Close behind what was written."""
        self._is_closing = True
        is_written = not self._transport.get_write_buffer_size()
        self._mark = 0 if is_written else _untaken_bytes(self._transport)
        self.deadline = self.server.now + (self._limits.linger_s if is_written else self._limits.write_stall_s)
        self._transport.close()

    def _lose(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lose()
        self._wake_writers()

    def _wake_writers(self) -> None:
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None


def _untaken_bytes(transport: Transport) -> int:
    """Count what was written and the client's system has not confirmed, here and in the kernel.

    The kernel alone takes megabytes, so that a slow client would seem to take nothing for minutes.
    """
    socket_number = transport.get_extra_info("socket").fileno()
    try:
        queued = fcntl.ioctl(socket_number, termios.TIOCOUTQ, bytes(4))
    except OSError:  # the system cannot tell, or the socket is closed
        queued = bytes(4)
    return transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)


def _full() -> Overloaded:
    return Overloaded("The gateway holds as many request bodies as it may; try again in a moment.")
