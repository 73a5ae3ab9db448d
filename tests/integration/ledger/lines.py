"""A worker's end of the ledger's socket, and the keeper's end of one in a folder."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

from watchkeeper.money.budgets import Budget, Rule
from watchkeeper.money.leases import Answer, Ask, Frames, FromKeeper, Give, Hello, Recall, Want, frame
from watchkeeper.money.windows import Window
from watchkeeper.server.ledger import LedgerService
from watchkeeper.store.control import ControlStore
from watchkeeper.testing import FakeClock

MONTH = Window("calendar", "month")
HOST = "host-a"


def usd_budget(limit: int, rule: str = "b", window: Window = MONTH) -> Budget:
    return Budget(rule, (("tenant", "*"),), "nusd", limit, window)


class Line:
    """A worker that keeps no books: it only speaks."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._frames: Frames[FromKeeper] = Frames(FromKeeper)
        self._read: list[FromKeeper] = []
        self._number = 0

    @classmethod
    async def open(
        cls, path: Path, holder: str = "w0.1", *, worker: str = "", leased: dict[str, int] | None = None
    ) -> "Line":
        line = cls(*await asyncio.open_unix_connection(str(path)))
        line.say(Hello(holder, worker or holder.partition(".")[0], leased or {}))
        return line

    def say(self, message: Hello | Ask | Give) -> None:
        self.writer.write(frame(message))

    async def hear(self) -> FromKeeper:
        while not self._read:
            data = await asyncio.wait_for(self._reader.read(1 << 16), 5)
            if not data:
                raise EOFError("the keeper has cut the line")
            self._read += self._frames.feed(data)
        return self._read.pop(0)

    async def answer(self) -> Answer:
        """Return the next answer; a recall is answered with nothing meanwhile."""
        while True:
            message = await self.hear()
            if isinstance(message, Answer):
                return message
            self.say(Give({}))

    async def ask(self, *wants: Want) -> Answer:
        self._number += 1
        self.say(Ask(self._number, wants))
        answer = await self.answer()
        assert answer.number == self._number
        return answer

    async def recalled(self) -> Recall:
        message = await self.hear()
        assert isinstance(message, Recall)
        return message

    async def is_cut(self) -> bool:
        with contextlib.suppress(ConnectionError):
            while await asyncio.wait_for(self._reader.read(1 << 16), 7):
                pass
        return True

    def close(self) -> None:
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def serving(store: ControlStore, clock: FakeClock, folder: Path, *rules: Rule) -> AsyncIterator[LedgerService]:
    service = LedgerService(store.ledger, clock, host=HOST)
    await service.follow({rule.id: rule for rule in rules})
    await service.start(folder / "l.sock")
    try:
        yield service
    finally:
        await service.stop()


def want(need: int, like: int = 0, tenant: str = "acme", rule: str = "b", *, must: bool = True) -> Want:
    return Want(rule, (tenant,), need, max(need, like), must)
