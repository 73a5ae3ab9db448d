"""The gateway's HTTP/1.1 client: pooled connections to upstreams."""

import asyncio
import socket
import ssl
import time
from asyncio import AbstractEventLoop, Future, Task, TimerHandle
from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from watchkeeper.gateway.wire.faults import (
    BodyCut,
    ConnectFailed,
    ConnectionLost,
    ConnectRefused,
    ConnectTimeout,
    MalformedResponse,
    NameUnresolved,
    PoolFull,
    TlsFailed,
    WireFault,
)
from watchkeeper.gateway.wire.limits import PoolLimits
from watchkeeper.gateway.wire.outbound import Flight, Sink, Upstream

__all__ = [
    "BodyCut",
    "ConnectFailed",
    "ConnectRefused",
    "ConnectTimeout",
    "ConnectionLost",
    "Flight",
    "MalformedResponse",
    "NameUnresolved",
    "Origin",
    "Pool",
    "PoolFull",
    "PoolLimits",
    "Sink",
    "TlsFailed",
    "WireFault",
    "origin_of",
]

TICK_S = 1.0
"""How often idle connections are looked at."""


class Origin(NamedTuple):
    """Where an upstream is reached; the scheme is `http` or `https`."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def origin_of(base_url: str) -> tuple[Origin, str]:
    """Split a base URL into its origin and its path prefix, without a slash at the end.

    Raises:
        ValueError: it is not an http or https address with a host.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{base_url!r} is not an http or https address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Origin(parts.scheme, parts.hostname, port), parts.path.rstrip("/")


