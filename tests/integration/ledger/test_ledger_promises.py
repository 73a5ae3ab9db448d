"""Whatever workers and keepers do and however they die: the ledger's sums hold. WK_SOAK=1 tries for longer."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete
from tests.integration.ledger.lines import HOST, usd_budget, want

from watchkeeper.money.leases import Held, Want
from watchkeeper.money.windows import Window
from watchkeeper.store import tables
from watchkeeper.store.control import ControlStore
from watchkeeper.store.ledger import Ledger, Life, Place, Question, SettledCharge
from watchkeeper.testing import FakeClock

LIMITS = {"b": 1_000, "small": 120}
BUDGETS = [usd_budget(LIMITS["b"]), usd_budget(LIMITS["small"], "small", Window("lifetime"))]
KEYS = {"b": "b|acme", "small": "small|acme"}
SOAK = bool(os.environ.get("WK_SOAK"))
EXAMPLES = {"sqlite": 300 if SOAK else 25, "postgresql": 100 if SOAK else 6}
STEPS = 100 if SOAK else 30
MOST_WORKERS = 4
HAPPENINGS = (
    *("call",) * 8, *("finish",) * 3, *("book",) * 4, *("resolve",) * 2, *("find_what_was_lost",) * 2,
    "give", "kill", "end_life", "restart", "start",
)  # fmt: skip
LEDGER_TABLES = [one for name, one in tables.metadata.tables.items() if name.startswith("ledger_")]


@dataclass
class Worker:
    """A worker's books, as the gateway keeps them."""

    life: Life
    left: Counter[str] = field(default_factory=Counter[str])
    calls: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """Holds by call and account."""
    spool: list[SettledCharge] = field(default_factory=list[SettledCharge])
    booked: int = 0
    is_alive: bool = True

    @property
    def spool_name(self) -> str:
        return self.life.holder

    def holds(self) -> dict[str, int]:
        held = Counter(self.left)
        for call in self.calls.values():
            held.update(call)
        return {key: amount for key, amount in held.items() if amount}


