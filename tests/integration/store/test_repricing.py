"""The past priced again: corrections beside the calls, exact, once, and never in place of what was written."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.recorded import a_call, an_attempt

from watchkeeper.core.call import Call
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.ingest import recompute
from watchkeeper.ingest.pricing import BookPricer, Pricer, Terms
from watchkeeper.ingest.recompute import Approval, Recomputed, Repricing
from watchkeeper.ingest.rows import add_call
from watchkeeper.money.contracts import Contract
from watchkeeper.money.prices import BUCKETS, Match, ModelPrices, PriceList, Rate, Rates
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.corrections import Stretch
from watchkeeper.testing import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = Stretch(since=START, until=START + timedelta(days=7))
APPROVAL = Approval(actor="ana", reason="price book 2")


def _priced(**nusd_per_token: int) -> BookPricer:
    """Price each model at so many nano-dollars a unit; the others are unpriced."""
    models = [
        ModelPrices(Match("equals", model), (Rates(f"at {nusd}", None, None, (Rate(nusd * 10**6),) * len(BUCKETS)),))
        for model, nusd in nusd_per_token.items()
    ]
    return BookPricer(Terms({"openai": PriceList("openai", tuple(models))}))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnalyticsStore]:
    opened = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    yield opened
    opened.close()


def _insert(store: AnalyticsStore, pricer: Pricer, calls: list[Call]) -> None:
    batch = CallBatch()
    for call in calls:
        add_call(batch, call, pricer, stored_us=call.started_ns // 1000)
    store.insert_calls(batch, token=calls[0].id)


def _call(clock: FakeClock, model: str = "m", *, tokens: int = 10, **fields: Any) -> Call:
    usage = Usage(tokens)
    attempt = an_attempt(model=model, usage=usage, usage_status="measured", **fields.pop("attempt", {}))
    return a_call(
        CallIds(clock), clock, **({"attempts": [attempt], "usage": usage, "usage_status": "measured"} | fields)
    )


async def _recompute(
    store: AnalyticsStore, clock: FakeClock, pricer: Pricer, stretch: Stretch = WEEK, approval: Approval = APPROVAL
) -> Recomputed:
    return await Repricing(store, clock, asyncio.Lock()).recompute(stretch, pricer, approval)


async def _corrections(store: AnalyticsStore) -> list[Mapping[str, Any]]:
    columns = "call_id, call_started_at, recorded_at, old_nusd, new_nusd, delta_nusd, price_source, reason, actor"
    rows = await store._ask(f"SELECT {columns} FROM corrections ORDER BY recorded_at, call_id", {})
    return [dict(zip(columns.split(", "), row, strict=True)) for row in rows]


async def test_a_price_that_was_wrong_leaves_a_correction_and_the_call_as_it_was(
    store: AnalyticsStore, clock: FakeClock
) -> None:
    call = _call(clock)
    _insert(store, _priced(m=3), [call])
    clock.advance(86_400)
    assert await _recompute(store, clock, _priced(m=2)) == Recomputed(1, 1, 0, 0, 30, 20)
    [found] = await _corrections(store)
    assert found == {
        "call_id": call.id,
        "call_started_at": START,
        "recorded_at": START + timedelta(days=1),
        "old_nusd": 30,
        "new_nusd": 20,
        "delta_nusd": -10,
        "price_source": "at 2",
        "reason": "price book 2",
        "actor": "ana",
    }
    kept = await store.call(call.id)
    assert kept is not None
    assert kept.row.cost_nusd == 30


async def test_a_second_time_finds_nothing_to_correct_and_the_way_back_is_a_correction_too(
    store: AnalyticsStore, clock: FakeClock
) -> None:
    _insert(store, _priced(m=3), [_call(clock) for _ in range(20)])
    corrected: list[int] = []
    for nusd in (2, 2, 3, 3, 2):
        clock.advance(1)
        corrected.append((await _recompute(store, clock, _priced(m=nusd))).corrected)
    assert corrected == [20, 0, 20, 0, 20]
    found = await _corrections(store)
    assert 20 * 30 + sum(one["delta_nusd"] for one in found) == 20 * 20


async def test_a_call_without_a_price_gets_one_later(store: AnalyticsStore, clock: FakeClock) -> None:
    _insert(store, _priced(), [_call(clock)])
    assert await _recompute(store, clock, _priced(m=2)) == Recomputed(1, 1, 1, 0, 0, 20)
    [found] = await _corrections(store)
    assert (found["old_nusd"], found["new_nusd"], found["delta_nusd"]) == (None, 20, 20)


async def test_a_price_that_nobody_knows_any_more_corrects_nothing(store: AnalyticsStore, clock: FakeClock) -> None:
    _insert(store, _priced(m=3), [_call(clock)])
    assert await _recompute(store, clock, _priced()) == Recomputed(1, 0, 0, 1, 0, 0)
    elsewhere = BookPricer(Terms({}))
    assert (await _recompute(store, clock, elsewhere)).corrected == 0
    assert await _corrections(store) == []


async def test_a_rehearsal_writes_nothing_down(store: AnalyticsStore, clock: FakeClock) -> None:
    _insert(store, _priced(m=3), [_call(clock)])
    rehearsal = Approval(actor="ana", reason="", is_rehearsal=True)
    assert (await _recompute(store, clock, _priced(m=2), approval=rehearsal)).corrected == 1
    assert await _corrections(store) == []


async def test_only_calls_of_the_stretch_and_of_the_feature_are_priced_again(
    store: AnalyticsStore, clock: FakeClock
) -> None:
    calls: list[Call] = []
    for feature in ("support", "search", "support"):
        calls.append(_call(clock, feature=feature))
        clock.advance(3_600)
    _insert(store, _priced(m=3), calls)
    hours = Stretch(since=START, until=START + timedelta(hours=2), feature="support")
    assert (await _recompute(store, clock, _priced(m=2), hours)).calls == 1
    assert [one["call_id"] for one in await _corrections(store)] == [calls[0].id]


async def test_every_attempt_tier_and_contract_counts_as_when_the_call_was_stored(
    store: AnalyticsStore, clock: FakeClock
) -> None:
    rows = (
        Rates("s", None, None, (Rate(10**7),) * 11),
        Rates("s", None, None, (Rate(10**6),) * 11, service_tier="flex"),
    )
    terms = Terms(
        {"openai": PriceList("openai", (ModelPrices(Match("contains"), rows),))},
        (Contract("openai", "acme", discount_bp=5_000),),
    )
    attempts = [
        an_attempt(number=1, usage=Usage(3), usage_status="estimated"),
        an_attempt(number=2, usage=None, usage_status="missing", cost_nusd=0, cost_status="measured"),
        an_attempt(number=3, usage=Usage(8, server_tools=2), usage_status="measured", service_tier="flex"),
    ]
    call = _call(clock, attempts=attempts, usage=Usage(11, server_tools=2), usage_status="estimated", tenant="acme")
    _insert(store, BookPricer(terms), [call])
    kept = await store.call(call.id)
    assert kept is not None
    assert kept.row.cost_nusd == (3 * 10 + 10 * 1) // 2
    assert (kept.attempts[2].service_tier, kept.usage["server_tools"]) == ("flex", 2)
    assert await _recompute(store, clock, BookPricer(terms)) == Recomputed(1, 0, 0, 0, 0, 0)


async def test_pages_leave_no_call_out_and_price_none_twice(
    store: AnalyticsStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute, "PAGE", 7)
    calls: list[Call] = []
    for number in range(50):
        calls.append(_call(clock, tokens=number))
        clock.advance(1_800)
    _insert(store, _priced(m=3), calls)
    found = await _recompute(store, clock, _priced(m=5))
    # The first call used nothing, and nothing stays nothing.
    assert found == Recomputed(50, 49, 0, 0, 3 * sum(range(50)), 5 * sum(range(50)))
    assert len({one["call_id"] for one in await _corrections(store)}) == 49


async def test_what_a_tenant_is_charged_is_kept_beside_the_cost_where_it_differs(
    store: AnalyticsStore, clock: FakeClock
) -> None:
    terms = _priced(m=10).terms
    pricer = BookPricer(Terms(terms.lists, (Contract(tenant="acme", mark_up_bp=2_000),)))
    marked, plain = _call(clock, tenant="acme"), _call(clock, tenant="")
    _insert(store, pricer, [marked, plain])
    for call, charged_nusd in ((marked, 120), (plain, None)):
        kept = await store.call(call.id)
        assert kept is not None
        assert (kept.row.cost_nusd, kept.charged_nusd) == (100, charged_nusd)


async def test_the_question_on_the_page_sums_calls_and_their_corrections(
    store: AnalyticsStore, clock: FakeClock
) -> None:
    page = (Path(__file__).parents[3] / "docs/prices.md").read_text("utf-8")
    [question] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    known, unknown, left = _call(clock), _call(clock, "other"), _call(clock, "nobody")
    _insert(store, _priced(m=3), [known, unknown, left])
    for nusd in (2, 4):
        clock.advance(1)
        await _recompute(store, clock, _priced(m=nusd, other=nusd))
    assert dict(await store._ask(question, {})) == {known.id: 40, unknown.id: 40, left.id: None}
