"""What the gateway says of attempts, of the cache and of routing is kept, and what was stored before stays readable."""

from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from tests.integration.control.recorded import a_call, an_attempt
from tests.integration.store.filled import batch_of

from watchkeeper.core.call import Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.ingest.rows import add_call
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.store.analytics import AnalyticsStore, statements
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.questions import migrations
from watchkeeper.store.rows import CallDetail, CallFilter

ROUTING = b'{"strategy":"latency","candidates":[{"target":"openai/gpt-4o-mini","score":210.5}]}'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnalyticsStore]:
    opened = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    yield opened
    opened.close()


@pytest.fixture
def twice() -> Call:
    """A call whose first attempt broke off and whose second answered."""
    clock = SystemClock()
    attempts = [
        an_attempt(
            error_class="broken_stream",
            error_code="cut",
            error_message="the stream ended early",
            fault="drill-1",
            first_token_ms=120.5,
            usage=Usage(1000, output_text=7),
            usage_status="estimated",
            cost_nusd=154_200,
            cost_status="estimated",
        ),
        an_attempt(
            number=2,
            model="gpt-4o",
            kind="fallback",
            started_ms=500.0,
            waited_ms=250.0,
            usage=Usage(1000, cache_read=200, output_text=100),
            usage_status="measured",
        ),
    ]
    return a_call(
        CallIds(clock),
        clock,
        attempts=attempts,
        usage=Usage(2000, cache_read=200, output_text=107),
        usage_status="estimated",
        served_from="upstream",
        routing=ROUTING,
        change="3 of the oldest turns were left out",
        faults=["drill-1"],
        skipped_events=2,
    )


