"""What budgets take of a call: finding its accounts, its hold, its settlement; with few rules and with very many."""

import itertools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from msgspec.structs import replace

from bench import calls
from bench.figure import Figure, Settings, Target
from watchkeeper.core.call import Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.breaker import BreakerTable
from watchkeeper.gateway.budgets.holdbook import HoldBook
from watchkeeper.gateway.budgets.purse import Purse
from watchkeeper.gateway.health import HealthBook
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import Plan, prepare
from watchkeeper.gateway.snapshot import ProviderEntry, Snapshot
from watchkeeper.gateway.surfaces import ROOMS
from watchkeeper.money.book import PriceBook
from watchkeeper.money.budgets import Budget, Limit
from watchkeeper.money.genai import installed
from watchkeeper.money.windows import Window
from watchkeeper.testing import MemoryLedger

BELOW_US = 12.0
TENANTS = 10_000
SUBJECTS = 1_000_000
LARGE = 1 << 60
MONTH = Window("calendar", "month", "Europe/Berlin")
MODEL = "openai/gpt-4o-mini"

FEW = (
    Budget("organisation", (("organisation", "*"),), "nusd", LARGE, MONTH),
    Budget("feature", (("feature", "*"),), "nusd", LARGE, MONTH),
    Budget("tenant", (("tenant", "*"),), "nusd", LARGE, MONTH),
)
REQUESTS = Limit("key", (("key", "*"),), "requests", LARGE, 3600)


def measure(settings: Settings) -> list[Figure]:
    """Time the three steps alone, as one call takes them; the best of five."""
    times = settings.pick(20_000, 500)
    named = tuple(
        Budget(f"tenant-{number}", (("tenant", f"t{number}"),), "nusd", LARGE, MONTH)
        for number in range(settings.pick(TENANTS, 100))
    )
    by_subject = Budget("subject", (("subject", "*"),), "nusd", LARGE, MONTH)
    return [
        _figure(settings, "three budgets and a limit", FEW, times),
        _figure(settings, f"the same and {len(named):,} budgets of named tenants", (*FEW, *named), times),
        _figure(
            settings,
            f"the same and a budget for each of {settings.pick(SUBJECTS, 1_000):,} subjects",
            (*FEW, *named, by_subject),
            times,
            subjects=settings.pick(SUBJECTS, 1_000),
        ),
    ]


def _figure(settings: Settings, name: str, budgets: tuple[Budget, ...], times: int, *, subjects: int = 0) -> Figure:
    worker = _Worker(settings.scratch / "holds", budgets)
    people = itertools.cycle([f"subject-{number * 7919 % max(1, subjects)}" for number in range(2_000)])
    found = []
    for _ in range(6):
        began = time.perf_counter()
        for _ in range(times):
            worker.call(next(people) if subjects else "")
        found.append((time.perf_counter() - began) / times * 1e6)
    bare = min(worker.bare(times) for _ in range(5))
    return Figure(
        name=f"ledger on the path of a call, {name}",
        value=min(found[1:]) - bare,
        unit="us",
        target=Target("below", BELOW_US),
        note=f"Accounts, hold, book of holds, settlement; {worker.ledger.asked} leases drawn. Best of five, warm."
        + (" Two thousand subjects take turns, as many as call within seconds." if subjects else ""),
        samples={"us": found, "bare_us": [bare]},
    )


class _Worker:
    """A purse and what it needs."""

    def __init__(self, holds: Path, budgets: tuple[Budget, ...]) -> None:
        self._clock = SystemClock()
        self.ledger = MemoryLedger(self._clock)
        self._purse = Purse(self._clock, worker="w", holder="w.1", book=HoldBook(holds / "w.1"))
        snapshot = Snapshot(
            version="bench",
            durability="interval",
            providers={"openai": ProviderEntry("openai", "openai", "http://127.0.0.1:1/v1", "", "openai")},
            routes={},
            features=frozenset(),
            keys={},
            price_lists={"openai": PriceBook.of(installed()).price_list("openai")},
            budgets=budgets,
            limits=(REQUESTS,),
        )
        self.ledger.follow(budgets, (REQUESTS,))
        self._purse.draw_on(self.ledger)
        self._purse.follow(snapshot)
        plan: Plan = prepare(snapshot, HealthBook(BreakerTable()))
        self._route = plan.resolve(MODEL)
        self._body = calls.request_body()
        self._view = ROOMS["chat"].read(self._body)
        self._exchange = cast(Any, SimpleNamespace(request=SimpleNamespace(headers={})))
        self._usage = Usage(input_uncached=250, output_text=200)
        self._call = Call(id="01BENCH", started_ns=self._clock.unix_ns(), worker="w")
        self._records = 0

    def call(self, subject: str) -> None:
        """One call's steps."""
        passage = self._passage(subject)
        steps = self._steps(passage)
        try:
            steps.send(None)
        except StopIteration:
            return
        raise AssertionError("the ledger answers at once, so nothing waits")

    def bare(self, times: int) -> float:
        """Return what making the call itself takes, in microseconds."""
        began = time.perf_counter()
        for _ in range(times):
            self._passage("subject-1")
        return (time.perf_counter() - began) / times * 1e6

    def _passage(self, subject: str) -> Passage:
        call = replace(
            self._call, key_id="k1", feature="support", tenant="t77", subject=subject, charges=[], budget_notes=[]
        )
        call.usage, call.usage_status, call.cost_nusd = self._usage, "measured", 157_500
        passage = Passage(self._exchange, call, ROOMS["chat"], 0.0, self._body)
        passage.view, passage.route = self._view, self._route
        return passage

    async def _steps(self, passage: Passage) -> None:
        purse = self._purse
        tab = await purse.admit(passage)
        assert tab is not None
        await purse.hold(passage, tab, self._route.targets)
        purse.settle(passage, tab)
        self._records += 1
        purse.recorded(tab, self._records)
        if self._records % 500 == 0:
            purse.tick(self._records)
