"""A server on loopback that speaks the APIs of providers, does what its script says and remembers what it was sent.

`python -m watchkeeper.testing --port 9000` runs it for people, with a model for each entry of `catalogue.CATALOGUE`.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from asyncio import AbstractEventLoop, Event, StreamReader, StreamWriter
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from watchkeeper.testing.apis import is_known, openai
from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.catalogue import CATALOGUE
from watchkeeper.testing.faults import ErrorReply
from watchkeeper.testing.scripts import Document, Reply, Script
from watchkeeper.testing.steps import Close, Hang, Reset, Send, Wait

HEAD_BYTES_MAX = 256 * 1024
START_WITHIN_S = 5.0

Outcome = Literal["answering", "answered", "closed", "client_left"]
"""closed: by the upstream, as its script says. client_left: the client went away before the answer was out."""


@dataclass(slots=True)
class Received:
    """One request, and what became of it."""

    asked: Asked
    head: bytes
    """Request line and header fields as received, the empty line included."""
    connection: int
    """Number of the connection it came on, from 1."""
    came_at: float
    """`time.monotonic()` when it was complete."""
    outcome: Outcome = "answering"
    ended_at: float | None = None
    """`time.monotonic()` when the answer was out, the connection closed, or the client was seen to have left."""

    @property
    def body(self) -> bytes:
        """The body as received, after chunked coding is taken off."""
        return self.asked.body

    @property
    def json(self) -> Json:
        """The body as JSON; empty when it is not an object."""
        return self.asked.json

    @property
    def path(self) -> str:
        """Path without the query."""
        return self.asked.path

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None when it was not sent."""
        return self.asked.header(name)


class _Line(asyncio.StreamReaderProtocol):
    """A connection that tells at once when its other side closes it."""

    def __init__(self, upstream: "Upstream", number: int) -> None:
        reader = StreamReader(limit=HEAD_BYTES_MAX)
        super().__init__(reader, lambda reader, writer: upstream.converse(reader, writer, self))
        self.number = number
        self.is_gone = Event()

    def eof_received(self) -> bool:
        self.is_gone.set()
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone.set()
        super().connection_lost(exc)


@dataclass(slots=True)
class _Part:
    """The scripts for one model, or for all."""

    queue: deque[Script] = field(default_factory=deque)
    always: Script | None = None

    def take(self) -> Script | None:
        return self.queue.popleft() if self.queue else self.always