async def stored(store: AnalyticsStore, call: Call) -> CallDetail:
    """Price a call like OpenAI's, store it, and read it back."""
    pricer = BookPricer.by_list(PriceBook.of(installed()), {"openai": "openai"})
    batch = CallBatch()
    add_call(batch, call, pricer, stored_us=call.started_ns // 1000)
    store.insert_calls(batch, token=call.id)
    found = await store.call(call.id)
    assert found is not None
    return found


async def test_each_attempt_comes_back_with_what_it_used_and_what_it_cost(store: AnalyticsStore, twice: Call) -> None:
    found = await stored(store, twice)
    first, second = found.attempts
    assert (first.kind, first.fault, first.error_code, first.first_token_ms) == ("first", "drill-1", "cut", 120.5)
    assert (first.usage, first.usage_status) == ({"input_uncached": 1000, "output_text": 7}, "estimated")
    assert (first.cost_nusd, first.cost_status) == (154_200, "estimated")
    assert (second.kind, second.waited_ms, second.first_token_ms) == ("fallback", 250.0, None)
    assert second.usage == {"input_uncached": 1000, "cache_read": 200, "output_text": 100}
    assert second.cost_status == "measured"
    assert found.row.cost_nusd == (first.cost_nusd or 0) + (second.cost_nusd or 0)


async def test_a_line_of_the_bill_names_its_attempt_and_the_lines_of_one_add_up_to_its_cost(
    store: AnalyticsStore, twice: Call
) -> None:
    found = await stored(store, twice)
    assert [(line.attempt, line.bucket) for line in found.cost_lines] == [
        (1, "input_uncached"), (1, "output_text"), (2, "input_uncached"), (2, "cache_read"), (2, "output_text"),
    ]  # fmt: skip
    for attempt in found.attempts:
        assert sum(line.amount_nusd for line in found.cost_lines if line.attempt == attempt.number) == attempt.cost_nusd


async def test_an_attempt_keeps_its_price_where_another_ones_is_not_known(store: AnalyticsStore, twice: Call) -> None:
    twice.attempts[1].model = "nobody-knows-this-model"
    found = await stored(store, twice)
    assert (found.row.cost_nusd, found.row.cost_status, found.cost_lines) == (None, "unpriced", ())
    assert [attempt.cost_nusd for attempt in found.attempts] == [154_200, None]


async def test_an_attempt_of_a_provider_without_prices_here_keeps_what_the_gateway_booked(
    store: AnalyticsStore, twice: Call
) -> None:
    twice.attempts[1].provider, twice.attempts[1].cost_nusd = "elsewhere", 5
    found = await stored(store, twice)
    assert [attempt.cost_nusd for attempt in found.attempts] == [154_200, 5]


async def test_how_a_call_was_served_comes_back(store: AnalyticsStore, twice: Call) -> None:
    found = await stored(store, twice)
    assert (found.row.served_from, found.row.faults) == ("upstream", ("drill-1",))
    assert (found.routing, found.change, found.skipped_events) == (ROUTING, twice.change, 2)
    twice.id = CallIds(SystemClock()).next()
    twice.served_from, twice.saved_nusd, twice.cached_age_s, twice.attempts = "cache", 237_600, 61.0, []
    found = await stored(store, twice)
    assert (found.row.served_from, found.saved_nusd, found.cached_age_s) == ("cache", 237_600, 61.0)


async def test_calls_are_found_by_where_their_answer_came_from_and_by_their_fault(
    store: AnalyticsStore, twice: Call
) -> None:
    await stored(store, twice)
    for chosen, count in (
        (CallFilter(served_from="upstream"), 1),
        (CallFilter(served_from="cache"), 0),
        (CallFilter(fault="drill-1"), 1),
        (CallFilter(fault="drill"), 0),
        (CallFilter(served_from="upstream", fault="drill-1"), 1),
    ):
        assert await store.count(chosen) == count


@pytest.mark.parametrize(("field", "value"), [("skipped_events", -1), ("skipped_events", 2**63), ("saved_nusd", 2**63)])
def test_a_number_that_no_column_holds_is_refused_before_it_spoils_a_batch(
    twice: Call, field: str, value: object
) -> None:
    setattr(twice, field, value)
    with pytest.raises(ValueError, match="negative or too large"):
        batch_of([twice])


def test_an_attempt_with_a_usage_that_no_column_holds_is_refused(twice: Call) -> None:
    twice.attempts[0].usage = Usage(-1)
    with pytest.raises(ValueError, match="negative"):
        batch_of([twice])


async def test_calls_stored_by_the_first_version_are_read_with_what_they_have(tmp_path: Path) -> None:
    url = f"chdb://{tmp_path}/analytics"
    clock = SystemClock()
    call_id = CallIds(clock).next()
    at = clock.unix_ns() // 1000
    client = clickhouse_connect.get_client(dsn=url, tz_mode="aware")
    client.command("CREATE TABLE schema_steps (number UInt32, done_at DateTime DEFAULT now()) ENGINE = MergeTree "
                   "ORDER BY number")  # fmt: skip
    for statement in statements(migrations()[0][1]):
        client.command(statement)
    client.command("INSERT INTO schema_steps (number) VALUES (1)")
    moment = f"fromUnixTimestamp64Micro({at})"
    client.command(
        f"INSERT INTO calls (id, started_at, stored_at, status) SELECT '{call_id}', {moment}, {moment}, 'ok'"
    )
    for number in (1, 2):
        client.command(
            f"INSERT INTO attempts (call_id, call_started_at, number) SELECT '{call_id}', {moment}, {number}"
        )
    client.command(
        "INSERT INTO bodies (call_id, call_started_at, line_buckets, line_units, line_nusd_per_million, line_nusd) "
        f"SELECT '{call_id}', {moment}, ['output_text'], [1], [1], [1]"
    )
    client.close()
    store = AnalyticsStore.open(url)
    found = await store.call(call_id)
    assert found is not None
    assert (found.row.served_from, found.row.faults, found.saved_nusd, found.routing) == ("upstream", (), None, b"")
    assert [(line.bucket, line.attempt) for line in found.cost_lines] == [("output_text", None)]
    assert [attempt.kind for attempt in found.attempts] == ["first", ""]
    assert {(one.usage_status, one.cost_nusd, one.cost_status) for one in found.attempts} == {
        ("missing", None, "unpriced")
    }
    assert await store.count(CallFilter(served_from="upstream")) == 1
    store.insert_calls(batch_of([a_call(CallIds(clock), clock)]), token="new")
    assert await store.count(CallFilter()) == 2
    store.close()
