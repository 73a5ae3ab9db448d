"""What the wire's tests share: raw connections, scripted upstreams, a sink that remembers."""

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from watchkeeper.gateway.wire.client import Flight, Origin, WireFault
from watchkeeper.gateway.wire.server import Exchange, Server

PATIENCE_S = 10.0
"""After this a test that waits for bytes has failed; no test is meant to come near it."""

Handle = Callable[[Exchange], Coroutine[Any, Any, None]]


async def echo(exchange: Exchange) -> None:
    """Answer with what was understood of the request."""
    request = exchange.request
    query = f"?{request.query}" if request.query else ""
    exchange.reply(200, b"x-saw: %b\r\n" % f"{request.method} {request.path}{query}".encode(), request.body)


class Hand:
    """A clock that runs, and can be moved ahead by hand."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def move(self, seconds: float) -> None:
        self._ahead_s += seconds


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    trailers: bytes = b""

    @property
    def json(self) -> dict[str, dict[str, object]]:
        return msgspec.json.decode(self.body, type=dict[str, dict[str, object]])


class Raw:
    """A TCP connection that sends and receives exactly what a test says."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._patience_s = patience_s

    @classmethod
    async def connect(cls, port: int, *, receive_buffer: int | None = None) -> "Raw":
        loop = asyncio.get_running_loop()
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=client, limit=2**16))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, size: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(size), self._patience_s)

    async def read_until(self, mark: bytes) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(mark), self._patience_s)

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        return await asyncio.wait_for(self._reader.read(), self._patience_s)

    async def answer(self, *, to_head: bool = False) -> Answer:
        """Read one response by its framing."""
        head = await self.read_until(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(b": ")
            headers[name.lower()] = value
        status = int(first.split()[1])
        if to_head or status in (100, 204, 304):
            return Answer(status, headers, b"")
        if b"content-length" in headers:
            return Answer(status, headers, await self.read(int(headers[b"content-length"])))
        if headers.get(b"transfer-encoding") != b"chunked":
            return Answer(status, headers, await self.rest())
        body = []
        while size := int((await self.read_until(b"\r\n"))[:-2], 16):
            body.append(await self.read(size))
            assert await self.read(2) == b"\r\n"
        trailers = b""
        while (line := await self.read_until(b"\r\n")) != b"\r\n":
            trailers += line
        return Answer(status, headers, b"".join(body), trailers)

    def pause(self) -> None:
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    def half_close(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close so that the other side gets a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@dataclass
class Served:
    """A server under test."""

    server: Server
    port: int

    async def connect(self, *, receive_buffer: int | None = None) -> Raw:
        return await Raw.connect(self.port, receive_buffer=receive_buffer)

    async def ask(self, raw: bytes) -> Answer:
        """Send bytes on a connection of their own and read the first answer."""
        client = await self.connect()
        await client.send(raw)
        answer = await client.answer()
        client.close()
        return answer


Script = Callable[[Raw], Awaitable[None]]


class Upstream:
    """Plays one script per connection, the last one again and again, and counts connections."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._scripts = scripts
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.accepted = 0
        self.origin = Origin("http", "127.0.0.1", 0)

    async def start(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._listener = await asyncio.start_server(self._play, "127.0.0.1", 0, ssl=tls)
        port = self._listener.sockets[0].getsockname()[1]
        self.origin = Origin("https" if tls else "http", host, port)

    @property
    def open(self) -> int:
        """Connections open now."""
        return len(self._tasks)

    async def stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()

    async def stop(self) -> None:
        await self.stop_listening()
        for task in self._tasks:
            task.cancel()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        raw = Raw(reader, writer, patience_s=10 * PATIENCE_S)  # it must not end a test by leaving
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await script(raw)
        writer.close()


@dataclass
class Remembered:
    """A sink that keeps everything it is told."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    parts: list[bytes] = field(default_factory=list[bytes])
    ends: list[WireFault | None] = field(default_factory=list["WireFault | None"])
    heads: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    got_data: asyncio.Event = field(default_factory=asyncio.Event)

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert (self.parts, self.ends) == ([], [])
        self.heads += 1
        self.status, self.headers = status, headers

    def on_data(self, data: bytes) -> None:
        assert (self.heads, self.ends) == (1, [])
        assert data
        self.parts.append(data)
        self.got_data.set()

    def on_end(self) -> None:
        self.ends.append(None)
        self.ended.set()

    def on_fault(self, fault: WireFault) -> None:
        self.ends.append(fault)
        self.ended.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    async def outcome(self) -> WireFault | None:
        """Wait for the end; return the fault, if it was one."""
        await asyncio.wait_for(self.ended.wait(), PATIENCE_S)
        await asyncio.sleep(0.01)
        assert len(self.ends) == 1
        return self.ends[0]


def post(path: bytes = b"/v1/chat/completions", body: bytes = b"{}") -> tuple[bytes, bytes]:
    """Head and body of an upstream request."""
    return b"POST %b HTTP/1.1\r\nhost: up\r\ncontent-length: %d\r\n\r\n" % (path, len(body)), body


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.005)


__all__ = [
    "Answer",
    "Flight",
    "Hand",
    "Handle",
    "Raw",
    "Remembered",
    "Script",
    "Served",
    "Upstream",
    "echo",
    "post",
    "until",
]