class Pool:
    """Keeps connections to upstreams and sends requests over them; the most recently used one is used first."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        limits: PoolLimits,
        *,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        tick_s: float = TICK_S,
    ) -> None:
        self._loop = loop
        self._tick_s = tick_s
        self._limits = limits
        self._ca_file = ca_file
        self._clock = clock
        self._lanes: dict[Origin, Lane] = {}
        self._tls: ssl.SSLContext | None = None
        self._ticker: TimerHandle | None = None
        self._is_closed = False

    def send(self, origin: Origin, head: bytes, body: bytes, sink: Sink, *, connect_timeout_s: float) -> Task[Flight]:
        """Send a request as soon as there is a connection; its response goes to the sink. To give up, cancel the task.

        Args:
            head: Request line and header fields with the empty line behind them; it must state the body's length.
            connect_timeout_s: For opening a connection, or for waiting until one is free.

        Raises:
            ConnectFailed, ConnectTimeout, PoolFull: nothing was sent; the sink is not called.
        """
        return self._loop.create_task(self._send(origin, Flight(head, body, sink, connect_timeout_s)))

    async def _send(self, origin: Origin, flight: Flight) -> Flight:
        lane = self._lanes.get(origin) or self._open_lane(origin)
        await lane.carry(flight)
        return flight

    def send_now(
        self, origin: Origin, head: bytes, body: bytes, sink: Sink, *, connect_timeout_s: float
    ) -> Flight | None:
        """Send a request over an idle connection as `send` does; None when there is none, and nothing was sent."""
        lane = self._lanes.get(origin)
        if lane is None or not lane.idle or lane.waiting:
            return None
        flight = Flight(head, body, sink, connect_timeout_s)
        lane.idle.pop().carry(flight)
        return flight

    async def close(self) -> None:
        """Close every connection; requests under way end in a fault, and later ones get PoolFull."""
        self._is_closed = True
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        for lane in self._lanes.values():
            lane.close()
        self._lanes.clear()

    def _open_lane(self, origin: Origin) -> "Lane":
        if self._is_closed:
            raise PoolFull("The gateway is stopping: its connections to upstreams are closed.")
        tls = None
        if origin.scheme == "https":
            if self._tls is None:
                self._tls = ssl.create_default_context(cafile=self._ca_file)
                self._tls.set_alpn_protocols(["http/1.1"])
            tls = self._tls
        lane = self._lanes[origin] = Lane(self._loop, origin, self._limits, tls=tls, clock=self._clock)
        if self._ticker is None:
            self._ticker = self._loop.call_later(self._tick_s, self._tick)
        return lane

    def _tick(self) -> None:
        expired_at = self._clock() - self._limits.idle_s
        for origin, lane in list(self._lanes.items()):
            lane.close_unused(expired_at)
            if lane.is_unused:
                del self._lanes[origin]
        self._ticker = self._loop.call_later(self._tick_s, self._tick)


class Lane:
    """The connections to one origin, and the requests that wait for one."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        origin: Origin,
        limits: PoolLimits,
        *,
        tls: ssl.SSLContext | None,
        clock: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._origin = origin
        self._tls = tls
        self._dialing = 0
        self._resending: set[Task[None]] = set()
        self.limits = limits
        self.clock = clock
        self.idle: list[Upstream] = []
        """The longest unused first."""
        self.connections: set[Upstream] = set()
        self.waiting: deque[Future[None]] = deque()

    async def carry(self, flight: Flight) -> None:
        """Send over a connection that is free, is opened now, or comes free in time.

        Raises:
            ConnectFailed, ConnectTimeout, PoolFull: see `Pool.send`.
        """
        deadline = self._loop.time() + flight.connect_timeout_s
        if self.waiting or not self._has_room():
            await self._wait(deadline)
        if self.idle:
            self.idle.pop().carry(flight)
        else:
            connection = await self._dial(flight, deadline)
            connection.carry(flight)

    def resend(self, flight: Flight) -> None:
        """Send a request again, over a fresh connection, whose first connection had been closed before it was sent."""
        task = self._loop.create_task(self._resend(flight))
        self._resending.add(task)
        task.add_done_callback(self._resending.discard)

    def park(self, connection: Upstream) -> None:
        """Keep a connection for the next request."""
        if len(self.idle) >= self.limits.idle_per_origin_max:
            connection.close()
            return
        connection.idle_since = self.clock()
        self.idle.append(connection)
        if self.waiting:
            self._wake()

    def withdraw(self, connection: Upstream) -> None:
        """Do not use a connection again."""
        if connection in self.idle:
            self.idle.remove(connection)

    def forget(self, connection: Upstream) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        self.withdraw(connection)
        if self.waiting:
            self._wake()

    @property
    def is_unused(self) -> bool:
        """There is no connection, and nobody wants one."""
        return not (self.connections or self._dialing or self.waiting or self._resending)

    def close_unused(self, expired_at: float) -> None:
        """Close connections that have not been used since a time."""
        while self.idle and self.idle[0].idle_since < expired_at:
            self.idle.pop(0).close()

    def close(self) -> None:
        """Close everything; who waits for a connection gets PoolFull."""
        self.idle.clear()
        for connection in list(self.connections):
            connection.drop()
        for task in self._resending:
            task.cancel()
        for turn in self.waiting:
            turn.cancel()

    def _has_room(self) -> bool:
        return bool(self.idle) or len(self.connections) + self._dialing < self.limits.connections_per_origin_max

    async def _wait(self, deadline: float) -> None:
        if len(self.waiting) >= self.limits.waiting_per_origin_max:
            raise PoolFull(f"All connections to {self._origin} are in use, and too many calls wait already.")
        is_first = False
        while True:
            turn: Future[None] = self._loop.create_future()
            if is_first:
                self.waiting.appendleft(turn)
            else:
                self.waiting.append(turn)
            try:
                async with asyncio.timeout_at(deadline):
                    await turn
            except TimeoutError:
                raise PoolFull(f"All connections to {self._origin} were in use until the connect timeout.") from None
            finally:
                if turn in self.waiting:
                    self.waiting.remove(turn)
            if self._has_room():
                return
            is_first = True

    def _wake(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _dial(self, flight: Flight, deadline: float) -> Upstream:
        host = self._origin.host
        started = self.clock()
        self._dialing += 1
        try:
            async with asyncio.timeout_at(deadline):
                _, connection = await self._loop.create_connection(
                    lambda: Upstream(self),
                    host,
                    self._origin.port,
                    ssl=self._tls,
                    server_hostname=host if self._tls else None,
                )
            flight.connect_ms = (self.clock() - started) * 1000
            return connection
        except TimeoutError:
            waited_s = flight.connect_timeout_s
            raise ConnectTimeout(f"{self._origin} did not accept a connection within {waited_s:g} s.") from None
        except ssl.SSLError as error:
            raise TlsFailed(f"No secure connection to {self._origin}: {error}.") from error
        except socket.gaierror as error:
            raise NameUnresolved(f"The host name of {self._origin} has no address: {error.strerror}.") from error
        except ConnectionRefusedError as error:
            raise ConnectRefused(f"Nobody listens at {self._origin}.") from error
        except OSError as error:
            raise ConnectFailed(f"No connection to {self._origin}: {error}.") from error
        finally:
            self._dialing -= 1

    async def _resend(self, flight: Flight) -> None:
        try:
            connection = await self._dial(flight, self._loop.time() + flight.connect_timeout_s)
        except WireFault as fault:
            if flight.sink is not None:
                flight.sink.on_fault(fault)
            return
        if flight.sink is None:
            self.park(connection)
        else:
            connection.carry(flight)
