"""What calls on the spool have used arrives in the ledger once, before their records are stored."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration.ledger.lines import HOST, usd_budget, want

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.money import Charge
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.ingest.settling import LoopSettler
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.money.windows import Window
from watchkeeper.spool.segment import CALL_RECORD
from watchkeeper.spool.writer import SpoolWriter
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.control import ControlStore
from watchkeeper.store.ledger import Life, Question
from watchkeeper.testing import FakeClock

SPOOL_KEY = b"k" * 32
CLOCK = SystemClock()
IDS = CallIds(CLOCK)
PRICE = 210_000
"""Of 1,000 tokens in and 100 out of gpt-4o-mini, in nano-dollars."""


def charged(amount: int | None, **fields: Any) -> Call:
    attempt = Attempt(number=1, provider="openai", model="gpt-4o-mini", dialect="openai", started_ms=0.1)
    values: dict[str, Any] = {
        "id": IDS.next(),
        "started_ns": CLOCK.unix_ns(),
        "worker": "w0",
        "attempts": [attempt],
        "usage": Usage(1000, output_text=100),
        "usage_status": "measured",
        "charges": [Charge("b|acme", "b", "nusd", 400_000, 200_000, amount)],
        "budget_notes": ["would_refuse b"],
        "holder": "w0.1",
    }
    return Call(**(values | fields))


async def write(folder: Path, *calls: Call) -> None:
    spool = SpoolWriter(folder, SPOOL_KEY, loop=asyncio.get_running_loop(), clock=CLOCK)
    await spool.start()
    for call in calls:
        await spool.commit(CALL_RECORD, msgspec.msgpack.encode(call))
    await spool.close()


class Away:
    """A store that is away so many times."""

    def __init__(self, store: AnalyticsStore, times: int) -> None:
        self._store = store
        self._times = times

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        self._times -= 1
        if self._times >= 0:
            raise ConnectionError("away")
        self._store.insert_calls(batch, token=token)


async def drained(tmp_path: Path, ledger_store: ControlStore, store: Any) -> None:
    """Take in what is there, and again what could not be stored, by another process each time."""
    pricer = BookPricer.by_list(PriceBook.of(installed()), {"openai": "openai"})
    settler = LoopSettler(ledger_store.ledger, asyncio.get_running_loop(), host=HOST)
    for _ in range(4):
        drain = Drain(tmp_path / "spool", SPOOL_KEY, store, pricer, clock=CLOCK, settler=settler)
        while await asyncio.to_thread(drain.step):
            pass
        drain.close()


@pytest.fixture
async def leased(store: ControlStore) -> ControlStore:
    """A worker holds a million."""
    await store.ledger.know([usd_budget(10_000_000)])
    await store.ledger.greet(Life(f"{HOST}/w0.1", HOST, "w0", 1, ""), {})
    await store.ledger.serve([Question(f"{HOST}/w0.1", (want(1_000_000),))])
    return store


async def test_calls_are_booked_once_though_the_store_was_away(leased: ControlStore, tmp_path: Path) -> None:
    calls = [charged(1), charged(None), charged(PRICE), charged(3, charges=[])]
    await write(tmp_path / "spool" / "w0", *calls)
    analytics = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    await drained(tmp_path, leased, Away(analytics, 2))
    state = await leased.ledger.state("b|acme")
    assert state is not None
    assert (state.settled, state.leased, state.would_refuse, state.unpriced_calls) == (3 * PRICE, 400_000, 3, 0)
    sums = await analytics.charge_sums()
    assert sums == {"b|acme": 3 * PRICE}
    assert await leased.ledger.verify(sums) == {}
    assert await analytics.stored_ids([calls[0].id, IDS.next(), "no id"]) == {calls[0].id}
    analytics.close()


async def test_what_a_call_uses_belongs_to_the_window_in_which_it_was_set_aside(
    leased: ControlStore, clock: FakeClock, tmp_path: Path
) -> None:
    day_before_ns = clock.unix_ns() - 25 * 3600 * 10**9  # The request's first byte; its body took a day.
    await leased.ledger.know([usd_budget(10_000_000, window=Window("rolling", length_s=3600))])
    held = Charge("b|acme", "b", "nusd", 400_000, 200_000, PRICE, clock.unix_ns())
    older = Charge("b|acme", "b", "nusd", 400_000, 200_000, PRICE)  # by a worker that does not tell
    await write(
        tmp_path / "spool" / "w0",
        charged(PRICE, started_ns=day_before_ns, charges=[held]),
        charged(PRICE, started_ns=day_before_ns, charges=[older]),
    )
    analytics = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    await drained(tmp_path, leased, analytics)
    state = await leased.ledger.state("b|acme")
    assert state is not None
    assert state.settled == PRICE
    assert await leased.ledger.verify(await analytics.charge_sums()) == {}
    analytics.close()


async def test_what_nobody_can_price_is_booked_as_the_worker_says_or_as_nothing(
    leased: ControlStore, tmp_path: Path
) -> None:
    nobody = [Attempt(number=1, provider="nobody", model="m", dialect="openai", started_ms=0.0)]
    await write(tmp_path / "spool" / "w0", charged(None, attempts=nobody), charged(70, attempts=nobody))
    analytics = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    await drained(tmp_path, leased, analytics)
    state = await leased.ledger.state("b|acme")
    assert state is not None
    assert (state.settled, state.unpriced_calls) == (70, 1)
    assert await leased.ledger.verify(await analytics.charge_sums()) == {}
    analytics.close()


async def test_calls_wait_in_the_spool_while_the_ledger_is_away(tmp_path: Path) -> None:
    class NoLedger:
        def settle(self, worker: str, place: object, charges: list[Any]) -> None:
            raise ConnectionError("away")

    analytics = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    call, free = charged(1), charged(1, charges=[])
    await write(tmp_path / "spool" / "w0", call)
    await write(tmp_path / "spool" / "w1", free)
    drain = Drain(tmp_path / "spool", SPOOL_KEY, analytics, BookPricer(Terms({})), clock=CLOCK, settler=NoLedger())
    while await asyncio.to_thread(drain.step):
        pass
    assert await analytics.stored_ids([call.id, free.id]) == {free.id}
    assert "away" in drain.status()["trouble"]
    assert not drain.is_drained("w0", before_ns=CLOCK.unix_ns())
    assert drain.is_drained("w0", before_ns=1)
    assert drain.is_drained("w1", before_ns=CLOCK.unix_ns())
    assert drain.taken_in_ns("w0") == 0
    assert drain.taken_in_ns("w1") > 0
    drain.close()
    analytics.close()
