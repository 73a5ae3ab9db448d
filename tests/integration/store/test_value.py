"""Units of value: what calls say and what is reported, each event once."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import clickhouse_connect
import pytest
from tests.integration.control.recorded import a_call
from tests.integration.store.filled import batch_of

from watchkeeper.core.ids import CallIds
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.cost_rows import CostScope
from watchkeeper.store.value import Units, ValueConflict, ValueEvent
from watchkeeper.testing import FakeClock

HOSTILE = "a'b\\\n\"{id:String}\x00ü"


class Store:
    """A store, and days that belong to one test each."""

    def __init__(self, analytics: AnalyticsStore, url: str) -> None:
        self.analytics = analytics
        self.url = url
        self.clock = FakeClock()
        self.ids = CallIds(self.clock)
        self._count = 0

    def new_day(self) -> CostScope:
        self.clock.advance(86_400.0 * 2)
        since = datetime.fromtimestamp(self.clock.unix_ns() / 1e9, UTC)
        return CostScope(since=since, until=since + timedelta(days=1))

    def event(self, scope: CostScope, **fields: object) -> ValueEvent:
        self._count += 1
        event = ValueEvent(
            id=f"event-{self._count}",
            feature="support",
            tenant="acme",
            call_id="",
            units_milli=1_000,
            at=scope.since + timedelta(hours=1),
            recorded_at=scope.since + timedelta(hours=2),
            source="token:app",
        )
        return replace(event, **fields)  # type: ignore[arg-type]  # a table of fields


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = f"chdb://{tmp_path_factory.mktemp('value')}/analytics"
    analytics = AnalyticsStore.open(url)
    yield Store(analytics, url)
    analytics.close()


@pytest.fixture
def store(opened: Store) -> Store:
    return opened


async def test_what_is_reported_is_kept_and_counted(store: Store) -> None:
    scope = store.new_day()
    for event in (store.event(scope), store.event(scope, units_milli=2_500), store.event(scope, feature="search")):
        assert await store.analytics.value.add(event) == (event, True)
    assert await store.analytics.value.units(scope) == {
        "support": Units(reported_milli=3_500),
        "search": Units(reported_milli=1_000),
    }


async def test_the_same_event_counts_once_however_often_it_comes(store: Store) -> None:
    scope = store.new_day()
    event = store.event(scope, id=HOSTILE, feature=HOSTILE, tenant=HOSTILE)
    answers = await asyncio.gather(*(store.analytics.value.add(event) for _ in range(20)))
    assert sum(is_new for _, is_new in answers) == 1
    assert {kept for kept, _ in answers} == {event}
    later = replace(event, at=scope.since + timedelta(hours=9), recorded_at=scope.until, source="token:other")
    assert await store.analytics.value.add(later) == (event, False)
    assert await store.analytics.value.units(scope) == {HOSTILE: Units(reported_milli=1_000)}


async def test_an_event_that_two_keepers_have_written_counts_once(store: Store) -> None:
    scope = store.new_day()
    client = clickhouse_connect.get_client(dsn=store.url)
    for second in (1, 2):
        client.command(
            "INSERT INTO value_events SELECT 'twice', 'support', '', '', 1000, {at:DateTime64(6)}, "
            f"{{at:DateTime64(6)}} + {second}, ''",
            parameters={"at": scope.since},
        )
    client.close()
    assert await store.analytics.value.units(scope) == {"support": Units(reported_milli=1_000)}


@pytest.mark.parametrize("other", [{"units_milli": 1}, {"feature": "x"}, {"tenant": "x"}, {"call_id": "X"}], ids=str)
async def test_another_event_under_a_known_id_is_refused(store: Store, other: dict[str, object]) -> None:
    scope = store.new_day()
    event = store.event(scope)
    await store.analytics.value.add(event)
    with pytest.raises(ValueConflict, match="nothing was changed"):
        await store.analytics.value.add(replace(event, **other))  # type: ignore[arg-type]  # a table of fields
    assert await store.analytics.value.units(scope) == {"support": Units(reported_milli=1_000)}


async def test_what_was_taken_back_is_no_longer_counted(store: Store) -> None:
    scope = store.new_day()
    await store.analytics.value.add(store.event(scope, units_milli=3_000))
    await store.analytics.value.add(store.event(scope, units_milli=-1_000))
    assert await store.analytics.value.units(scope) == {"support": Units(reported_milli=2_000)}


async def test_a_calls_own_word_counts_when_it_ended_well(store: Store) -> None:
    scope = store.new_day()
    calls = [
        a_call(store.ids, store.clock, value_milli=2_000),
        a_call(store.ids, store.clock, value_milli=500, tenant="globex"),
        a_call(store.ids, store.clock, value_milli=9_000, status="error"),
        a_call(store.ids, store.clock, value_milli=9_000, status="cancelled"),
        a_call(store.ids, store.clock),
    ]
    store.analytics.insert_calls(batch_of(calls), token=calls[0].id)
    await store.analytics.value.add(store.event(scope))
    assert await store.analytics.value.units(scope) == {"support": Units(said_milli=2_500, reported_milli=1_000)}
    acme = replace(scope, where=(("tenant", "acme"), ("feature", "support")))
    assert await store.analytics.value.units(acme) == {"support": Units(said_milli=2_000, reported_milli=1_000)}


async def test_units_belong_to_the_period_in_which_their_moment_lies(store: Store) -> None:
    scope = store.new_day()
    await store.analytics.value.add(store.event(scope, at=scope.since))
    await store.analytics.value.add(store.event(scope, at=scope.until))
    assert await store.analytics.value.units(scope) == {"support": Units(reported_milli=1_000)}


@pytest.mark.parametrize("milli", [2**63, -1])
def test_a_value_that_no_column_holds_spoils_no_batch(store: Store, milli: int) -> None:
    with pytest.raises(ValueError, match="negative or too large"):
        batch_of([a_call(store.ids, store.clock, value_milli=milli)])
