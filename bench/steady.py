"""A steady load of calls of a feature, with an upstream in the same process that remembers what it was asked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from bench import calls

CONNECTIONS = 32
ANSWER_WITHIN_S = 20.0


class Seen(NamedTuple):
    """One call as its client saw it."""

    sent_ns: int
    """Unix time."""
    ended_ns: int
    status: int
    """0 where the connection broke."""
    call_id: str
    release: str


class Asked:
    """An upstream that answers everything at once."""

    def __init__(self) -> None:
        self.prompts: dict[str, str] = {}
        """The first message of each request, by the id of the call that it was made for."""
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = calls.reply_body(400)
        whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            len(reply),
            reply,
        )
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(_field(head, b"content-length")))
                self.prompts[_field(head, b"x-request-id").decode()] = json.loads(body)["messages"][0]["content"]
                writer.write(whole)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def load(port: int, key: str, body: bytes, *, per_s: float, seconds: float) -> list[Seen]:
    """Make calls at a rate for a time, over a few connections; a call that is late is made at once."""
    began_at = time.perf_counter()
    request = _request(port, key, body)
    lanes = [
        _lane(port, request, [began_at + (turn * CONNECTIONS + lane) / per_s for turn in range(_turns(per_s, seconds))])
        for lane in range(CONNECTIONS)
    ]
    return sorted((seen for lane in await asyncio.gather(*lanes) for seen in lane), key=lambda seen: seen.sent_ns)


def _turns(per_s: float, seconds: float) -> int:
    return int(per_s * seconds / CONNECTIONS)


async def _lane(port: int, request: bytes, times: Sequence[float]) -> list[Seen]:
    found: list[Seen] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for at in times:
        if (wait_s := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        sent_ns = time.time_ns()
        try:
            writer.write(request)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(_field(head, b"content-length")))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            found.append(Seen(sent_ns, time.time_ns(), 0, "", ""))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        call_id, release = _field(head, b"x-wk-call-id").decode(), _field(head, b"x-wk-release").decode()
        found.append(Seen(sent_ns, time.time_ns(), int(head[9:12]), call_id, release))
    writer.close()
    return found


def _request(port: int, key: str, body: bytes) -> bytes:
    fields = {"host": f"127.0.0.1:{port}", **calls.headers(key), "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /v1/chat/completions HTTP/1.1\r\n{lines}\r\n".encode() + body


def _field(head: bytes, name: bytes) -> bytes:
    """Return a header of a head; empty where it has none. Names are in lower case on both sides here."""
    return head.partition(b"\r\n%b: " % name)[2].partition(b"\r\n")[0]
