"""What is leased stays what workers have, though transactions fail and lines break at the worst moment."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.integration.ledger.lines import HOST, Line, serving, usd_budget, want

from watchkeeper.money.budgets import Limit
from watchkeeper.money.leases import Ask, Give
from watchkeeper.store.control import ControlStore
from watchkeeper.store.tables import ledger_leases
from watchkeeper.testing import FakeClock

HOLDER = f"{HOST}/w0.1"
Work = Callable[..., Awaitable[Any]]


async def leased(store: ControlStore) -> dict[str, int]:
    """What the table says, by holder."""
    async with store.ledger._engine.connect() as connection:
        return {row.holder: row.amount for row in await connection.execute(select(ledger_leases)) if row.amount}


async def spool_is_in(store: ControlStore, clock: FakeClock) -> None:
    clock.advance(60)
    await store.ledger.take_back_lost(HOLDER, taken_in_ns=clock.unix_ns())


@contextlib.contextmanager
def first_call(store: ControlStore, name: str, work: Callable[[Work], Work]) -> Iterator[None]:
    """Have the first call of a method of the ledger go another way."""
    real: Work = getattr(store.ledger, name)
    ways = iter([work(real)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.ledger, name, lambda *args, **named: next(ways, real)(*args, **named))
        yield


def fails(error: Exception, *, after_s: float = 0.0) -> Callable[[Work], Work]:
    async def work(*args: object, **named: object) -> None:
        await asyncio.sleep(after_s)
        raise error

    return lambda real: work


def is_late(by_s: float) -> Callable[[Work], Work]:
    def late(real: Work) -> Work:
        async def work(*args: object, **named: object) -> Any:
            done = await real(*args, **named)
            await asyncio.sleep(by_s)
            return done

        return work

    return late


@pytest.mark.parametrize("asks_too", [True, False])
async def test_what_is_given_back_in_a_transaction_that_fails_is_taken_back_once(
    store: ControlStore, clock: FakeClock, tmp_path: Path, asks_too: bool
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        assert (await line.ask(want(500))).is_granted
        with first_call(store, "serve", fails(OSError("away"))):
            line.say(Give({"b|acme": 200}))
            if asks_too:
                line.say(Ask(7, (want(0),)))
            assert await line.is_cut()
            again = await Line.open(tmp_path / "l.sock", leased={"b|acme": 300})
            assert (await again.ask(want(0))).is_granted
        await spool_is_in(store, clock)
        assert await leased(store) == {HOLDER: 300}
        other = await Line.open(tmp_path / "l.sock", "w1.1")
        assert not (await other.ask(want(701))).is_granted
        assert (await other.ask(want(700))).is_granted


async def test_what_was_given_back_on_a_broken_line_is_taken_back_once(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        await line.ask(want(500))
        with first_call(store, "serve", is_late(0.3)):
            line.say(Ask(7, (want(0),)))
            await asyncio.sleep(0.1)
            line.say(Give({"b|acme": 200}))  # It waits for the transaction that is under way.
            await asyncio.sleep(0.05)
            line.close()
            again = await Line.open(tmp_path / "l.sock", leased={"b|acme": 300})
            assert (await again.ask(want(0))).is_granted
        await spool_is_in(store, clock)
        assert await leased(store) == {HOLDER: 300}


async def test_questions_of_a_line_that_was_cut_are_not_decided_after_the_next_hello(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000_000)):
        line = await Line.open(tmp_path / "l.sock")
        with first_call(store, "serve", fails(OSError("away"), after_s=0.2)):
            line.say(Ask(1, (want(100),)))
            await asyncio.sleep(0.05)
            for number in range(2, 12):
                line.say(Ask(number, (want(100),)))
            assert await line.is_cut()
            again = await Line.open(tmp_path / "l.sock")
            assert (await again.ask(want(7))).is_granted
        assert await leased(store) == {HOLDER: 7}


async def test_what_was_granted_to_a_line_that_broke_meanwhile_is_available_again(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        with first_call(store, "serve", is_late(0.2)):
            line.say(Ask(1, (want(1_000),)))
            await asyncio.sleep(0.1)
            line.close()
            other = await Line.open(tmp_path / "l.sock", "w1.1")
            assert (await other.ask(want(1_000))).is_granted
        again = await Line.open(tmp_path / "l.sock")
        assert (await again.ask(want(0))).is_granted
        await spool_is_in(store, clock)
        assert await leased(store) == {f"{HOST}/w1.1": 1_000}


async def test_a_lease_of_a_rate_counts_once_however_often_the_line_breaks(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, Limit("r", (("tenant", "*"),), "requests", 600, 60)) as service:
        line = await Line.open(tmp_path / "l.sock")
        assert (await line.ask(want(20, rule="r"))).accounts[0].granted == 20
        for _ in range(3):
            line.close()
            while service.connected:
                await asyncio.sleep(0.01)
            line = await Line.open(tmp_path / "l.sock", leased={"r|acme": 20})
            assert (await line.ask(want(0, rule="r"))).accounts[0].used == 20
    async with serving(store, clock, tmp_path, Limit("r", (("tenant", "*"),), "requests", 600, 60)):
        line = await Line.open(tmp_path / "l.sock", leased={"r|acme": 20})  # of a keeper that forgot
        assert (await line.ask(want(0, rule="r"))).accounts[0].used == 20


async def test_a_question_is_answered_though_the_neighbours_cannot_be_asked(
    store: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    async with serving(store, clock, tmp_path, usd_budget(1_000)):
        line = await Line.open(tmp_path / "l.sock")
        with first_call(store, "lessees", fails(RuntimeError("anything"))):
            answer = await line.ask(want(1_001))
        assert (answer.is_granted, answer.accounts[0].limit) == (False, 1_000)
