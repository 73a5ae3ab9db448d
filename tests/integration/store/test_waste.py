"""What counts as waste, what does not, and that no money is in two kinds of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import clickhouse_connect
import pytest
from tests.integration.control.recorded import a_call, an_attempt
from tests.integration.store.filled import batch_of

from watchkeeper.core.call import Call
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.cost_rows import CostScope
from watchkeeper.store.waste import CacheSaving, Routed, Waste, WasteKind
from watchkeeper.testing import FakeClock

TTL_S = 60.0


@dataclass
class Day:
    """A store, and a day of its own for each test: one engine serves a whole process."""

    store: AnalyticsStore
    url: str
    clock: FakeClock
    ids: CallIds
    count: int = 0

    def call(self, *, nusd: int | None = 1_000, **fields: object) -> Call:
        """Make a call of one attempt that costs something; the next one comes a second later."""
        status = fields.get("cost_status", "measured" if nusd is not None else "unpriced")
        attempts = [an_attempt(usage=Usage(10), usage_status="measured", cost_nusd=nusd, cost_status=status)]
        values: dict[str, object] = {"attempts": attempts, "served_from": "upstream", "duration_ms": 100.0,
                                     "request_body": f"{self.count}".encode()}  # fmt: skip
        self.count += 1
        call = a_call(self.ids, self.clock, **(values | fields | {"cost_nusd": nusd, "cost_status": status}))
        call.request_bytes = len(call.request_body)
        self.clock.advance(1.0)
        return call

    def keep(self, *calls: Call) -> CostScope:
        """Store calls, and return the scope that holds them and no others."""
        self.store.insert_calls(batch_of(list(calls)), token=calls[0].id)
        since = datetime.fromtimestamp(calls[0].started_ns / 1e9, UTC)
        self.clock.advance(86_400.0)
        return CostScope(since=since, until=since + timedelta(days=1))

    async def waste(self, *calls: Call) -> dict[tuple[WasteKind, str], Waste]:
        """Store calls and return what was wasted on them."""
        found = await self.store.waste.waste(self.keep(*calls), ttl_s={"support-chat": TTL_S})
        assert len({(one.kind, one.feature) for one in found}) == len(found)
        return {(one.kind, one.feature): one for one in found}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    url = f"chdb://{tmp_path_factory.mktemp('waste')}/analytics"
    store = AnalyticsStore.open(url)
    clock = FakeClock()
    yield Day(store, url, clock, CallIds(clock))
    store.close()


@pytest.fixture
def day(opened: Day) -> Day:
    return opened


def waste(kind: WasteKind, nusd: int, calls: int = 1, *, uncertain: int = 0, unpriced: int = 0) -> dict[object, Waste]:
    one = Waste(kind=kind, feature="support", calls=calls, nusd=nusd, uncertain_nusd=uncertain, unpriced_calls=unpriced)
    return {(kind, "support"): one}


async def test_calls_that_went_well_waste_nothing(day: Day) -> None:
    assert await day.waste(day.call(), day.call(nusd=None), day.call(nusd=0)) == {}


async def test_a_failed_call_is_wasted_when_it_cost_something(day: Day) -> None:
    found = await day.waste(
        day.call(status="error", nusd=300),
        day.call(status="error", nusd=500, cost_status="estimated"),
        day.call(status="error", nusd=0),
        day.call(status="error", nusd=None),
        day.call(status="error", nusd=None, attempts=[]),
    )
    assert found == waste("failed", 800, 3, uncertain=500, unpriced=1)


async def test_an_abandoned_call_is_wasted_when_it_cost_something(day: Day) -> None:
    found = await day.waste(day.call(status="cancelled", nusd=300, cost_status="estimated", is_stream=True))
    assert found == waste("abandoned", 300, uncertain=300)


def tried(*attempts: tuple[str, int | None, str]) -> list[object]:
    """Attempts: error class, cost, kind."""
    return [
        an_attempt(number=number, error_class=failure, cost_nusd=nusd, kind=kind,
                   cost_status="unpriced" if nusd is None else "measured")
        for number, (failure, nusd, kind) in enumerate(attempts, start=1)
    ]  # fmt: skip


async def test_of_a_retried_call_the_failed_attempts_are_wasted(day: Day) -> None:
    attempts = tried(("timeout", 70, "first"), ("broken_stream", 30, "retry"), ("", 1_000, "fallback"))
    assert await day.waste(day.call(nusd=1_100, attempts=attempts)) == waste("retries", 100)


async def test_what_a_failed_call_spent_on_retries_is_counted_once_as_failed(day: Day) -> None:
    attempts = tried(("timeout", 70, "first"), ("timeout", 30, "retry"))
    assert await day.waste(day.call(status="error", nusd=100, attempts=attempts)) == waste("failed", 100)


async def test_an_attempt_that_another_went_on_from_was_delivered_and_not_wasted(day: Day) -> None:
    attempts = tried(("broken_stream", 70, "first"), ("", 50, "continued"))
    assert await day.waste(day.call(nusd=120, attempts=attempts)) == {}


async def test_a_summary_is_work_and_not_waste(day: Day) -> None:
    attempts = tried(("context_length", 0, "first"), ("", 20, "summary"), ("", 50, "changed"))
    assert await day.waste(day.call(nusd=70, attempts=attempts)) == {}


async def test_a_failed_attempt_without_a_price_is_named(day: Day) -> None:
    attempts = tried(("timeout", None, "first"), ("", 50, "retry"))
    assert await day.waste(day.call(nusd=None, attempts=attempts)) == waste("retries", 0, unpriced=1)


async def test_the_same_request_again_within_the_caches_time_is_a_repeat(day: Day) -> None:
    calls = [day.call(request_body=b"same", nusd=nusd) for nusd in (100, 20, 3)]
    assert await day.waste(*calls) == waste("repeats", 23, 2)


async def test_a_cache_would_have_kept_the_first_answer_and_not_the_latest(day: Day) -> None:
    """At 0, 40 and 80 seconds, kept for 60: the second would have been a hit; the third a miss."""
    calls: list[Call] = []
    for nusd in (100, 20, 3):
        calls.append(day.call(request_body=b"same", nusd=nusd))
        day.clock.advance(39.0)
    assert await day.waste(*calls) == waste("repeats", 20)


async def test_a_request_that_came_before_the_first_answer_was_there_is_no_repeat(day: Day) -> None:
    calls = [day.call(request_body=b"same", duration_ms=5_000.0), day.call(request_body=b"same")]
    assert await day.waste(*calls) == {}


@pytest.mark.parametrize(
    "second",
    [
        {"request_body": b"other"},
        {"tenant": "globex"},
        {"release": "r2"},
        {"route": "another"},
        {"feature": "search"},
        {"served_from": "cache", "nusd": 0, "attempts": []},
        {"status": "error", "nusd": 0},
        {"surface": "passthrough"},
    ],
    ids=str,
)
async def test_what_a_cache_would_not_have_answered_is_no_repeat(day: Day, second: dict[str, object]) -> None:
    first = day.call(request_body=b"same")
    again = day.call(**({"request_body": b"same"} | second))  # type: ignore[arg-type]  # a table of fields
    assert await day.waste(first, again) == {}


async def test_an_answer_that_asks_for_a_tool_is_never_kept_and_so_no_repeat(day: Day) -> None:
    tool = (
        b'{"choices":[{"index":0,"message":{"tool_calls":[{"id":"1","type":"function","function":{"name":"find",'
        b'"arguments":"{}"}}]},"finish_reason":"tool_calls"}]}'
    )
    body = b'{"messages":[{"role":"user","content":"x"}]}'
    assert await day.waste(*(day.call(request_body=body, response_body=tool) for _ in range(3))) == {}


async def test_a_retried_repeat_is_counted_under_both_kinds_with_each_its_own_money(day: Day) -> None:
    attempts = tried(("timeout", 70, "first"), ("", 50, "retry"))
    found = await day.waste(day.call(request_body=b"same"), day.call(request_body=b"same", nusd=120, attempts=attempts))
    assert found == waste("retries", 70) | waste("repeats", 50)


async def test_a_correction_changes_what_was_wasted(day: Day) -> None:
    calls = [
        day.call(status="error", nusd=300),
        day.call(status="cancelled", nusd=None),
        day.call(request_body=b"same"),
        day.call(request_body=b"same", nusd=7),
    ]
    client = clickhouse_connect.get_client(dsn=day.url)
    for call, new in zip(calls, (200, 90, 80, 5), strict=True):
        client.command(
            "INSERT INTO corrections SELECT {id:String}, fromUnixTimestamp64Nano({ns:Int64}), now64(6), NULL, "
            "{new:Int64}, '', '', ''",
            parameters={"id": call.id, "ns": call.started_ns, "new": new},
        )
    client.close()
    found = await day.waste(*calls)
    assert found == waste("failed", 200) | waste("abandoned", 90, uncertain=90) | waste("repeats", 5)


async def test_the_cache_saved_what_its_answers_had_cost(day: Day) -> None:
    calls = [
        day.call(),
        day.call(nusd=0, attempts=[], served_from="cache", saved_nusd=500),
        day.call(nusd=0, attempts=[], served_from="stale_cache", saved_nusd=40),
        day.call(nusd=0, attempts=[], served_from="cache", saved_nusd=None),
    ]
    scope = day.keep(*calls)
    assert await day.store.waste.saved_by_cache(scope) == (
        CacheSaving(feature="support", calls=3, nusd=540, unpriced_calls=1),
    )


async def test_what_each_target_of_a_route_answered_is_told_by_day(day: Day) -> None:
    scope = day.keep(
        day.call(usage=Usage(10, output_text=5)),
        day.call(usage=Usage(20, cache_read=1)),
        day.call(attempts=tried(("timeout", 0, "first"), ("", 5, "retry"))),
        day.call(route="not-asked-for"),
    )
    (found,) = await day.store.waste.routed(scope, routes=["support-chat"])
    assert found == Routed(
        feature="support",
        route="support-chat",
        target="openai/gpt-4o-mini",
        day=found.day,
        calls=2,
        other_calls=1,
        usage=Usage(30, cache_read=1, output_text=5),
    )
