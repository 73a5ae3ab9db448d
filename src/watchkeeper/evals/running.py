"""Runs tasks: many at a time, as fast as each target takes them, within a sum of money."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from watchkeeper.evals.outcome import Outcome

START = 8
"""Tasks under way at a target that has not shown yet how many it takes."""
BATCH = 200
"""Outcomes written down at once."""
BATCH_S = 0.3
"""After which they are written down, however few there are."""
UNWRITTEN_MAX = 2_000
"""Outcomes that may wait; nothing new is begun meanwhile."""
TRIES_MAX = 4
"""Of a task whose target is too busy."""
WAIT_S = (1.0, 4.0, 15.0)
BUSY = frozenset({"rate_limit", "rate_limited", "capacity", "overloaded", "http_429", "http_529", "http_503"})
"""Codes that say: later, and fewer at a time."""
_SHRINK = 0.8

Stopped = Literal["", "cap", "unpriced", "interrupted"]
"""cap: the sum is spent. unpriced: there is a sum, and nobody knows what calls cost. Empty: all is done."""
INTERRUPTED = "it was interrupted"
"""Note of a run that was told to stop, and would go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One case, under one arm, to be asked once."""

    arm: str
    case: str
    repeat: int
    target: str
    """What is asked, for which the concurrency is adapted; empty where nothing is."""
    perform: Callable[[], Awaitable[Outcome]]
    """Ask and mark; never raises for what is wrong with the case, the answer or the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a run may go about it."""

    concurrency: int = 64
    """Tasks under way at one target, at most."""
    cap_nusd: int | None = None
    """What the run may cost, with what it has cost already."""
    spent_nusd: int = 0
    """What it has cost before it was resumed."""


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    total: int
    done: int = 0
    passed: int = 0
    failed: int = 0
    unmeasured: int = 0
    spent_nusd: int = 0
    unpriced: int = 0
    """Answers of which nobody knows what they cost."""
    active: int = 0
    reused: int = 0

    def count(self, counted: Mapping[str, Mapping[str, int]]) -> None:
        """Count what was there before, by arm and status."""
        for by_status in counted.values():
            for status, number in by_status.items():
                self.done += number
                setattr(self, status, getattr(self, status) + number)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.done += 1
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.spent_nusd += cost_of(outcome)
        self.reused += outcome.answer.reused
        self.unpriced += is_unpriced(outcome)


def cost_of(outcome: Outcome) -> int:
    """Return what an outcome cost now: the answer and its judges; what nobody knows counts as nothing here."""
    asked = 0 if outcome.answer.reused else outcome.answer.cost_nusd or 0
    return asked + sum(mark.cost_nusd or 0 for mark in outcome.marks)


def is_unpriced(outcome: Outcome) -> bool:
    """Tell whether a call was answered whose cost nobody knows, a judge's included."""
    answer = outcome.answer
    is_asked = bool(answer.call) and not answer.error and not answer.reused
    return (is_asked and answer.cost_nusd is None) or any(
        mark.calls and mark.cost_nusd is None and mark.status != "unmeasured" for mark in outcome.marks
    )


@dataclass(slots=True)
class _Window:
    """How many tasks may be under way at one target: doubled until it is too busy for once, then one more at a time."""

    limit: float
    most: int
    active: int = 0
    has_slowed: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self) -> None:
        while self.active >= int(self.limit):
            self.free.clear()
            await self.free.wait()
        self.active += 1

    def leave(self, *, is_busy: bool) -> None:
        self.active -= 1
        if is_busy:
            self.limit = max(1.0, self.limit * _SHRINK)
            self.has_slowed = True
        else:
            self.limit = min(float(self.most), self.limit + (1.0 if not self.has_slowed else 1.0 / self.limit))
        self.free.set()


