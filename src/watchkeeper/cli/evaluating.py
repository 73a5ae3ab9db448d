"""Runs a suite from the command line: asks the gateway, marks, and has the control keep what came of it."""

import asyncio
import contextlib
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from watchkeeper.cli import client
from watchkeeper.cli.outcome import SET_UP, CommandFailed
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.money import usd
from watchkeeper.evals.asking import Ask, Gateway
from watchkeeper.evals.judging.asking import Asking
from watchkeeper.evals.judging.table import kinds_of
from watchkeeper.evals.kinds import build, is_judged
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.run import RunHead
from watchkeeper.evals.running import Limits, Progress, Run, Stopped
from watchkeeper.evals.suite import Suite
from watchkeeper.evals.tasks import BASELINE, CANDIDATE, Kit, Suited, asks_of

CONNECTIONS_MAX = 256
KEPT_TRIES_S = (0.5, 2.0, 5.0, 15.0, 30.0)
"""Waits between tries to have outcomes kept: a keeper that is restarted is back by then."""
PAGE = 500
"""Earlier answers looked up at once."""
LINE_EVERY_S = 0.25
LINE_ELSEWHERE_S = 10.0
"""Where the progress is not shown on a terminal."""
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
STOP_WORDS: Mapping[Stopped, str] = {
    "": "",
    "cap": "the run has cost what it may cost; what was not asked is unmeasured",
    "unpriced": "nobody knows what its calls cost, so no sum can be kept to; give the provider a price list, or "
    "leave the sum out",
    "interrupted": "it was interrupted",
}


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
        self._url = reachable(begun["gateway_url"]) if begun["gateway_url"] else ""
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
        limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
        async with httpx.AsyncClient(limits=limits, trust_env=False) as http:
            gateway = Gateway(http, self._url, self._key, run=self.head.id, within_s=way.timeout_s)
            judge = Asking(http, self._url, self._key, self._resolved, run=self.head.id, judges=self.head.judges)

            async def ask(ask: Ask, case: str) -> Answer:
                return await gateway.ask(ask, case=case)

            standard = self._suite.judge
            kit = Kit(
                ask=ask,
                build=lambda scorer: build(scorer, judge, standard=standard),
                clock=SystemClock(),
                baseline=self._baseline,
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
                kept_with(self._data, self.head.id),
                Limits(concurrency=way.concurrency, cap_nusd=self.head.cap_nusd, spent_nusd=self._spent_nusd),
                progress,
            )
            with _interruptible(run), contextlib.ExitStack() as stack:
                if not way.is_quiet:
                    stack.enter_context(shown(progress))
                return await run.run(suited.tasks())

    async def _resolved(self, kind: str, judge: str) -> str:
        return await asyncio.to_thread(judge_of, self._data, kind, judge)

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


def kept_with(data: Path, run: str) -> Callable[[Sequence[Outcome]], Awaitable[None]]:
    """Return what has outcomes of a run kept; a keeper that is away for a while is waited for."""

    async def keep(outcomes: Sequence[Outcome]) -> None:
        content = msgspec.json.encode(outcomes)
        for wait_s in (*KEPT_TRIES_S, None):
            try:
                await asyncio.to_thread(client.post_content, data, f"/api/v1/evals/runs/{run}/outcomes", content)
            except CommandFailed:
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)
            else:
                return

    return keep


def judge_of(data: Path, kind: str, judge: str) -> str:
    """Return the release of a judge, as a client of the gateway names it."""
    return str(client.post(data, "/api/v1/judges/resolve", kind=kind, judge=judge)["model"])


def judges_of(data: Path, suite: Suite) -> dict[str, str]:
    """Return which release each judge of a suite is now, by kind and name, before anything is asked.

    Raises:
        CommandFailed: there is no such judge, or it cannot judge that.
    """
    scorers = [*suite.scorers, *(scorer for case in suite.cases for scorer in case.scorers)]
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
def shown(progress: Progress) -> Iterator[None]:
    """Show how far a run is: one line that is written over on a terminal, a line now and then elsewhere."""
    is_terminal = sys.stderr.isatty()
    began, done_before = time.monotonic(), progress.done

    def line() -> str:
        passed_s = time.monotonic() - began
        pace = (progress.done - done_before) / passed_s if passed_s > 0 else 0.0
        left = f"{_length((progress.total - progress.done) / pace)} left" if pace > 0 else ""
        parts = [
            f"{progress.done}/{progress.total}",
            f"{progress.passed} passed",
            f"{progress.failed} failed",
            f"{progress.unmeasured} unmeasured",
            f"${usd(progress.spent_nusd)}" + (f" and {progress.unpriced} unpriced" if progress.unpriced else ""),
            f"{progress.reused} reused" if progress.reused else "",
            left if progress.done < progress.total else "",
        ]
        return "  ".join(part for part in parts if part)

    async def follow() -> None:
        while True:
            await asyncio.sleep(LINE_EVERY_S if is_terminal else LINE_ELSEWHERE_S)
            sys.stderr.write(f"\r\x1b[2K{line()}" if is_terminal else f"{line()}\n")
            sys.stderr.flush()

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        sys.stderr.write(f"\r\x1b[2K{line()}\n" if is_terminal else f"{line()}\n")


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


def reachable(url: str) -> str:
    """Return where this host reaches its own gateway."""
    found = urlsplit(url)
    host = ANY_ADDRESS.get(found.hostname or "", found.hostname or "")
    return f"{found.scheme}://{f'[{host}]' if ':' in host else host}:{found.port}{found.path}"


def _length(length_s: float) -> str:
    minutes, seconds = divmod(round(length_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
