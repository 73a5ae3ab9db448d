"""The gateway's HTTP/1.1 server: listens, watches deadlines, drains.

A client that closes its connection, or its half of it, is taken to have gone: its call is cancelled.
"""

import logging
import time
from asyncio import AbstractEventLoop, Future, TimerHandle
from asyncio import Server as Listener
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from watchkeeper.gateway.wire.exchange import Exchange, Request
from watchkeeper.gateway.wire.heads import JSON, date_line
from watchkeeper.gateway.wire.inbound import Connection
from watchkeeper.gateway.wire.limits import ServerLimits
from watchkeeper.gateway.wire.rejections import Overloaded, Rejection
from watchkeeper.gateway.wire.runs import Runs

__all__ = ["Exchange", "Handler", "Request", "Server", "ServerLimits"]

Handler = Callable[[Exchange], Coroutine[Any, Any, None]]
"""Answers one request. It is started when the request is complete, and carried by `Runs`, not by a task."""

TICK_S = 0.5
"""How often deadlines are looked at, and how far the server's `now` may lag."""
BACKLOG = 4096

_DEFECT = (
    b'{"error":{"message":"The gateway failed while serving this request.",'
    b'"type":"server_error","param":null,"code":"internal"}}'
)

_log = logging.getLogger(__name__)


class Server:
    """Serves requests with a handler until drained."""

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        *,
        loop: AbstractEventLoop,
        clock: Callable[[], float] = time.monotonic,
        tick_s: float = TICK_S,
    ) -> None:
        self._handler = handler
        self._tick_s = tick_s
        self._listener: Listener | None = None
        self._connections: set[Connection] = set()
        self._runs = Runs(loop, on_end=self._end)
        self._ticker: TimerHandle | None = None
        self._last_resort: TimerHandle | None = None
        self._quiet: Future[None] | None = None
        self._cut_calls = 0
        self.limits = limits
        self.loop = loop
        self.clock = clock
        self.now = clock()
        """The clock at the last tick."""
        self.date_line = date_line()
        self.is_draining = False
        self.buffered_bytes = 0
        """Request body bytes held over all connections."""
        self.accepted = 0
        self.requests = 0
        self.rejected: Counter[str] = Counter()
        """Requests and connections that the wire answered itself, by code."""

    @property
    def open_connections(self) -> int:
        """Client connections open now."""
        return len(self._connections)

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> int:
        """Begin to listen; return the port, which the system chooses when 0 is asked for.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._listener = await self.loop.create_server(
            lambda: Connection(self), host, port, reuse_port=reuse_port, backlog=BACKLOG
        )
        self._tick()
        return int(self._listener.sockets[0].getsockname()[1])

    def begin_drain(self) -> None:
        """Accept nothing more; answer what has come, with `connection: close`; close what stays idle for a moment."""
        if self.is_draining:
            return
        self.is_draining = True
        if self._listener is not None:
            self._listener.close()
        self.loop.call_later(self.limits.drain_grace_s, self._close_idle)

    async def drained(self, timeout_s: float) -> int:
        """Wait until every call is answered and every connection closed; after the timeout, cut the rest.

        Returns:
            How many calls were cut.
        """
        self.begin_drain()
        timer = self.loop.call_later(timeout_s, self._cut_all)
        while self._connections or self._runs:
            self._quiet = self.loop.create_future()
            await self._quiet
        for handle in (timer, self._ticker, self._last_resort):
            if handle is not None:
                handle.cancel()
        return self._cut_calls

    # what connections call

    def welcome(self, connection: Connection) -> Rejection | None:
        """Take in a new connection; return why it is not served, if it is not."""
        self.accepted += 1
        self._connections.add(connection)
        if len(self._connections) > self.limits.connections_max:
            return Overloaded(f"The gateway has {self.limits.connections_max} connections open, which is all it takes.")
        return None

    def serve(self, exchange: Exchange) -> None:
        """Start the handler on a request."""
        self.requests += 1
        self._runs.start(self._handler(exchange), exchange)

    def forget(self, connection: Connection) -> None:
        """A connection is closed."""
        self._connections.discard(connection)
        self._note_quiet()

    def _end(self, exchange: Exchange, error: Exception | None) -> None:
        if error is not None:
            request = exchange.request
            _log.error("the handler of %s %s failed", request.method, request.path, exc_info=error)
        if not exchange.is_answered:
            if exchange.is_started:
                exchange.abort()
            else:
                exchange.reply(500, JSON, _DEFECT)
        if self.is_draining:
            self._note_quiet()

    def _tick(self) -> None:
        now = self.now = self.clock()
        self.date_line = date_line()
        for connection in [connection for connection in self._connections if connection.deadline < now]:
            connection.expire(now)
        self._ticker = self.loop.call_later(self._tick_s, self._tick)

    def _close_idle(self) -> None:
        for connection in [connection for connection in self._connections if connection.is_idle]:
            connection.close_idle()

    def _cut_all(self) -> None:
        self._cut_calls += len(self._runs)
        for connection in list(self._connections):
            connection.abort()
        self._last_resort = self.loop.call_later(self.limits.cut_grace_s, self._runs.cancel_all)

    def _note_quiet(self) -> None:
        if self._quiet is not None and not self._quiet.done() and not self._connections and not self._runs:
            self._quiet.set_result(None)
