"""A retriever over HTTP that does what a test says, on the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

Script = Callable[[bytes, bytes], bytes | None]
"""Given the head and the body of a request, the bytes to answer with; None to close without an answer."""


class Endpoint:
    """Answers one request after the other by a script, and keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heads: list[bytes] = []
        self.questions: list[object] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.heads.append(head)
                self.questions.append(msgspec.json.decode(body))
                answer = self.script(head, body)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()


def answer(content: object, *, status: int = 200) -> bytes:
    """Write a response."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return b"HTTP/1.1 %d OK\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


@asynccontextmanager
async def listening(script: Script) -> AsyncIterator[Endpoint]:
    """Listen as long as the block runs."""
    endpoint = Endpoint(script)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/search?v=1"
    try:
        yield endpoint
    finally:
        server.close()
