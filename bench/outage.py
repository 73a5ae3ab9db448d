"""Two thousand streams through a target that dies in the middle: who is answered, what it takes, and the way back."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httptools
import msgspec
import psutil

from bench import machine
from bench.figure import Figure, Settings, Target
from bench.gateway import Provider, gateway
from watchkeeper.gateway.snapshot import BreakerSettings, RouteEntry
from watchkeeper.gateway.snapshot import Target as Upstream

STREAMS = 2_000
OPENED_PER_S = 400
TOKENS = 40
PACE_S = 0.1
DOWN_S = 20.0
TRIAL_EVERY_S = 0.5
BACK_WITHIN_S = 30.0
MEMORY_BELOW_MB = 400.0
FAILURES = 10
WITHIN_S = 120.0
MODEL = "outage"


class Dying:
    """An upstream that streams words, can die with all its connections, and can come back."""

    def __init__(self) -> None:
        self.is_down = False
        self.died_at = 0.0
        self.asked: list[float] = []
        self.connections: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        self.connections.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                self.asked.append(time.monotonic())
                await self._answer(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    def die(self) -> None:
        """Tear every connection down and refuse what comes."""
        self.is_down = True
        self.died_at = time.monotonic()
        for writer in list(self.connections):
            writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.write(b"HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(TOKENS):
            _send(writer, {"content": f" w{number}"}, None)
            await asyncio.sleep(PACE_S)
        _send(writer, {}, "stop")
        done = b"data: [DONE]\n\n"
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(done), done))


def _send(writer: asyncio.StreamWriter, delta: dict[str, str], reason: str | None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    event = b"data: %b\n\n" % msgspec.json.encode({"id": "c", "model": "m", "choices": [choice]})
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))


def measure(settings: Settings) -> list[Figure]:
    """Open the streams, let the primary die, bring it back, and see."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return asyncio.run(_measure(settings.scratch / "outage", settings.pick(STREAMS, 100)))


async def _measure(folder: Path, streams: int) -> list[Figure]:
    primary, spare = Dying(), Dying()
    async with _listening(primary) as primary_port, _listening(spare) as spare_port:
        providers = [Provider("primary", primary_port), Provider("spare", spare_port)]
        with gateway(
            folder, 0, records=True, core=machine.SERVED_CORE, providers=providers, routes=[_route()]
        ) as worker:
            told: list[str] = []
            tasks: set[asyncio.Task[None]] = set()
            process = psutil.Process(worker.pid)
            for number in range(streams):
                tasks.add(asyncio.create_task(_client(worker.port, worker.key, told)))
                if number == streams // 2:
                    primary.die()
                await asyncio.sleep(1 / OPENED_PER_S)
            opened, peak = len(primary.asked), 0
            while tasks and time.monotonic() - primary.died_at < WITHIN_S:
                _, tasks = await asyncio.wait(tasks, timeout=0.2)
                peak = max(peak, process.memory_info().rss)
            while time.monotonic() - primary.died_at < DOWN_S:
                await _client(worker.port, worker.key, [])
            while_down = sum(at > primary.died_at for at in primary.asked)
            later = len(primary.asked) - opened
            primary.is_down = False
            back_s = await _until_back(worker.port, worker.key, primary)
    return _figures(streams, told, (while_down, later), peak / 1e6, back_s)


def _route() -> RouteEntry:
    return RouteEntry(
        MODEL,
        (Upstream("primary", "m"),),
        fallbacks=(Upstream("spare", "m"),),
        breaker=BreakerSettings(failures=FAILURES),
    )


@contextlib.asynccontextmanager
async def _listening(upstream: Dying) -> AsyncIterator[int]:
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=4096)
    yield int(server.sockets[0].getsockname()[1])
    server.close()
    for writer in list(upstream.connections):
        writer.transport.abort()


class _Reply:
    """One response, as the wire has it."""

    def __init__(self) -> None:
        self.body = b""
        self.is_whole = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_whole = True


async def _client(port: int, key: str, told: list[str]) -> None:
    """Ask for one stream and note how it ended: `answered`, `error` (said so), or what should not be."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "count"}]}
    body = msgspec.json.encode(asked)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    reply = _Reply()
    parser = httptools.HttpResponseParser(reply)
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            parser.feed_data(data)
    writer.close()
    if reply.is_whole and b"[DONE]" in reply.body and b'"error"' not in reply.body:
        told.append("answered" if reply.body.count(b" w") >= TOKENS else "a part passed for the whole")
    else:
        told.append("error" if b'"error"' in reply.body else "cut without a word")


async def _until_back(port: int, key: str, primary: Dying) -> float:
    """Return how long after its return the primary is asked again by three calls of four in a row."""
    returned_at = time.monotonic()
    while time.monotonic() - returned_at < WITHIN_S:
        before = len(primary.asked)
        await asyncio.gather(*[_client(port, key, []) for _ in range(4)])
        if len(primary.asked) - before >= 3:
            return time.monotonic() - returned_at
        await asyncio.sleep(TRIAL_EVERY_S)
    return float("inf")


def _figures(streams: int, told: list[str], trials: tuple[int, int], peak_mb: float, back_s: float) -> list[Figure]:
    counts = {kind: told.count(kind) for kind in sorted(set(told))}
    wrong = streams - counts.get("answered", 0) - counts.get("error", 0)
    return [
        Figure(
            name=f"of {streams:,} streams, neither answered nor told so",
            value=wrong,
            unit="streams",
            target=Target("below", 1),
            note=", ".join(f"{count:,} {kind}" for kind, count in counts.items()),
        ),
        Figure(name="peak memory of the worker", value=peak_mb, unit="MB", target=Target("below", MEMORY_BELOW_MB)),
        Figure(
            name="requests to the primary while it is down",
            value=trials[0],
            unit="requests",
            note=f"The breaker opens at {FAILURES} failures; {trials[1]} of them after the last stream was opened.",
        ),
        Figure(
            name="primary serves again after its return",
            value=back_s,
            unit="s",
            target=Target("below", BACK_WITHIN_S),
            note="Three calls of four in a row.",
        ),
    ]
