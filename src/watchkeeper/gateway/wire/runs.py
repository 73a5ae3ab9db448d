"""Carries the coroutines of calls from one await to the next, without asyncio tasks.

A task costs a call a sixth of its processor time: making it, listing it among all tasks, and a handle and a context for
every step. And steps cost less the more of them are taken in a row, because the processor then has their code at hand:
where many calls are under way, those that become due in one turn of the loop are taken together.

What needs a task (`asyncio.timeout`, for example) must make one of its own. Futures, tasks, `asyncio.sleep` and
`Signal` are awaited as usual.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchkeeper.gateway.wire.exchange import Exchange


FEW = 4
"""With so many runs under way a turn of the loop costs a call more than steps of others in between."""


class Signal:
    """Something that happens once, and that one run may wait for."""

    __slots__ = ("_wake", "is_set")

    def __init__(self) -> None:
        self._wake: Callable[[Signal], None] | None = None
        self.is_set = False

    def set(self) -> None:
        """Let it happen; whoever waits goes on at once or in the loop's next turn."""
        self.is_set = True
        if self._wake is not None:
            self._wake(self)

    def add_done_callback(self, wake: Callable[[Signal], None]) -> None:
        """Have something called when it happens; there can be one."""
        self._wake = wake

    def __await__(self) -> Generator[Signal, None, None]:
        """Wait until it has happened; only within a run."""
        if not self.is_set:
            yield self


class Run:
    """One coroutine under way."""

    __slots__ = ("_awaited", "_coroutine", "_runs", "exchange")

    def __init__(self, coroutine: Coroutine[Any, Any, None], exchange: Exchange, runs: Runs) -> None:
        self._awaited: object = None
        self._coroutine = coroutine
        self._runs = runs
        self.exchange = exchange

    def step(self) -> None:
        """Run to the next wait, or to the end."""
        self._act(self._coroutine.send, None)

    def cancel(self) -> None:
        """Raise CancelledError where the coroutine waits; what it waits for is left to itself."""
        self._act(self._coroutine.throw, CancelledError())

    def _act(self, act: Callable[[Any], Any], value: CancelledError | None) -> None:
        self._awaited = None
        try:
            awaited = act(value)
        except (StopIteration, CancelledError):
            self._runs.end(self, None)
            return
        except Exception as error:  # the boundary: one failed handler must not end the server
            self._runs.end(self, error)
            return
        self._awaited = awaited
        if awaited is None:  # asyncio.sleep(0)
            self._runs.step_soon(self)
            return
        if type(awaited) is not Signal:
            awaited._asyncio_future_blocking = False
        awaited.add_done_callback(self._woken)

    def _woken(self, awaited: object) -> None:
        if awaited is self._awaited:  # else it was cancelled meanwhile, and waits for something else or no longer
            self._runs.note_due(self)


class Runs:
    """The coroutines under way on a loop."""

    def __init__(self, loop: AbstractEventLoop, *, on_end: Callable[[Exchange, Exception | None], None]) -> None:
        """Prepare for runs.

        Args:
            on_end: Called whenever one has ended, with the error it ended in.
        """
        self._loop = loop
        self._on_end = on_end
        self._running: set[Run] = set()
        self._due: list[Run] = []

    def __len__(self) -> int:
        return len(self._running)

    def start(self, coroutine: Coroutine[Any, Any, None], exchange: Exchange) -> None:
        """Take on the coroutine that answers an exchange; its first step is due."""
        run = Run(coroutine, exchange, self)
        self._running.add(run)
        self.note_due(run)

    def cancel_all(self) -> None:
        """Cancel every run that waits."""
        self._due.clear()
        for run in list(self._running):
            run.cancel()

    # what runs call

    def note_due(self, run: Run) -> None:
        """A run can go on: at once where few are under way, else together with the others of this turn."""
        if len(self._running) <= FEW:
            run.step()
        else:
            self.step_soon(run)

    def step_soon(self, run: Run) -> None:
        """A run gives others a turn."""
        if not self._due:
            self._loop.call_soon(self._step_due)
        self._due.append(run)

    def end(self, run: Run, error: Exception | None) -> None:
        """A run has ended."""
        self._running.discard(run)
        self._on_end(run.exchange, error)

    def _step_due(self) -> None:
        due, self._due = self._due, []
        for run in due:
            run.step()