class Upstream:
    """Serves scripts. Use it with `with` (a thread of its own) or `async with` (the running loop).

    Each POST takes the next script of its model's queue, else of the queue for all models, else what its model always
    plays, else what all models do: a plain `Reply()` unless told otherwise. The path chooses the API it is said in.
    Other methods, and paths of no API, can be given a script of their own with `elsewhere`.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        """The port asked for; once started, the one listened on."""
        self.received: list[Received] = []
        """Every POST, and what was asked elsewhere, in the order in which they were complete."""
        self.connections = 0
        """Connections accepted so far."""
        self._models: dict[str, _Part] = {}
        self._everyone = _Part()
        self._elsewhere: Script | None = None
        self._server: asyncio.Server | None = None
        self._conversations: dict[asyncio.Task[None], StreamWriter] = {}
        self._thread: threading.Thread | None = None
        self._loop: AbstractEventLoop | None = None
        self._defect: Exception | None = None

    @property
    def base_url(self) -> str:
        """What to give an OpenAI client."""
        return f"{self.origin}/v1"

    @property
    def origin(self) -> str:
        """What to give an Anthropic client, which adds `/v1` itself."""
        return f"http://{self.host}:{self.port}"

    def plays(self, *scripts: Script, model: str | None = None) -> None:
        """Queue scripts, one for each request to come; for one model only when it is named."""
        self._part(model).queue.extend(scripts)

    def always(self, script: Script, *, model: str | None = None) -> None:
        """Play this whenever nothing is queued; for one model only when it is named."""
        self._part(model).always = script

    def elsewhere(self, script: Script) -> None:
        """Play this, and nothing queued, for all that is not a POST to an API: for files, batches, deletions."""
        self._elsewhere = script

    def clear(self) -> None:
        """Forget all scripts and everything received."""
        self._models.clear()
        self._everyone = _Part()
        self._elsewhere = None
        self.received.clear()

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, self.host, self.port, backlog=1024)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and tear down every connection.

        Raises:
            Exception: a script could not be played; the first such error.
        """
        if self._server is not None:
            self._server.close()
        for writer in self._conversations.values():
            writer.transport.abort()
        await asyncio.gather(*self._conversations)
        if self._defect is not None:
            raise self._defect

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        loop = self._loop = asyncio.new_event_loop()
        is_up = threading.Event()

        def run() -> None:
            loop.run_until_complete(self.start())
            loop.call_soon(is_up.set)
            loop.run_forever()

        self._thread = threading.Thread(target=run, name="scripted upstream", daemon=True)
        self._thread.start()
        if not is_up.wait(START_WITHIN_S):
            raise OSError(f"the scripted upstream could not listen on {self.host}:{self.port}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self.close(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def converse(self, reader: StreamReader, writer: StreamWriter, line: _Line) -> None:
        """Answer the requests of one connection, one after another."""
        task = asyncio.current_task()
        assert task is not None
        self._conversations[task] = writer
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer_one(reader, writer, line):
                    pass
        finally:
            del self._conversations[task]
            writer.close()

    def _part(self, model: str | None) -> _Part:
        return self._everyone if model is None else self._models.setdefault(model, _Part())

    def _accept(self) -> _Line:
        self.connections += 1
        return _Line(self, self.connections)

    async def _answer_one(self, reader: StreamReader, writer: StreamWriter, line: _Line) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = await _read(reader, head, number=len(self.received) + 1)
        received = Received(asked=asked, head=head, connection=line.number, came_at=time.monotonic())
        if asked.method == "POST" or self._elsewhere is not None:
            self.received.append(received)
        try:
            stays_open = await self._play(self._script_for(asked), received, writer, line)
        except ConnectionError:
            received.outcome, stays_open = "client_left", False
        except Exception as defect:  # kept for the test, which is told when it closes the upstream
            self._defect = self._defect or defect
            received.outcome, stays_open = "closed", False
        received.ended_at = time.monotonic()
        return stays_open

    def _script_for(self, asked: Asked) -> Script:
        if asked.method == "GET" and asked.path.endswith("/models"):
            return Document(openai.models([*CATALOGUE, *self._models]))
        if self._elsewhere is not None and not (asked.method == "POST" and is_known(asked.path)):
            return self._elsewhere
        if asked.method != "POST":
            return ErrorReply(404, message=f"There is no {asked.path} here.", error_type="invalid_request_error")
        part = self._models.get(asked.model, self._everyone)
        if part.queue:
            return part.queue.popleft()
        if self._everyone.queue:
            return self._everyone.queue.popleft()
        return part.always or self._everyone.always or CATALOGUE.get(asked.model) or Reply()

    async def _play(self, script: Script, received: Received, writer: StreamWriter, line: _Line) -> bool:
        """Take the steps; tell whether the connection can be used again."""
        for step in script.steps(received.asked):
            if line.is_gone.is_set():
                received.outcome = "client_left"
                return False
            match step:
                case Send(data):
                    writer.write(data)
                    await writer.drain()
                case Wait(seconds):
                    await _gone_within(line, seconds)
                case Hang():
                    await line.is_gone.wait()
                case Close():
                    received.outcome = "closed"
                    writer.close()
                    return False
                case Reset():
                    received.outcome = "closed"
                    _reset(writer)
                    return False
        received.outcome = "client_left" if line.is_gone.is_set() else "answered"
        return not line.is_gone.is_set()


async def _gone_within(line: _Line, seconds: float) -> None:
    """Return after a time, or as soon as the other side has closed the connection."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await line.is_gone.wait()


def _reset(writer: StreamWriter) -> None:
    """Close with RST instead of FIN: what a linger time of zero makes the kernel do."""
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader: StreamReader, head: bytes, *, number: int) -> Asked:
    request_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = request_line.split(" ", 2)
    pairs = [line.partition(":") for line in lines]
    headers = [(name.lower(), value.strip()) for name, _, value in pairs]
    found = dict(headers)
    if found.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunked(reader)
    else:
        body = await reader.readexactly(int(found.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Asked(method=method, path=path, query=query, headers=headers, body=body, number=number)


async def _read_chunked(reader: StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        part = await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
        if not size:
            return b"".join(parts)
        parts.append(part)
