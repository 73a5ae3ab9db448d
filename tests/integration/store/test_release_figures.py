"""Questions about features and releases, answered as a plain loop over the same calls answers them."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from tests.integration.store.filled import COUNT, END, LENGTH_S, START, batch_of

from watchkeeper.core.call import Call
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.rows import CallFilter
from watchkeeper.testing.builders import seeded_calls

WINDOW = CallFilter(since=START, until=END)
STEPS = 20


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    dice = random.Random(5)
    made = list(seeded_calls(COUNT, length_s=LENGTH_S))
    for call in made:
        call.release = dice.choice(("", "wk1-a", "wk1-b"))
        call.environment = dice.choice(("production", "staging"))
        call.output_status = dice.choice(("", "ok", "ok", "repaired", "failed"))
        call.origin = dice.choice(("client", "client", "client", "shadow", "replay"))
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, calls: list[Call]) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('store')}/analytics")
    store.insert_calls(batch_of(calls), token="all")
    yield store
    store.close()


def own(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.origin == "client"]


async def test_copies_count_in_the_cost_of_a_feature_and_in_nothing_else(
    store: AnalyticsStore, calls: list[Call]
) -> None:
    found = {one.feature: one for one in await store.releases.features(WINDOW)}
    assert set(found) == {call.feature for call in calls}
    for name, one in found.items():
        mine = [call for call in calls if call.feature == name]
        assert one.calls == len(own(mine))
        assert one.errors == sum(call.status == "error" for call in own(mine))
        assert one.checked_outputs == sum(call.output_status != "" for call in own(mine))
        assert one.failed_outputs == sum(call.output_status == "failed" for call in own(mine))
        assert one.copied_calls == len(mine) - len(own(mine)) > 0
        assert one.cost_nusd == sum(call.cost_nusd or 0 for call in mine)
        assert one.unpriced_calls == sum(call.cost_nusd is None for call in mine)


async def test_the_overview_counts_copies_only_where_money_does(store: AnalyticsStore, calls: list[Call]) -> None:
    found = await store.overview(START, END, steps=STEPS, where=CallFilter())
    assert found.total.calls == len(own(calls)) == sum(step.calls for step in found.steps)
    assert found.total.copied_calls == len(calls) - len(own(calls))
    assert found.total.errors == sum(call.status == "error" for call in own(calls))
    assert sum(found.total.errors_by_class.values()) == found.total.errors
    assert found.total.cost_nusd == sum(call.cost_nusd or 0 for call in calls)
    assert found.total.failed_outputs == sum(call.output_status == "failed" for call in own(calls))
    assert sum(share.calls for share in found.top_features) <= len(own(calls))
    shadows = await store.overview(START, END, steps=STEPS, where=CallFilter(origin="shadow"))
    assert shadows.total.calls == sum(call.origin == "shadow" for call in calls)
    assert shadows.total.errors == sum(call.origin == "shadow" and call.status == "error" for call in calls)


async def test_each_release_has_its_figures_in_each_environment(store: AnalyticsStore, calls: list[Call]) -> None:
    found = {(one.release, one.environment): one for one in await store.releases.releases(WINDOW)}
    assert set(found) == {(release, place) for release in ("wk1-a", "wk1-b") for place in ("production", "staging")}
    for (release, place), one in found.items():
        mine = [call for call in own(calls) if (call.release, call.environment) == (release, place)]
        priced = [call.cost_nusd for call in mine if call.cost_nusd is not None]
        assert (one.calls, one.errors) == (len(mine), sum(call.status == "error" for call in mine))
        assert one.checked_outputs == sum(call.output_status != "" for call in mine)
        assert (one.cost_nusd, one.priced_calls) == (sum(priced), len(priced))
        assert one.cost_squares == pytest.approx(float(sum(nusd**2 for nusd in priced)))


async def test_outputs_are_counted_by_step_and_release(store: AnalyticsStore, calls: list[Call]) -> None:
    found = await store.releases.output_steps(START, END, steps=STEPS, chosen=WINDOW)
    checked = [call for call in own(calls) if call.output_status]
    assert sum(one.checked for one in found) == len(checked)
    assert sum(one.failed for one in found) == sum(call.output_status == "failed" for call in checked)
    assert {one.release for one in found} == {"", "wk1-a", "wk1-b"}
    assert {one.step for one in found} <= set(range(STEPS))


async def test_the_last_hour_is_told_apart_from_what_was_before(store: AnalyticsStore, calls: list[Call]) -> None:
    late = END - timedelta(hours=1)
    late_ns = int(late.timestamp()) * 10**9
    for one in await store.releases.output_shares(START, late, END, limit=100):
        mine = [call for call in own(calls) if call.feature == one.feature and call.output_status]
        last = [call for call in mine if call.started_ns >= late_ns]
        assert (one.checked, one.checked_before) == (len(last), len(mine) - len(last))
        assert one.failed == sum(call.output_status == "failed" for call in last)
        assert one.failed + one.failed_before == sum(call.output_status == "failed" for call in mine)


@pytest.mark.parametrize(
    ("chosen", "holds"),
    [
        (CallFilter(release="wk1-a"), lambda call: call.release == "wk1-a"),
        (CallFilter(origin="shadow"), lambda call: call.origin == "shadow"),
        (CallFilter(output_status="failed"), lambda call: call.output_status == "failed"),
        (CallFilter(rollout="nobody"), lambda call: False),
    ],
    ids=["release", "origin", "output", "rollout"],
)
async def test_calls_are_found_by_what_a_release_has_to_do_with_them(
    store: AnalyticsStore, calls: list[Call], chosen: CallFilter, holds: Callable[[Call], bool]
) -> None:
    assert await store.count(chosen) == sum(map(holds, calls))
