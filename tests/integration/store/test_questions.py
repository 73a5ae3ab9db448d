"""The questions asked of the analytics store, answered as a plain loop over the same calls answers them."""

import dataclasses
import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.store.filled import COUNT, END, LENGTH_S, START, batch_of

from watchkeeper.core.call import Call
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.rows import CallFilter
from watchkeeper.testing.builders import START_NS, seeded_calls


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return list(seeded_calls(COUNT, length_s=LENGTH_S))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, calls: list[Call]) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('store')}/analytics")
    for at in range(0, COUNT, 500):
        store.insert_calls(batch_of(calls[at : at + 500]), token=str(at))
    yield store
    store.close()


def _target(call: Call) -> tuple[str, str]:
    return (call.attempts[-1].provider, call.attempts[-1].model) if call.attempts else ("", "")


FILTERS: list[tuple[CallFilter, Callable[[Call], bool]]] = [
    (CallFilter(), lambda call: True),
    (CallFilter(feature="support"), lambda call: call.feature == "support"),
    (CallFilter(tenant="tenant-3", status="ok"), lambda call: call.tenant == "tenant-3" and call.status == "ok"),
    (CallFilter(status="error"), lambda call: call.status == "error"),
    (CallFilter(error_class="timeout"), lambda call: call.error_class == "timeout"),
    (CallFilter(provider="anthropic"), lambda call: _target(call)[0] == "anthropic"),
    (CallFilter(model="gpt-4.1"), lambda call: _target(call)[1] == "gpt-4.1"),
    (CallFilter(route="extract", is_stream=True), lambda call: call.route == "extract" and call.is_stream),
    (CallFilter(is_stream=False), lambda call: not call.is_stream),
    (CallFilter(tag="beta"), lambda call: "beta" in call.tags),
    (CallFilter(min_cost_nusd=2_000_000), lambda call: (call.cost_nusd or 0) >= 2_000_000),
    (CallFilter(min_duration_ms=900), lambda call: round(call.duration_ms, 3) >= 900),
    (CallFilter(search="Refund WARRANTY"), lambda call: _has_words(call, "refund", "warranty")),
    (CallFilter(cost_status="estimated"), lambda call: call.cost_status == "estimated"),
    (CallFilter(cost_status="unpriced"), lambda call: call.cost_status == "unpriced"),
    (CallFilter(without=("tags",)), lambda call: not call.tags),
    (CallFilter(without=("tenant", "tags"), status="ok"), lambda call: not (call.tenant or call.tags)),
    (CallFilter(without=("id; DROP TABLE calls",)), lambda call: True),
    (CallFilter(release="r1"), lambda call: call.release == "r1"),
    (CallFilter(budget_note="refused b"), lambda call: "refused b" in call.budget_notes),
    (CallFilter(search="warrant"), lambda call: False),
    (CallFilter(search="\\'; DROP TABLE calls --"), lambda call: False),
    (
        CallFilter(since=START + timedelta(hours=1), until=START + timedelta(hours=2)),
        lambda call: 3_600 <= call.started_ns / 1e9 - START_NS / 1e9 < 7_200,
    ),
]


def _has_words(call: Call, *words: str) -> bool:
    batch_text = (call.request_body + call.response_body).decode().lower()
    said = set("".join(letter if letter.isalnum() else " " for letter in batch_text).split())
    return said.issuperset(words)


@pytest.mark.parametrize(("chosen", "holds"), FILTERS)
async def test_a_filter_finds_what_it_says(
    store: AnalyticsStore, calls: list[Call], chosen: CallFilter, holds: Callable[[Call], bool]
) -> None:
    if chosen.search == "Refund WARRANTY":  # a stream's text comes in pieces; see the test of searching
        chosen = dataclasses.replace(chosen, is_stream=False, status="ok")
        expected = [call.id for call in calls if holds(call) and not call.is_stream and call.status == "ok"]
    else:
        expected = [call.id for call in calls if holds(call)]
    page = await store.calls(chosen, limit=COUNT)
    assert [row.id for row in page.rows] == sorted(expected, reverse=True)
    assert await store.count(chosen) == len(expected)