class Promises(RuleBasedStateMachine):
    """Workers and a ledger, all in one thread; what may happen at once in life happens here in every order."""

    runner: asyncio.Runner
    store: ControlStore
    clock: FakeClock

    @initialize()
    def begin(self) -> None:
        async def clear() -> None:
            async with self.store.ledger._engine.begin() as connection:  # a fresh database is slow
                for one in LEDGER_TABLES:
                    await connection.execute(delete(one))

        self.run(clear())
        self.names = count(1)
        self.ledger = self.new_ledger()
        self.workers: list[Worker] = []
        self.used: Counter[str] = Counter()
        self.over: Counter[str] = Counter()
        """What calls have used beyond what they held: known only when they end."""
        self.charged: Counter[str] = Counter()
        self.resolved: Counter[str] = Counter()
        """Of that, for holds that expired."""
        for _ in range(2):
            self.start_worker()

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def new_ledger(self) -> Ledger:
        ledger = Ledger(self.store.ledger._engine, self.clock)  # what a keeper that starts makes
        self.run(ledger.know(BUDGETS))
        return ledger

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_alive]

    def start_worker(self) -> None:
        if len(self.alive) >= MOST_WORKERS:
            return
        name = next(self.names)
        worker = Worker(Life(f"{HOST}/w{name}.1", HOST, f"w{name}", name, ""))
        self.workers.append(worker)
        self.run(self.ledger.greet(worker.life, {}))

    def call(self, data: st.DataObject) -> None:
        if not self.alive:
            return
        worker = data.draw(st.sampled_from(self.alive))
        need, more = data.draw(st.integers(1, 150)), data.draw(st.integers(0, 300))
        rules: tuple[str, ...] = data.draw(st.sampled_from([("b",), ("small",), ("b", "small")]))
        is_heard = data.draw(st.integers(0, 5)) > 0
        uses: int | None = data.draw(st.none() | st.integers(0, 200))
        short = [name for name in rules if worker.left[KEYS[name]] < need]
        if short:
            wants = tuple(want(need - worker.left[KEYS[name]], need + more, rule=name) for name in short)
            (decision,) = self.run(self.ledger.serve([Question(worker.life.holder, wants)], workers=len(self.alive)))
            self.see_that_it_is_fair(wants, decision.is_granted)
            if not decision.is_granted:
                return
            if not is_heard:  # The line broke before the answer arrived, and is there again.
                self.run(self.ledger.greet(worker.life, worker.holds()))
                return
            for account in decision.accounts:
                worker.left[account.key] += account.granted
        for name in rules:
            worker.left[KEYS[name]] -= need
        call_id = f"call-{next(self.names)}"
        worker.calls[call_id] = {KEYS[name]: need for name in rules}
        if uses is not None:
            self.finish_call(worker, call_id, uses)

    def see_that_it_is_fair(self, wants: tuple[Want, ...], is_granted: bool) -> None:
        """What fits is never refused."""
        if is_granted:
            return
        states = {state.budget: state for state in self.run(self.ledger.states())}
        assert any(
            asked.need + states[asked.rule].settled + states[asked.rule].leased + states[asked.rule].expired
            > LIMITS[asked.rule]
            for asked in wants
        )

    def finish(self, data: st.DataObject) -> None:
        busy = [worker for worker in self.alive if worker.calls]
        if not busy:
            return
        worker = data.draw(st.sampled_from(busy))
        amount = data.draw(st.integers(0, 200))
        self.finish_call(worker, data.draw(st.sampled_from(sorted(worker.calls))), amount)

    def finish_call(self, worker: Worker, call_id: str, amount: int) -> None:
        records = len(worker.spool) + 1
        for key, held in worker.calls.pop(call_id).items():
            drawn = min(amount, held + worker.left[key])
            worker.left[key] += held - drawn
            self.over[key] += amount - drawn
            self.used[key] += amount
            name = key.partition("|")[0]
            now_ns = self.clock.unix_ns()
            worker.spool.append(
                SettledCharge(
                    records, call_id, now_ns // 10**9, now_ns, worker.life.holder, key, name, "nusd", drawn, amount
                )
            )

    def give(self, data: st.DataObject) -> None:
        if not self.alive:
            return
        worker = data.draw(st.sampled_from(self.alive))
        gives = {(key, worker.life.holder): amount for key, amount in worker.left.items() if amount}
        worker.left.clear()
        self.run(self.ledger.serve((), gives=gives))

    def book(self, data: st.DataObject) -> None:
        """Book parts of what is there, each from a place that is booked: after a crash ingest repeats a part."""
        written = [worker for worker in self.workers if worker.spool]
        if not written:
            return
        worker = data.draw(st.sampled_from(written))
        for share in data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=3)):
            end = max(1, round(share * len(worker.spool)))
            # A frame's records are read together.
            while end < len(worker.spool) and worker.spool[end].records == worker.spool[end - 1].records:
                end += 1
            self.book_range(worker, 0 if share < 0.5 else worker.booked, end)

    def book_range(self, worker: Worker, start: int, end: int) -> None:
        charges = worker.spool[start:end]
        if not charges:
            return
        new = self.run(self.ledger.settle(worker.spool_name, Place("seg", charges[-1].records), charges))
        assert new == max(0, end - worker.booked)
        for charge in worker.spool[worker.booked : end]:
            self.charged[charge.key] += charge.amount or 0
        worker.booked = max(worker.booked, end)

    def kill(self, data: st.DataObject) -> None:
        if self.alive:
            data.draw(st.sampled_from(self.alive)).is_alive = False

    def end_life(self, data: st.DataObject) -> None:
        dead = [worker for worker in self.workers if not worker.is_alive]
        if not dead:
            return
        worker = data.draw(st.sampled_from(dead))
        self.end(worker)
        if data.draw(st.booleans()):
            self.run(self.ledger.end(worker.life.holder, self.book_of(worker)))

    def book_of(self, worker: Worker) -> list[Held]:
        now_ns = self.clock.unix_ns()
        return [Held(call_id, now_ns, tuple(held.items())) for call_id, held in worker.calls.items()]

    def end(self, worker: Worker) -> None:
        self.book_range(worker, worker.booked, len(worker.spool))
        self.run(self.ledger.end(worker.life.holder, self.book_of(worker)))
        self.workers.remove(worker)

    def resolve(self, data: st.DataObject) -> None:
        rows = self.run(self.ledger.rows())
        if not rows:
            return
        row = data.draw(st.sampled_from(rows))
        amount = data.draw(st.integers(0, row.amount))
        self.run(self.ledger.resolve(row.id, amount, actor="ana"))
        self.used[row.account] += amount
        self.charged[row.account] += amount
        self.resolved[row.account] += amount

    def restart_the_keeper(self) -> None:
        self.ledger = self.new_ledger()
        for worker in self.alive:
            self.run(self.ledger.greet(worker.life, worker.holds()))

    def find_what_was_lost(self, data: st.DataObject) -> None:
        if self.alive:
            self.find_lost(data.draw(st.sampled_from(self.alive)))

    def find_lost(self, worker: Worker) -> None:
        self.clock.advance(3)
        self.book_range(worker, worker.booked, len(worker.spool))
        self.run(self.ledger.take_back_lost(worker.life.holder, taken_in_ns=self.clock.unix_ns()))

    @rule(what=st.sampled_from(HAPPENINGS), data=st.data())
    def happens(self, what: str, data: st.DataObject) -> None:
        """One rule for all: Hypothesis leaves rules out of a run, and without calls nothing else means much."""
        match what:
            case "start":
                self.start_worker()
            case "restart":
                self.restart_the_keeper()
            case _:
                getattr(self, what)(data)

    @invariant()
    def limits_hold_and_it_adds_up(self) -> None:
        wanted: Counter[str] = Counter()
        for worker in self.workers:
            wanted.update(worker.holds())
            for charge in worker.spool[worker.booked :]:
                wanted[charge.key] += charge.drawn
        for state in self.run(self.ledger.states()):
            assert state.settled + state.leased + state.expired <= state.limit + self.over[state.key]
            assert self.used[state.key] <= state.limit + self.over[state.key]
            assert wanted[state.key] <= state.leased
            assert state.settled == self.charged[state.key]

    def teardown(self) -> None:
        if not hasattr(self, "workers"):
            return
        for worker in self.workers[:]:
            if worker.is_alive:  # It goes as it should: what it does not need goes back, and it finds what was lost.
                worker.calls.clear()
                self.run(self.ledger.greet(worker.life, {}))
                self.find_lost(worker)
                assert worker.life.holder not in {
                    holder for holders in [self.run(self.ledger.lessees(KEYS.values()))] for holder in holders
                }
            self.end(worker)
        for row in self.run(self.ledger.rows()):
            self.run(self.ledger.resolve(row.id, 0, actor="ana"))
        for state in self.run(self.ledger.states()):
            assert (state.leased, state.expired) == (0, 0)
            assert state.settled == self.used[state.key]
        by_calls = {key: amount - self.resolved[key] for key, amount in self.charged.items()}
        assert self.run(self.ledger.verify(by_calls)) == {}


