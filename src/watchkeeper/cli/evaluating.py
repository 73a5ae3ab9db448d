"""Runs a suite from the command line: asks the gateway, marks, and has the control keep what came of it."""

import asyncio
import contextlib
import signal
import sys
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from watchkeeper.cli import client
from watchkeeper.cli.eval_keeping import STOP_WORDS, connections, kept_with, shown
from watchkeeper.cli.outcome import SET_UP, CommandFailed
from watchkeeper.config.addresses import within_reach
from watchkeeper.core.clock import SystemClock
from watchkeeper.evals.asking import Ask, Gateway
from watchkeeper.evals.judging.asking import Asking
from watchkeeper.evals.judging.table import kinds_of
from watchkeeper.evals.kinds import build, is_judged
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.run import RunHead
from watchkeeper.evals.running import Limits, Progress, Run, Stopped
from watchkeeper.evals.suite import Scorer, Suite
from watchkeeper.evals.tasks import BASELINE, CANDIDATE, Kit, Suited, asks_of

PAGE = 500
"""Earlier answers looked up at once."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a run goes about it."""

    concurrency: int
    reuse_s: float
    timeout_s: float
    is_quiet: bool


class Evaluation:
    """A run that has begun, on its way to its end."""

    def __init__(self, data: Path, begun: Mapping[str, Any], suite: Suite) -> None:
        self._data = data
        self._suite = suite
        self.head: RunHead = msgspec.convert(begun["head"], RunHead)
        self._key: str = begun["key"]
        self._url = within_reach(begun["gateway_url"]) if begun["gateway_url"] else ""
        self._path = f"/api/v1/evals/runs/{self.head.id}"
        self._spent_nusd: int = begun["spent_nusd"]

    def run(self, *, concurrency: int, reuse_s: float, timeout_s: float, is_quiet: bool = False) -> dict[str, Any]:
        """Ask, mark and keep until all is done or it must stop, and return the run as the control then has it.

        Args:
            concurrency: At one target, at most.
            reuse_s: How old an earlier answer may be to be taken; 0 for none.
            timeout_s: How long an answer may take.
            is_quiet: Whether no progress is shown.
        """
        asks = any(arm.model for arm in self.head.arms) and any(case.answer is None for case in self._suite.cases)
        if asks and not self._key:
            raise CommandFailed(
                "No keeper runs here, so nobody can be asked; nothing was. Start it with `watchkeeper up`.",
                exit_code=SET_UP,
            )
        counted = client.get(self._data, self._path)["counts"]
        found = client.get(self._data, f"{self._path}/done")["done"]
        done = {(arm, case, repeat) for arm, case, repeat in found}
        stopped = asyncio.run(self._go(done, counted, _Way(concurrency, reuse_s, timeout_s, is_quiet)))
        status = "stopped" if stopped else "finished"
        return client.post(self._data, f"{self._path}/end", status=status, note=STOP_WORDS[stopped])

    async def _go(
        self, done: Collection[tuple[str, str, int]], counted: Mapping[str, Mapping[str, int]], way: "_Way"
    ) -> Stopped:
        async with connections() as http:
            gateway = Gateway(http, self._url, self._key, run=self.head.id, within_s=way.timeout_s)
            judge = Asking(http, self._url, self._key, self._resolved, run=self.head.id, judges=self.head.judges)

            async def ask(ask: Ask, case: str) -> Answer:
                return await gateway.ask(ask, case=case)

            standard = self._suite.judge
            kit = Kit(
                ask=ask,
                build=lambda scorer: build(scorer, judge, standard=standard),
                clock=SystemClock(),
                baseline=self._baseline if self._is_compared() else None,
                first_repeat=self.head.first_repeat,
            )
            suite = msgspec.structs.replace(self._suite, repeats=self.head.repeats)
            suited = Suited(suite, kit, self.head.arms, done)
            if way.reuse_s > 0:
                known = Known(self._data, self._path, list(asks_of(suited)), way.reuse_s)
                suited.kit = replace(kit, known=known.get)
            progress = Progress(total=suited.total)
            progress.count(counted)
            run = Run(
                kept_with(self._data, self.head.id, self.head.turn),
                Limits(concurrency=way.concurrency, cap_nusd=self.head.cap_nusd, spent_nusd=self._spent_nusd),
                progress,
            )
            with _interruptible(run), contextlib.ExitStack() as stack:
                if not way.is_quiet:
                    stack.enter_context(shown(progress))
                return await run.run(suited.tasks())

    async def _resolved(self, kind: str, judge: str) -> str:
        return await asyncio.to_thread(judge_of, self._data, kind, judge)

    def _is_compared(self) -> bool:
        """Tell whether marks may need the baseline's answers: only judges look at them, and each costs a request."""
        has_baseline = bool(self.head.baseline_run or self.head.baseline)
        return has_baseline and any(map(is_judged, scorers_of(self._suite)))

    async def _baseline(self, case: str, repeat: int) -> Answer | None:
        """Return what the baseline answered, where it was asked before this process began or in another run."""
        run, arm = (self.head.baseline_run, CANDIDATE) if self.head.baseline_run else (self.head.id, BASELINE)
        path = f"/api/v1/evals/runs/{run}/outcomes"
        try:
            found = await asyncio.to_thread(client.get, self._data, path, case=case, arm=arm)
        except CommandFailed:
            return None
        outcomes = msgspec.convert(found["outcomes"], list[Outcome])
        return next((one.answer for one in outcomes if one.repeat == repeat and not one.answer.error), None)


