"""Questions about whole hours, answered as a plain loop over the same calls answers them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.integration.store.filled import COUNT, END, LENGTH_S, START, batch_of

from watchkeeper.core.call import Call
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.hours import HourRow
from watchkeeper.store.rows import CallFilter
from watchkeeper.testing.builders import seeded_calls

WINDOW = CallFilter(since=START, until=END)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    made = list(seeded_calls(COUNT, length_s=LENGTH_S))
    for call in made[::50]:
        call.faults = ["fault-1"]
    for call in made[::70]:
        for attempt in call.attempts:
            attempt.usage, attempt.usage_status = call.usage, "measured" if call.usage else "missing"
            attempt.cost_nusd, attempt.cost_status = None, "unpriced"
        call.cost_nusd, call.cost_status = None, "unpriced"
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, calls: list[Call]) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('store')}/analytics")
    store.insert_calls(batch_of(calls), token="all")
    yield store
    store.close()


def tokens(call: Call) -> int:
    return sum(msgspec.structs.astuple(call.usage)) if call.usage is not None else 0


def counted(calls: list[Call]) -> list[HourRow]:
    by_hour: dict[datetime, list[Call]] = defaultdict(list)
    for call in calls:
        at = datetime.fromtimestamp(call.started_ns / 1e9, UTC)
        by_hour[at.replace(minute=0, second=0, microsecond=0)].append(call)
    return [
        HourRow(
            start=hour,
            calls=len(found),
            tokens=sum(map(tokens, found)),
            cost_nusd=sum(call.cost_nusd or 0 for call in found),
            estimated_nusd=sum(call.cost_nusd or 0 for call in found if call.cost_status == "estimated"),
            unpriced_calls=sum(call.cost_status == "unpriced" for call in found),
            drilled_calls=sum(bool(call.faults) for call in found),
        )
        for hour, found in sorted(by_hour.items())
    ]


async def test_each_hour_has_what_was_used_in_it(store: AnalyticsStore, calls: list[Call]) -> None:
    assert list(await store.hourly(WINDOW)) == counted(calls)
    support = [call for call in calls if call.feature == "support"]
    assert list(await store.hourly(replace(WINDOW, feature="support"))) == counted(support)
    assert await store.hourly(replace(WINDOW, since=END, until=END + timedelta(hours=1))) == ()


async def test_features_that_cost_enough_are_named_what_costs_most_first(
    store: AnalyticsStore, calls: list[Call]
) -> None:
    cost: dict[str, int] = defaultdict(int)
    for call in calls:
        cost[call.feature] += call.cost_nusd or 0
    dearest = sorted(cost, key=cost.__getitem__, reverse=True)
    assert await store.spenders(WINDOW, least_nusd=cost[dearest[2]], limit=10) == tuple(dearest[:3])
    assert await store.spenders(WINDOW, least_nusd=0, limit=1) == (dearest[0],)


async def test_models_without_a_price_are_counted_but_not_what_failed(store: AnalyticsStore, calls: list[Call]) -> None:
    lacking: dict[str, set[str]] = defaultdict(set)
    for call in calls[::70]:
        for attempt in call.attempts:
            if attempt.usage is not None:
                lacking[attempt.model].add(call.id)
    found = await store.unpriced(START, END, limit=100)
    assert {row.model: row.calls for row in found} == {model: len(ids) for model, ids in lacking.items()}
    assert [row.calls for row in found] == sorted((row.calls for row in found), reverse=True)
    first = min(call.started_ns for call in calls if call.id in lacking[found[0].model])
    assert found[0].first_at == datetime.fromtimestamp(first // 1000 / 1e6, UTC)
    assert found[0].tokens > 0
