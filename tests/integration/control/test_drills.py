"""Faults for drills and purges of the cache: what is kept of them, on both databases, and what workers are given."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.databases import at_revision

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.snapshot import FaultRule, Purge, Snapshot, decode
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.server.desired import DesiredState
from watchkeeper.server.sealed import SealedFile
from watchkeeper.store.control import ControlStore
from watchkeeper.store.faults import (
    ACTIVE_MAX,
    LISTED_FOR,
    LONGEST,
    FaultDraft,
    FaultOver,
    FaultRow,
    FaultsTooMany,
    FaultUnknown,
)
from watchkeeper.store.purges import ENTRY_LIVES, SERVED_MAX, LivePurge, PurgeDraft
from watchkeeper.testing import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)
CONFIG = """
providers:
  openai: {base_url: "http://127.0.0.1:1/v1", api_key: sk-fake, price_list: openai}
  other: {base_url: "http://127.0.0.1:2/v1", api_key: sk-fake, price_list: openai}
routes:
  chat:
    tiers: {small: [openai/gpt-4o-mini], large: [openai/gpt-4o]}
    fallbacks: [other/gpt-4o]
"""


async def start(store: ControlStore, *, lasts: timedelta = TEN_MINUTES, route: str = "chat") -> FaultRow:
    draft = FaultDraft(kind="server_error", route=route, lasts=lasts, share=0.25, tenant="acme", status=503)
    return await store.faults.start(draft, actor="ana")


async def noted(store: ControlStore) -> list[tuple[str, str, str]]:
    changes = await store.changes.between(START - LONGEST, START + 2 * LISTED_FOR)
    return [(change.kind, change.actor, change.summary) for change in changes]


async def test_a_database_from_before_there_were_drills_keeps_what_it_has(url: str, clock: FakeClock) -> None:
    at_revision(url, "0001", f"INSERT INTO users VALUES ('cleo', 'hash', '{START:%Y-%m-%d %H:%M:%S}', FALSE)")
    store = await ControlStore.open(url, clock)
    assert [user.name for user in await store.people.list_users()] == ["cleo"]
    made = await start(store)
    assert await store.faults.active() == [made]
    await store.close()


async def test_a_drill_starts_while_others_change_things(store: ControlStore) -> None:
    """It looks how many there are before it writes; another writer in between made it fail with a locked database."""
    notes = (store.changes.note("config", f"configuration {number}", actor="file") for number in range(40))
    started = await asyncio.gather(*(start(store) for _ in range(8)), *notes)
    assert len([row for row in started if row is not None]) == 8
    assert len(await store.faults.active()) == 8


# Faults


async def test_a_fault_is_kept_as_it_was_started_and_by_whom(store: ControlStore) -> None:
    made = await start(store)
    [kept] = await store.faults.active()
    assert kept == made == await store.faults.get(made.id)
    assert made.id.startswith("fault-")
    assert (kept.kind, kept.route, kept.share, kept.tenant, kept.status) == ("server_error", "chat", 0.25, "acme", 503)
    assert (kept.started_at, kept.started_by, kept.ends_at) == (START, "ana", START + TEN_MINUTES)


async def test_a_fault_ends_by_itself_and_stays_in_the_list_for_a_while(store: ControlStore, clock: FakeClock) -> None:
    made = await start(store)
    clock.advance(TEN_MINUTES.total_seconds() - 1)
    assert await store.faults.active() == [made]
    clock.advance(1)
    assert await store.faults.active() == []
    assert await store.faults.recent() == [made]
    assert not made.is_active_at(START + TEN_MINUTES)
    clock.advance(LISTED_FOR.total_seconds())
    assert await store.faults.recent() == []


async def test_a_fault_is_stopped_once(store: ControlStore, clock: FakeClock) -> None:
    made = await start(store)
    clock.advance(60)
    stopped = await store.faults.stop(made.id, actor="ben")
    assert (stopped.ends_at, stopped.stopped_by) == (START + timedelta(seconds=60), "ben")
    assert await store.faults.active() == []
    with pytest.raises(FaultOver):
        await store.faults.stop(made.id, actor="ben")
    with pytest.raises(FaultUnknown):
        await store.faults.stop("fault-none", actor="ben")


async def test_a_fault_that_has_ended_by_itself_was_stopped_by_nobody(store: ControlStore, clock: FakeClock) -> None:
    made = await start(store)
    clock.advance(TEN_MINUTES.total_seconds())
    with pytest.raises(FaultOver):
        await store.faults.stop(made.id, actor="ben")
    assert (await store.faults.get(made.id)).stopped_by == ""
    assert len(await noted(store)) == 1


async def test_charts_get_a_marker_when_a_drill_starts_and_when_it_is_stopped(store: ControlStore) -> None:
    made = await start(store)
    await store.faults.stop(made.id, actor="ben")
    what = f"{made.id}, server_error in 25% of the calls to chat, tenant acme"
    assert await noted(store) == [
        ("fault", "ana", f"drill: started {what}, until 2026-01-01 00:10 UTC"),
        ("fault", "ben", f"drill: stopped {what}"),
    ]


async def test_no_drill_lasts_longer_than_a_day(store: ControlStore) -> None:
    assert (await start(store, lasts=timedelta(days=3))).ends_at == START + LONGEST


async def test_faults_are_listed_newest_first_and_their_number_is_bounded(
    store: ControlStore, clock: FakeClock
) -> None:
    made = []
    for _ in range(ACTIVE_MAX):
        made.append(await start(store))
        clock.advance(1)
    assert await store.faults.recent() == made[::-1]
    assert await store.faults.active() == made
    with pytest.raises(FaultsTooMany):
        await start(store)
    await store.faults.stop(made[0].id, actor="ana")
    assert (await start(store)).is_active_at(START + timedelta(minutes=1))


# Purges


async def test_a_purge_drops_what_is_stored_up_to_now(store: ControlStore, clock: FakeClock) -> None:
    row = await store.purges.add(PurgeDraft(tenant="acme"), actor="ana")
    assert (row.before_ns, row.at, row.tenant, row.release, row.subject) == (clock.unix_ns(), START, "acme", "", "")
    assert await store.purges.live() == [LivePurge(before_ns=row.before_ns, tenant="acme", release="", subject="")]
    await store.purges.add(PurgeDraft(), actor="ben")
    assert await noted(store) == [
        ("cache", "ana", "purged the cache: tenant acme"),
        ("cache", "ben", "purged the cache: every answer"),
    ]


async def test_of_purges_that_mean_the_same_the_latest_counts(store: ControlStore, clock: FakeClock) -> None:
    for tenant in ("acme", "other", "acme"):
        clock.advance(1)
        await store.purges.add(PurgeDraft(tenant=tenant), actor="ana")
    assert [(purge.tenant, clock.unix_ns() - purge.before_ns) for purge in await store.purges.live()] == [
        ("acme", 0),
        ("other", 1_000_000_000),
    ]


async def test_a_purge_is_forgotten_when_no_answer_can_be_so_old(store: ControlStore, clock: FakeClock) -> None:
    await store.purges.add(PurgeDraft(release="r1"), actor="ana")
    clock.advance(ENTRY_LIVES.total_seconds() - 1)
    assert len(await store.purges.live()) == 1
    clock.advance(1)
    assert await store.purges.live() == []


async def test_workers_are_given_a_bounded_number_of_purges_the_newest(tmp_path: Path, clock: FakeClock) -> None:
    store = await ControlStore.open(f"sqlite:///{tmp_path}/control.db", clock)
    for number in range(SERVED_MAX + 2):
        clock.advance(0.001)
        await store.purges.add(PurgeDraft(subject=f"sub_{number}"), actor="ana")
    live = await store.purges.live()
    assert len(live) == SERVED_MAX
    assert (live[0].subject, live[-1].subject) == (f"sub_{SERVED_MAX + 1}", "sub_2")
    await store.close()


# What workers are given


class Compiled:
    """A keeper's desired state before a control database, and what it has handed to the workers."""

    def __init__(self, folder: Path, store: ControlStore) -> None:
        config = folder / "watchkeeper.yaml"
        config.write_text(CONFIG)
        self._file = SealedFile(folder / "snapshot", b"s" * 32)
        book = PriceBook.of(installed())
        self.desired = DesiredState(config, store, book, BookPricer(Terms({})), self._file)

    async def snapshot(self) -> Snapshot:
        await self.desired.compile()
        return decode(await asyncio.to_thread(self._file.read))


