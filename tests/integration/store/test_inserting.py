"""What is inserted is there once, at once, and in the order in which it came."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from tests.integration.store.filled import COUNT, END, START, batch_of

from watchkeeper.core.call import Call
from watchkeeper.store.analytics import AnalyticsStore, StoreUnusable
from watchkeeper.store.rows import CallFilter
from watchkeeper.testing.builders import START_NS, seeded_calls


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return list(seeded_calls(COUNT))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    yield store
    store.close()


async def test_an_empty_store_answers_everything(empty: AnalyticsStore) -> None:
    assert (await empty.calls(CallFilter())).rows == ()
    assert await empty.count(CallFilter(search="anything")) == 0
    assert all(facet.values == () for facet in await empty.facets(CallFilter()))
    overview = await empty.overview(START, END, steps=4, where=CallFilter())
    assert [step.calls for step in overview.steps] == [0, 0, 0, 0]
    cursor, rows = await empty.follow(None, CallFilter())
    assert rows == ()
    assert await empty.follow(cursor, CallFilter()) == (cursor, ())
    assert (await empty.stats())["calls"] == 0


async def test_following_misses_no_late_arrival(empty: AnalyticsStore, calls: list[Call]) -> None:
    """Calls are followed in the order they are stored, whatever their ids: a worker's spool may come in late."""
    cursor, _ = await empty.follow(None, CallFilter())
    seen: list[str] = []
    late, early = calls[:40], calls[40:80]
    for number, part in enumerate((early[:20], late[:20], early[20:], late[20:])):
        empty.insert_calls(batch_of(part, stored_us=START_NS // 1000 + number), token=str(number))
        while True:
            cursor, rows = await empty.follow(cursor, CallFilter(), limit=7)
            if not rows:
                break
            seen += [row.id for row in rows]
    assert sorted(seen) == sorted(call.id for call in calls[:80])
    assert len(seen) == 80


async def test_a_repeated_insert_adds_nothing(empty: AnalyticsStore, calls: list[Call]) -> None:
    midnight_s = 86_400 - START_NS // 1_000_000_000 % 86_400
    days = list(seeded_calls(60, start_ns=START_NS + (midnight_s - 30) * 1_000_000_000, length_s=60))
    for _ in range(3):
        empty.insert_calls(batch_of(days), token="one")
    empty.insert_calls(batch_of(calls[:10]), token="two")
    assert await empty.count(CallFilter()) == 70
    assert (await empty.stats())["days"] == 2
    found = await empty.call(days[0].id)
    assert found is not None
    assert len(found.attempts) == len(days[0].attempts)


async def test_words_are_found_before_their_index_is_made_and_after(
    empty: AnalyticsStore, calls: list[Call], tmp_path: Path
) -> None:
    for number in range(4):
        empty.insert_calls(batch_of(calls[number::4]), token=str(number))
    chosen = CallFilter(search="refund")
    fresh = [row.id for row in (await empty.calls(chosen, limit=COUNT)).rows]
    assert 0 < len(fresh) < COUNT
    client = clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/analytics", tz_mode="aware")
    indexed = "SELECT sum(secondary_indices_compressed_bytes) FROM system.parts WHERE active AND table = 'calls'"
    ((before,),) = client.query(indexed).result_rows
    client.command("OPTIMIZE TABLE calls FINAL")
    ((after,),) = client.query(indexed).result_rows
    assert after > before
    client.close()
    assert [row.id for row in (await empty.calls(chosen, limit=COUNT)).rows] == fresh


async def test_questions_are_answered_while_calls_come_in(empty: AnalyticsStore, calls: list[Call]) -> None:
    def insert() -> None:
        for at in range(0, COUNT, 150):
            empty.insert_calls(batch_of(calls[at : at + 150]), token=str(at))

    async def ask() -> None:
        counted = 0
        while not inserting.done():
            page, count, _ = await asyncio.gather(
                empty.calls(CallFilter()), empty.count(CallFilter()), empty.facets(CallFilter())
            )
            assert counted <= count
            assert len(page.rows) == len({row.id for row in page.rows})
            counted = count

    inserting = asyncio.get_running_loop().run_in_executor(None, insert)
    await asyncio.gather(*(ask() for _ in range(6)), inserting)
    assert await empty.count(CallFilter()) == COUNT


async def test_bodies_come_back_byte_for_byte(empty: AnalyticsStore) -> None:
    call = next(seeded_calls(1))
    call.request_body, call.response_body, call.sent_body = bytes(range(256)) * 9, b"", b"\x00\xff"
    call.request_headers = [(b"x", b"\xe9"), (b"x", b"again")]
    empty.insert_calls(batch_of([call]), token="bytes")
    found = await empty.call(call.id)
    assert found is not None
    assert (found.request_body, found.response_body, found.sent_body) == (call.request_body, b"", b"\x00\xff")
    assert found.request_headers == (("x", "\xe9"), ("x", "again"))


def test_a_store_that_a_newer_version_wrote_is_refused(tmp_path: Path) -> None:
    url = f"chdb://{tmp_path}/analytics"
    AnalyticsStore.open(url).close()
    client = clickhouse_connect.get_client(dsn=url)
    client.command("INSERT INTO schema_steps (number) VALUES (999)")
    client.close()
    with pytest.raises(StoreUnusable, match="a newer version wrote it"):
        AnalyticsStore.open(url)
