"""The questions about drift are answered as a plain loop over the same calls answers them."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.store.filled import COUNT, END, LENGTH_S, START, batch_of

from watchkeeper.core.call import Call
from watchkeeper.evals.drift.readings import Group
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.testing.builders import seeded_calls


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    dice = random.Random(7)
    made = list(seeded_calls(COUNT, length_s=LENGTH_S))
    for call in made:
        call.release = dice.choice(("", "wk1-a"))
        call.environment = "production"
        call.served_from = "upstream" if call.status == "ok" else ""
        call.session = f"s{dice.randrange(400)}" if dice.random() < 0.7 else ""
        call.origin = dice.choice(("client", "client", "client", "shadow", "replay"))
        call.faults = ["drill"] if dice.random() < 0.05 else []
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, calls: list[Call]) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('store')}/analytics")
    store.insert_calls(batch_of(calls), token="all")
    yield store
    store.close()


def group_of(call: Call) -> Group:
    last = call.attempts[-1]
    return Group(call.feature, call.environment, call.release, f"{last.provider}/{last.model}")


def counted(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.origin == "client" and not call.faults and call.attempts]


async def test_groups_hold_the_calls_of_clients_that_no_drill_has_met(store: AnalyticsStore, calls: list[Call]) -> None:
    found = await store.drift.groups(START, END, least=10, limit=100)
    expected = Counter(map(group_of, counted(calls)))
    assert found == {group: count for group, count in expected.items() if count >= 10}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert len(await store.drift.groups(START, END, least=1, limit=3)) == 3


async def test_a_sample_has_one_call_of_each_session_and_is_always_the_same(
    store: AnalyticsStore, calls: list[Call]
) -> None:
    group = next(iter(await store.drift.groups(START, END, least=10, limit=1)))
    mine = [call for call in counted(calls) if group_of(call) == group]
    count, rows = await store.drift.sample(group, START, END, limit=5_000)
    assert count == len(mine)
    assert len(rows) == len({call.session or call.id for call in mine}) < len(mine)
    assert await store.drift.sample(group, START, END, limit=5_000) == (count, rows)
    assert len((await store.drift.sample(group, START, END, limit=7))[1]) == 7
    starts = {round(call.started_ns / 1e9, 3) for call in mine}
    assert {round(row.at, 3) for row in rows} <= starts
    assert all(row.input_letters and row.input_language for row in rows)
    assert {row.form for row in rows if row.is_answered} <= {"prose", "tools", "empty"}
    half = START + (END - START) / 2
    parts = [await store.drift.sample(group, *window, limit=5_000) for window in ((START, half), (half, END))]
    assert sum(part for part, _ in parts) == count


async def test_texts_come_with_the_calls_they_are_of(store: AnalyticsStore, calls: list[Call]) -> None:
    group = next(iter(await store.drift.groups(START, END, least=10, limit=1)))
    found = await store.drift.texts(group, START, END, limit=20)
    by_id = {call.id: call for call in calls}
    assert len(found) == 20
    assert sum(bool(one.answered) for one in found) > 10
    for one in found:
        assert group_of(by_id[one.call]) == group
        assert 0 < len(one.asked) <= 200
        assert not one.answered or by_id[one.call].status == "ok"


async def test_hours_count_every_call_of_a_feature(store: AnalyticsStore, calls: list[Call]) -> None:
    found = await store.drift.hours(START, END)
    expected: dict[tuple[str, str], Counter[datetime]] = {}
    for call in calls:
        if call.origin == "client" and not call.faults:
            hour = datetime.fromtimestamp(call.started_ns / 1e9, UTC).replace(minute=0, second=0, microsecond=0)
            expected.setdefault((call.feature, call.environment), Counter())[hour] += 1
    assert found == expected


async def test_a_course_has_the_medians_of_each_step(store: AnalyticsStore, calls: list[Call]) -> None:
    steps = await store.drift.course("support", "", START, END, steps=6)
    mine = [call for call in calls if call.origin == "client" and not call.faults and call.feature == "support"]
    assert sum(step.calls for step in steps) == len(mine)
    assert [step.step for step in steps] == list(range(6))
    assert all(step.input_letters and step.output_letters and step.duration_ms for step in steps)
    assert await store.drift.course("nobody", "", START, END, steps=6) == ()


async def test_a_group_begins_with_its_first_call(store: AnalyticsStore, calls: list[Call]) -> None:
    group = next(iter(await store.drift.groups(START, END, least=10, limit=1)))
    first = min(call.started_ns for call in counted(calls) if group_of(call) == group)
    begun = await store.drift.begun(group, START)
    assert begun is not None and abs(begun.timestamp() - first / 1e9) < 1e-3
    assert await store.drift.begun(group, END + timedelta(days=1)) is None