class Run:
    """Runs tasks to their end, or until told to stop."""

    def __init__(
        self,
        record: Callable[[Sequence[Outcome]], Awaitable[None]],
        limits: Limits,
        progress: Progress,
    ) -> None:
        """Make ready.

        Args:
            record: Keeps outcomes; returns once they are safe.
            limits: What it keeps to.
            progress: Counts along.
        """
        self._record = record
        self._limits = limits
        self._progress = progress
        progress.spent_nusd += limits.spent_nusd
        self._windows: dict[str, _Window] = {}
        self._unwritten: list[Outcome] = []
        self._written = asyncio.Event()
        self._due = asyncio.Event()
        self._stopped: Stopped = ""
        self._dearest_nusd = 0
        self._ended = asyncio.Event()
        self._has_asked = False

    def stop(self) -> None:
        """Begin nothing more; what is under way is waited for."""
        self._stopped = "interrupted"
        for window in self._windows.values():
            window.free.set()

    async def run(self, tasks: Iterable[Task]) -> Stopped:
        """Run the tasks in their order, and return why it ended before the last one.

        Raises:
            whatever `record` raises: outcomes that are not kept are not worth asking for.
        """
        ended = asyncio.Event()
        writer = asyncio.create_task(self._write(ended))
        try:
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    window = self._window(task.target)
                    await window.enter()
                    await self._room(writer)
                    await self._first_ended()
                    if self._may_not_go_on():
                        window.active -= 1
                        break
                    self._progress.active += 1
                    group.create_task(self._one(task, window))
        finally:
            ended.set()
            self._due.set()
            await writer
        return self._stopped

    async def _one(self, task: Task, window: _Window) -> None:
        outcome = await task.perform()
        for pause in WAIT_S[: TRIES_MAX - 1]:
            if outcome.answer.error_code not in BUSY or self._stopped:
                break
            window.leave(is_busy=True)
            await asyncio.sleep(pause)
            await window.enter()
            outcome = await task.perform()
        window.leave(is_busy=outcome.answer.error_code in BUSY)
        self._progress.active -= 1
        self._progress.add(outcome)
        self._dearest_nusd = max(self._dearest_nusd, cost_of(outcome))
        self._has_asked = self._has_asked or not outcome.answer.reused
        self._ended.set()
        self._unwritten.append(outcome)
        if len(self._unwritten) >= BATCH:
            self._due.set()

    def _window(self, target: str) -> _Window:
        window = self._windows.get(target)
        if window is None:
            most = self._limits.concurrency
            window = self._windows[target] = _Window(float(min(START, most) if target else most), most)
        return window

    def _may_not_go_on(self) -> bool:
        """Tell whether to stop: what is under way is taken to cost as much as the dearest so far."""
        cap = self._limits.cap_nusd
        if cap is not None and not self._stopped:
            if self._progress.unpriced:
                self._stopped = "unpriced"
            elif self._progress.spent_nusd + self._dearest_nusd * (self._progress.active + 1) > cap:
                self._stopped = "cap"
        return bool(self._stopped)

    async def _first_ended(self) -> None:
        """With a sum to keep to, wait until one call has shown what calls cost."""
        while self._limits.cap_nusd is not None and not self._has_asked and self._progress.active:
            self._ended.clear()
            await self._ended.wait()

    async def _room(self, writer: "asyncio.Task[None]") -> None:
        """Wait while too much is not written down; go on as well where it cannot be: the writer's error then tells."""
        while len(self._unwritten) > UNWRITTEN_MAX and not writer.done():
            self._written.clear()
            self._due.set()
            await asyncio.wait({asyncio.ensure_future(self._written.wait()), writer}, return_when="FIRST_COMPLETED")
        if writer.done():
            writer.result()

    async def _write(self, ended: asyncio.Event) -> None:
        while not (ended.is_set() and not self._unwritten):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), BATCH_S)
            self._due.clear()
            while self._unwritten:
                batch = self._unwritten[:BATCH]
                await self._record(batch)
                del self._unwritten[: len(batch)]
                self._written.set()
