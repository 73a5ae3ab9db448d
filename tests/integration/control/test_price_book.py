"""The price book on both databases: what was believed earlier stays known, and nothing is applied behind one's back."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from watchkeeper.money.book import PriceBook
from watchkeeper.money.diff import against_edition, against_file
from watchkeeper.money.edition import Edition, Entry, ListFacts, Row
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import Match
from watchkeeper.server.prices import stored_book
from watchkeeper.store.control import ControlStore
from watchkeeper.store.prices import PricesMoved
from watchkeeper.testing import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
LISTS = {"l": ListFacts("https://l.example")}


def _entry(model: str, nusd: int, *, source: str = "edition 1", valid_from_ns: int | None = None) -> Entry:
    row = Row({"input_uncached": nusd}, valid_from_ns=valid_from_ns)
    return Entry("l", model, Match("equals", model), (row,), source)


def _edition(number: int, **prices: int) -> Edition:
    source = f"edition {number}"
    return Edition(source, LISTS, tuple(_entry(model, nusd, source=source) for model, nusd in prices.items()))


def _price(book: PriceBook, model: str, at_ns: int = 0) -> int | None:
    found = book.price_list("l").rates(model, at_ns) if book.has("l") else None
    rate = found.by_bucket[0] if found is not None else None
    return rate.nusd_per_million if rate is not None else None


async def _apply(store: ControlStore, edition: Edition, *, revision: int | None = None) -> int:
    prices = store.prices
    believed = [record.entry for record in await prices.records(origin="edition")]
    known = await prices.revision() if revision is None else revision
    diff = against_edition(believed, (await prices.book()).lists, edition)
    return await prices.apply(diff, "edition", revision=known, lists=edition.lists, actor="ana")


async def _correct(store: ControlStore, *entries: Entry) -> int:
    prices = store.prices
    earlier = [record.entry for record in await prices.records(origin="file")]
    diff = against_file([], earlier, entries, source="file f")
    return await prices.apply(diff, "file", revision=await prices.revision(), lists=None, actor="ana")


async def test_a_first_start_begins_with_the_installed_edition_and_keeps_every_price(
    store: ControlStore,
) -> None:
    book, edition = await stored_book(store.prices), PriceBook.of(installed())
    assert book.revision == 1
    assert book.names == edition.names
    for name in book.names:
        assert book.price_list(name) == edition.price_list(name), name


async def test_a_second_start_does_not_take_another_edition_by_itself(store: ControlStore) -> None:
    await store.prices.seed(_edition(1, a=1))
    await store.prices.seed(_edition(2, a=2))
    assert _price(await stored_book(store.prices), "a") == 1


async def test_two_keepers_that_start_at_once_make_one_book(store: ControlStore) -> None:
    await asyncio.gather(*(store.prices.seed(_edition(1, a=1, b=2)) for _ in range(4)))
    assert len(await store.prices.records()) == 2
    assert [approval.number for approval in await store.prices.approvals()] == [1]


async def test_an_approved_update_is_believed_from_then_on_and_names_who_approved_it(
    store: ControlStore, clock: FakeClock
) -> None:
    await store.prices.seed(_edition(1, a=1, b=1, gone=1))
    clock.advance(60)
    assert await _apply(store, _edition(2, a=2, b=1, new=5)) == 2
    book = await store.prices.book()
    assert [_price(book, model) for model in ("a", "b", "new", "gone")] == [2, 1, 5, None]
    records = {record.entry.model: record for record in await store.prices.records()}
    assert (records["a"].recorded_at, records["a"].approved_by) == (START + timedelta(seconds=60), "ana")
    assert (records["b"].entry.source, records["b"].recorded_at) == ("edition 1", START)
    [newest, _] = await store.prices.approvals()
    assert (newest.source, newest.added, newest.changed, newest.removed) == ("edition 2", 1, 1, 1)
    [change] = await store.changes.between(START, START + timedelta(hours=1))
    assert (change.kind, change.actor, change.summary) == ("prices", "ana", "edition 2: 1 added, 1 changed, 1 removed")


async def test_what_was_looked_at_is_what_is_approved(store: ControlStore) -> None:
    await store.prices.seed(_edition(1, a=1))
    await _apply(store, _edition(2, a=2))
    with pytest.raises(PricesMoved, match="nothing was changed"):
        await _apply(store, _edition(3, a=3), revision=1)
    assert _price(await store.prices.book(), "a") == 2


async def test_of_two_who_approve_at_once_one_is_told_to_look_again(store: ControlStore) -> None:
    await store.prices.seed(_edition(1, a=1))
    done = await asyncio.gather(*(_apply(store, _edition(n, a=n), revision=1) for n in (2, 3)), return_exceptions=True)
    assert sorted(isinstance(one, PricesMoved) for one in done) == [False, True]
    assert len(await store.prices.records()) == 1


async def test_a_file_lies_on_the_edition_and_outlives_the_next_one(store: ControlStore, clock: FakeClock) -> None:
    await store.prices.seed(_edition(1, a=1))
    await _correct(store, _entry("a", 10, source="file f", valid_from_ns=1_000), _entry("own", 7, source="file f"))
    clock.advance(1)
    await _apply(store, _edition(2, a=2))
    book = await store.prices.book()
    assert [_price(book, "a", at_ns) for at_ns in (999, 1_000)] == [2, 10]
    assert _price(book, "own") == 7
    assert book.list_name(None, "https://l.example/v1") == "l"
    await _correct(store, Entry("l", "a", None, ()))
    assert _price(await store.prices.book(), "a", 1_000) == 2


async def test_before_there_was_a_book_nothing_was_believed(store: ControlStore) -> None:
    await store.prices.seed(_edition(1, a=1))
    assert (await store.prices.book(START - timedelta(seconds=1))).names == ["free"]
    assert _price(await store.prices.book(START), "a") == 1


async def test_a_stored_row_is_never_changed_but_for_the_end_of_its_belief(
    store: ControlStore, clock: FakeClock
) -> None:
    async def rows() -> dict[int, tuple[object, ...]]:
        async with store._engine.connect() as connection:
            columns = "id, list, model, match, rates, valid_from, valid_to, recorded_at, source, approved_by"
            found = await connection.execute(text(f"SELECT {columns} FROM prices"))
            return {row[0]: tuple(row) for row in found}

    await store.prices.seed(_edition(1, a=1, b=2))
    before = await rows()
    clock.advance(1)
    await _apply(store, _edition(2, a=5))
    await _correct(store, _entry("b", 9))
    after = await rows()
    assert before.items() <= after.items()
    assert len(after) == 4


async def test_a_bill_leads_back_to_the_row_it_was_priced_by(store: ControlStore, clock: FakeClock) -> None:
    await store.prices.seed(_edition(1, a=1, ab=2))
    clock.advance(60)
    await _apply(store, _edition(2, a=5, ab=2))
    later = START + timedelta(seconds=60)
    [rates] = (await store.prices.book(START)).price_list("l").models[0].rows
    for named in (rates.source, rates.at_share(5_000, "50% discount by contract").source):
        found = await store.prices.behind(named, START)
        assert found is not None
        assert (found.entry.model, found.recorded_at, found.superseded_at) == ("a", START, later)
        assert await store.prices.behind(named, later) is None
    assert await store.prices.behind("configuration: l/a", START) is None
    assert await store.prices.behind("", START) is None


prices = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5), min_size=1)


@given(steps=st.lists(st.tuples(st.booleans(), prices), min_size=1, max_size=5))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_was_believed_at_a_time_is_not_changed_by_what_is_approved_later(
    store: ControlStore, clock: FakeClock, steps: list[tuple[bool, dict[str, int]]]
) -> None:
    async def everything(as_of: datetime | None) -> list[int | None]:
        book = await store.prices.book(as_of)
        return [_price(book, model, at_ns) for model in "abcdef" for at_ns in (0, 10**9)]

    await store.prices.seed(_edition(1, a=1))
    seen: dict[datetime, list[int | None]] = {}
    for number, (is_file, found) in enumerate(steps):
        clock.advance(1)
        if is_file:
            await _correct(store, *(_entry(model, nusd, valid_from_ns=10**9) for model, nusd in found.items()))
        else:
            await _apply(store, _edition(number + 2, **found))
        moment = datetime.fromtimestamp(clock.unix_ns() / 1e9, UTC)
        seen[moment] = await everything(None)
        for earlier, believed in seen.items():
            assert await everything(earlier) == believed
            assert await everything(earlier + timedelta(milliseconds=999)) == believed