def test_its_sums_hold_whatever_happens(url: str) -> None:
    clock = FakeClock()
    with asyncio.Runner() as runner:
        Promises.runner, Promises.clock = runner, clock
        Promises.store = runner.run(ControlStore.open(url, clock))
        try:
            run_state_machine_as_test(
                Promises,
                settings=settings(
                    max_examples=EXAMPLES["sqlite" if url.startswith("sqlite") else "postgresql"],
                    stateful_step_count=STEPS,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(Promises.store.close())


@pytest.mark.parametrize("limit", [1_000])
async def test_two_keepers_on_one_database_never_grant_more_than_there_is(
    url: str, store: ControlStore, clock: FakeClock, limit: int
) -> None:
    other = await ControlStore.open(url, clock)
    try:
        ledgers = [store.ledger, other.ledger]
        for ledger in ledgers:
            await ledger.know([usd_budget(limit), usd_budget(limit, "second")])
        granted: Counter[str] = Counter()

        async def ask(number: int) -> None:
            # Each other question names the accounts the other way round: they must not wait for one another.
            wants = (want(7), want(7, rule="second"))
            asked = [Question(f"h{number}", wants if number % 2 else wants[::-1])]
            gives = {("b|acme", f"h{number - 10}"): 3} if number % 5 == 0 else {}
            for decision in await ledgers[number % 2].serve(asked, gives=gives, workers=2):
                for account in decision.accounts:
                    granted[account.key] += account.granted

        await asyncio.gather(*[ask(number) for number in range(200)])
        for state in await store.ledger.states():
            assert state.leased <= limit
        assert granted["second|acme"] == limit // 7 * 7
    finally:
        await other.close()