def judge_of(data: Path, kind: str, judge: str) -> str:
    """Return the release of a judge, as a client of the gateway names it."""
    return str(client.post(data, "/api/v1/judges/resolve", kind=kind, judge=judge)["model"])


def scorers_of(suite: Suite) -> list[Scorer]:
    """List the scorers of a suite and of each of its cases."""
    return [*suite.scorers, *(scorer for case in suite.cases for scorer in case.scorers)]


def judges_of(data: Path, suite: Suite) -> dict[str, str]:
    """Return which release each judge of a suite is now, by kind and name, before anything is asked.

    Raises:
        CommandFailed: there is no such judge, or it cannot judge that.
    """
    scorers = scorers_of(suite)
    wanted = {
        (kind, scorer.judge or suite.judge) for scorer in scorers if is_judged(scorer) for kind in kinds_of(scorer)
    }
    if any(not judge for _, judge in wanted):
        raise CommandFailed(
            "A scorer asks a judge, and neither it nor the suite names one: `judge: gpt-4o`, or your own."
        )
    return {f"{kind} {judge}": judge_of(data, kind, judge) for kind, judge in sorted(wanted)}


class Known:
    """Earlier answers to the same asks, looked up a page at a time, in the order in which they will be wanted."""

    def __init__(self, data: Path, path: str, asks: Sequence[str], within_s: float) -> None:
        self._data = data
        self._path = f"{path}/answers"
        self._asks = asks
        self._within_s = within_s
        self._place = {ask: place for place, ask in enumerate(asks)}
        self._pages: OrderedDict[int, asyncio.Task[dict[str, Answer]]] = OrderedDict()

    async def get(self, ask: str) -> Answer | None:
        """Return an answer; None where there is none."""
        page = self._place.get(ask, -1) // PAGE
        if page < 0:
            return None
        if page not in self._pages:
            self._pages[page] = asyncio.create_task(self._page(page))
            while len(self._pages) > 3:
                self._pages.popitem(last=False)
        try:
            return (await asyncio.shield(self._pages[page])).get(ask)
        except CommandFailed:
            return None  # a keeper that is away knows nothing; what is asked anew is right as well

    async def _page(self, page: int) -> dict[str, Answer]:
        asks = list(self._asks[page * PAGE : (page + 1) * PAGE])
        found = await asyncio.to_thread(client.post, self._data, self._path, asks=asks, within_s=self._within_s)
        return msgspec.convert(found["answers"], dict[str, Answer])


@contextlib.contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """Have the first Ctrl-C end the run in good order; the second ends the command."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        sys.stderr.write("\nstopping: what is under way is waited for; Ctrl-C again to leave at once\n")
        loop.remove_signal_handler(signal.SIGINT)
        run.stop()

    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGTERM, run.stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