@pytest.fixture
def compiled(tmp_path: Path, store: ControlStore) -> Compiled:
    return Compiled(tmp_path, store)


def _after(clock: Clock, length: timedelta) -> int:
    return clock.unix_ns() + int(length.total_seconds()) * 1_000_000_000


async def test_workers_are_given_the_faults_that_have_not_ended(
    compiled: Compiled, store: ControlStore, clock: FakeClock
) -> None:
    bare = await compiled.snapshot()
    assert bare.faults == ()
    short = await start(store, lasts=timedelta(minutes=1))
    clock.advance(1)
    long = await start(store)
    snapshot = await compiled.snapshot()
    assert [fault.id for fault in snapshot.faults] == [short.id, long.id]
    assert snapshot.faults[1] == FaultRule(
        id=long.id,
        kind="server_error",
        route="chat",
        share=0.25,
        until_ns=_after(clock, TEN_MINUTES),
        tenant="acme",
        status=503,
    )
    clock.advance(60)
    assert [fault.id for fault in (await compiled.snapshot()).faults] == [long.id]
    await store.faults.stop(long.id, actor="ana")
    assert await compiled.snapshot() == bare


async def test_nothing_is_compiled_when_a_fault_ends_by_itself(
    compiled: Compiled, store: ControlStore, clock: FakeClock
) -> None:
    await start(store)
    before = await compiled.snapshot()
    clock.advance(TEN_MINUTES.total_seconds())
    await compiled.desired.follow()
    assert compiled.desired.snapshot == before, "the workers look at its end themselves"


async def test_workers_are_given_the_purges(compiled: Compiled, store: ControlStore, clock: FakeClock) -> None:
    await store.purges.add(PurgeDraft(tenant="acme", release="r1", subject="sub_1"), actor="ana")
    assert (await compiled.snapshot()).purges == (Purge(clock.unix_ns(), "acme", "r1", "sub_1"),)


async def test_a_drill_may_name_every_target_that_a_call_can_come_to(compiled: Compiled) -> None:
    assert compiled.desired.routing() is None
    await compiled.snapshot()
    routing = compiled.desired.routing()
    assert routing is not None
    assert routing.targets == {"chat": {"openai/gpt-4o-mini", "openai/gpt-4o", "other/gpt-4o"}}
    assert routing.providers == {"openai", "other"}