async def test_pages_join_without_gap_or_repetition(store: AnalyticsStore, calls: list[Call]) -> None:
    found: list[str] = []
    before = None
    while True:
        page = await store.calls(CallFilter(feature="search"), before=before, limit=37)
        found += [row.id for row in page.rows]
        before = page.next_before
        if before is None:
            break
    assert found == sorted((call.id for call in calls if call.feature == "search"), reverse=True)


async def test_a_call_comes_back_with_everything(store: AnalyticsStore, calls: list[Call]) -> None:
    for call in random.Random(1).sample(calls, 25):
        found = await store.call(call.id)
        assert found is not None
        assert found.row.id == call.id
        assert found.row.started_at == datetime.fromtimestamp(call.started_ns // 1000 / 1e6, UTC)
        assert (found.request_body, found.response_body) == (call.request_body, call.response_body)
        assert found.metadata == call.metadata
        assert [attempt.number for attempt in found.attempts] == [attempt.number for attempt in call.attempts]
        assert len(found.chunk_offsets_us) == len(call.chunk_offsets_us) // 4
        assert (found.row.cost_nusd, found.row.cost_status) == (call.cost_nusd, call.cost_status)
        usage = call.usage
        assert found.row.input_tokens == (usage.input_tokens if usage else None)
        assert found.row.first_token_ms == (None if call.first_token_ms is None else round(call.first_token_ms, 3))


@pytest.mark.parametrize("call_id", ["", "nonsense", "0" * 26, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "' OR 1=1 --" + " " * 15])
async def test_an_id_of_no_call_finds_nothing(store: AnalyticsStore, call_id: str) -> None:
    assert await store.call(call_id) is None


async def test_facets_count_every_value(store: AnalyticsStore, calls: list[Call]) -> None:
    facets = {facet.field: dict(facet.values) for facet in await store.facets(CallFilter(is_stream=True))}
    streams = [call for call in calls if call.is_stream]
    assert facets["feature"] == Counter(call.feature for call in streams)
    assert facets["status"] == Counter(call.status for call in streams)
    assert facets["provider"] == Counter(_target(call)[0] for call in streams)
    most = Counter(call.tenant for call in streams).most_common(1)[0][1]
    assert max(facets["tenant"].values()) == most


async def test_the_overview_adds_up(store: AnalyticsStore, calls: list[Call]) -> None:
    found = await store.overview(START, END, steps=12, where=CallFilter())
    assert found.total.calls == COUNT == sum(step.calls for step in found.steps)
    assert found.total.errors == sum(call.status == "error" for call in calls)
    assert found.total.cancelled == sum(call.status == "cancelled" for call in calls)
    assert found.total.errors_by_class == Counter(call.error_class for call in calls if call.status == "error")
    assert found.total.cost_nusd == sum(call.cost_nusd or 0 for call in calls)
    assert found.total.estimated_nusd == sum(call.cost_nusd or 0 for call in calls if call.cost_status == "estimated")
    assert found.total.unpriced_calls == sum(call.cost_status == "unpriced" for call in calls)
    assert found.total.input_tokens == sum(call.usage.input_tokens for call in calls if call.usage)
    assert found.total.duration_p50_ms == pytest.approx(statistics.median(call.duration_ms for call in calls), rel=0.05)
    assert found.previous.calls == 0
    assert found.previous.duration_p50_ms is None
    dearest = Counter[str]()
    for call in calls:
        dearest[call.feature] += call.cost_nusd or 0
    assert [share.name for share in found.top_features] == [name for name, _ in dearest.most_common(10)]


async def test_a_step_of_the_overview_holds_the_calls_of_its_time(store: AnalyticsStore, calls: list[Call]) -> None:
    found = await store.overview(START, END, steps=6, where=CallFilter(feature="drafts"))
    assert [step.at for step in found.steps] == [START + timedelta(hours=hour) for hour in range(6)]
    hours = Counter((call.started_ns - START_NS) // 3_600_000_000_000 for call in calls if call.feature == "drafts")
    assert [step.calls for step in found.steps] == [hours[hour] for hour in range(6)]
