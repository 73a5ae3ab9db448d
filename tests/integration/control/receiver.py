"""A receiver of webhooks on this machine, which answers as it is told to, well or badly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANGS = "hangs"
DROPS = "drops"
Answer = int | tuple[int, dict[str, str]] | str


@dataclass
class Receiver:
    """What came in, and what is answered: the answers in turn, then 204."""

    port: int = 0
    path: str = "/hook"
    answers: list[Answer] = field(default_factory=list[Answer])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list[tuple[dict[str, str], bytes]])
    paths: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.paths.append(line.decode().split()[1])
                headers: dict[str, str] = {}
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                self.got.append((headers, await reader.readexactly(int(headers.get("content-length", "0")))))
                answer = self.answers.pop(0) if self.answers else 204
                if answer == HANGS:
                    await asyncio.sleep(3600)
                if answer == DROPS:
                    return
                status, more = answer if isinstance(answer, tuple) else (answer, {})
                lines = [
                    f"HTTP/1.1 {status} X",
                    "content-length: 0",
                    *(f"{name}: {text}" for name, text in more.items()),
                ]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
