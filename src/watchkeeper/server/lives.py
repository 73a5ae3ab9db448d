"""What becomes of leases and holds when a worker's life ends: its spool is taken in, then they are given up."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.core.clock import Clock
from watchkeeper.money.leases import Held
from watchkeeper.server import peers
from watchkeeper.store.ledger import Ledger, Life

ReadHolds = Callable[[Path], tuple[int, list[Held]]]
"""Reads the book of holds of one life: the process that wrote it, 0 for unknown, and the holds that are open in it."""

_log = logging.getLogger("watchkeeper.ledger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is asked to find out whether a life has ended, and what it left."""

    connected: Callable[[], Mapping[str, str]]
    """Workers' names by the holder that is connected."""
    is_drained: Callable[[str, int], bool]
    """Whether nothing is left of what a worker had begun to write before a Unix time in ns."""
    taken_in_ns: Callable[[str], int]
    """All that was on a worker's spool at this Unix time is stored."""
    stored_ids: Callable[[Sequence[str]], Awaitable[frozenset[str]]]
    """Which calls are stored."""
    read_holds: ReadHolds
    lives: Callable[[int, str], bool] = peers.lives
    """Whether a process, by number and birth, is still there."""


class Lives:
    """Ends the lives of one host's workers. For one task."""

    def __init__(self, ledger: Ledger, around: Surroundings, clock: Clock, *, host: str, books: Path) -> None:
        self._ledger = ledger
        self._around = around
        self._clock = clock
        self._host = host
        self._books = books
        self._ended_ns: dict[str, int] = {}
        """By holder: all that it wrote, it wrote before this Unix time."""
        self.unresolved = 0
        """Holds given up by this process."""

    async def look(self) -> int:
        """End the lives that can be ended now; return how many that is."""
        connected = self._around.connected()
        for holder, worker in connected.items():
            await self._ledger.take_back_lost(holder, taken_in_ns=self._around.taken_in_ns(worker))
        ended = 0
        known = [life for life in await self._ledger.lives(self._host) if life.holder not in connected]
        strangers = self._strangers({*connected, *(life.holder for life in known)})
        for life in (*known, *strangers):
            if self._is_over(life, connected) and self._is_drained(life):
                await self._end(life)
                ended += 1
        return ended

    def _is_over(self, life: Life, connected: Mapping[str, str]) -> bool:
        """Another life of the worker has begun, or the process is gone."""
        if life.holder in self._ended_ns:
            return True
        followers = [_began_ns(holder) for holder, worker in connected.items() if worker == life.worker]
        began_ns = _began_ns(life.holder)
        if any(follower > began_ns for follower in followers):
            self._ended_ns[life.holder] = min(follower for follower in followers if follower > began_ns)
            return True
        if not self._around.lives(life.pid, life.born):
            self._ended_ns[life.holder] = self._clock.unix_ns()
            return True
        return False

    def _is_drained(self, life: Life) -> bool:
        return self._around.is_drained(life.worker, self._ended_ns[life.holder])

    async def _end(self, life: Life) -> None:
        book = self._books / life.holder.removeprefix(f"{self._host}/")
        holds: list[Held] = []
        with contextlib.suppress(FileNotFoundError):  # It held nothing, or was ended before.
            holds = self._around.read_holds(book)[1]
        stored = await self._around.stored_ids([hold.call_id for hold in holds])
        lost = [hold for hold in holds if hold.call_id not in stored]
        count = await self._ledger.end(life.holder, lost)
        book.unlink(missing_ok=True)
        del self._ended_ns[life.holder]
        self.unresolved += count
        if count:
            _log.error(
                "%s died with %d calls that nobody knows the cost of; what they held is unavailable until it is "
                "resolved: see `watchkeeper budgets holds`",
                life.holder,
                len(lost),
            )

    def _strangers(self, known: AbstractSet[str]) -> Iterable[Life]:
        """Yield lives that left a book but are not in the ledger: it was away as long as they lived, or forgot them."""
        for book in sorted(self._books.glob("*.*")):
            holder = f"{self._host}/{book.name}"
            if holder not in known:
                try:
                    pid = self._around.read_holds(book)[0]
                except OSError:
                    continue
                yield Life(holder, self._host, book.name.rpartition(".")[0], pid, "")


def _began_ns(holder: str) -> int:
    """A life's name ends with the Unix time at which it began; 0 for one that does not."""
    text = holder.rpartition(".")[2]
    return int(text) if text.isascii() and text.isdigit() else 0
