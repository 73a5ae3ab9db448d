"""An upstream of paced streams that does as little as possible for each chunk: `python -m bench.pacer PORT CHUNKS`.

Every stream gets ten chunks a second. The streams are spread over the tenth, a slot for each millisecond, and a chunk
carries when it was due and when it was written, in microseconds of the machine's monotonic clock.
"""

import asyncio
import sys
import time
from typing import cast

import uvloop

INTERVAL_MS = 100
DUE_MARK = b'"due_us":"'
SENT_MARK = b'"sent_us":"'
STAMP_DIGITS = 15

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"due_us":"%015d","sent_us":"%015d"}\n\n'
)
_LAST = b'data: {"id":"chatcmpl-bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Pacer:
    """Writes the chunks of all streams, slot by slot."""

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks
        self._slots: list[dict[Stream, int]] = [{} for _ in range(INTERVAL_MS)]
        self._accepted = 0
        self._loop = asyncio.get_running_loop()
        self._tick_ms = int(self._loop.time() * 1000)

    def start(self) -> None:
        """Begin to tick."""
        self._loop.call_at(self._tick_ms / 1000, self._tick)

    def add(self, stream: "Stream") -> None:
        """Give a new stream its slot."""
        self._slots[self._accepted % INTERVAL_MS][stream] = self._chunks
        self._accepted += 1

    def drop(self, stream: "Stream") -> None:
        """A stream's client has gone."""
        for slot in self._slots:
            slot.pop(stream, None)

    def _tick(self) -> None:
        now_ms = self._loop.time() * 1000
        while self._tick_ms <= now_ms:
            slot = self._slots[self._tick_ms % INTERVAL_MS]
            if slot:
                self._serve(slot, due_us=self._tick_ms * 1000)
            self._tick_ms += 1
        self._loop.call_at(self._tick_ms / 1000, self._tick)

    def _serve(self, slot: "dict[Stream, int]", *, due_us: int) -> None:
        event = _EVENT % (due_us, time.monotonic_ns() // 1000)
        framed = b"%x\r\n%b\r\n" % (len(event), event)
        for stream, left in list(slot.items()):
            stream.write(framed)
            if left > 1:
                slot[stream] = left - 1
            else:
                del slot[stream]
                stream.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(_LAST), _LAST))


class Stream(asyncio.Protocol):
    """One connection, one stream at a time."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = cast(asyncio.WriteTransport, transport).write  # uvloop's transports are no subclasses

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, mark, body = self._received.partition(b"\r\n\r\n")
        if mark and len(body) >= int(head.lower().rpartition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            self._received = b""
            self.write(_HEAD)
            self._pacer.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._pacer.drop(self)


async def serve(port: int, chunks: int) -> None:
    """Serve until killed."""
    pacer = Pacer(chunks)
    pacer.start()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stream(pacer), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
