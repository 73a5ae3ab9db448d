"""Clients of paced streams: `python -m bench.listeners PORT KEY STREAMS CHUNKS` opens them and prints what was late."""

import asyncio
import sys
import time
from array import array
from typing import cast

import msgspec
import uvloop

from bench import calls
from bench.pacer import DUE_MARK, INTERVAL_MS, SENT_MARK, STAMP_DIGITS

OPENED_PER_S = 500
GRACE_S = 10.0


class Heard(msgspec.Struct):
    """What came of all streams together."""

    chunks: int
    """Chunks that arrived."""
    unfinished: int
    """Streams that did not end with their terminator."""
    delays_ms: list[float]
    """From when a chunk was due to when it was read, for each chunk."""
    source_delays_ms: list[float]
    """From when a chunk was due to when the upstream wrote it."""


class Listener(asyncio.Protocol):
    """Asks for one stream and times its chunks."""

    def __init__(self, request: bytes, delays_us: "array[int]", source_us: "array[int]") -> None:
        self._request = request
        self._delays_us = delays_us
        self._source_us = source_us
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclasses
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now_us = time.monotonic_ns() // 1000
        at = data.find(DUE_MARK)
        while at >= 0:
            due_us = int(data[at + len(DUE_MARK) : at + len(DUE_MARK) + STAMP_DIGITS])
            at += len(DUE_MARK) + STAMP_DIGITS + 2 + len(SENT_MARK)
            self._delays_us.append(max(0, now_us - due_us))
            self._source_us.append(max(0, int(data[at : at + STAMP_DIGITS]) - due_us))
            at = data.find(DUE_MARK, at)
        if b"data: [DONE]" in data:
            self.done.set_result(True)
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(False)


async def listen(port: int, key: str, *, streams: int, chunks: int) -> Heard:
    """Open the streams at a steady rate and wait for all of them to end."""
    loop = asyncio.get_running_loop()
    body = calls.request_body().replace(
        b'{"model"', b'{"stream": true, "stream_options": {"include_usage": true}, "model"'
    )
    fields = {"host": f"127.0.0.1:{port}", **calls.headers(key), "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    request = f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body
    delays_us, source_us = array("I"), array("I")
    listeners: list[Listener] = []
    for number in range(streams):
        _, listener = await loop.create_connection(lambda: Listener(request, delays_us, source_us), "127.0.0.1", port)
        listeners.append(listener)
        if number % 10 == 9:
            await asyncio.sleep(10 / OPENED_PER_S)
    await asyncio.wait([listener.done for listener in listeners], timeout=chunks * INTERVAL_MS / 1000 + GRACE_S)
    unfinished = sum(not (listener.done.done() and listener.done.result()) for listener in listeners)
    return Heard(
        chunks=len(delays_us),
        unfinished=unfinished,
        delays_ms=[delay / 1000 for delay in delays_us],
        source_delays_ms=[delay / 1000 for delay in source_us],
    )


if __name__ == "__main__":
    asked = sys.argv
    heard = uvloop.run(listen(int(asked[1]), asked[2], streams=int(asked[3]), chunks=int(asked[4])))
    sys.stdout.buffer.write(msgspec.json.encode(heard))
