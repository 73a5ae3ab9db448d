"""Schedules in the control database: each time is claimed once, whoever looks, and whatever died in between."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.evals.schedule import Schedule
from watchkeeper.store.control import ControlStore
from watchkeeper.store.schedules import Firing, ScheduleBusy, ScheduleExists, ScheduleUnknown
from watchkeeper.testing import FakeClock

NIGHTLY = Schedule(name="nightly", suite="support/answers", cron="0 6 * * *", tz="Europe/Berlin")
DAY_S = 86_400.0
FIRST_DUE = datetime(2026, 1, 1, 5, tzinfo=UTC)


async def known(store: ControlStore, schedule: Schedule = NIGHTLY) -> None:
    """Have a schedule been seen."""
    assert await store.schedules.claim(schedule, "a 1/x") is None


async def claimed(store: ControlStore, schedule: Schedule = NIGHTLY, holder: str = "a 1/x") -> Firing:
    found = await store.schedules.claim(schedule, holder)
    assert found is not None
    return found


def is_gone(_: str) -> bool:
    return True


def is_there(_: str) -> bool:
    return False


async def test_a_time_is_claimed_once_when_it_has_come(store: ControlStore, clock: FakeClock) -> None:
    await known(store)
    clock.advance(5 * 3600 - 1)
    assert await store.schedules.claim(NIGHTLY, "a 1/x") is None
    clock.advance(1)
    firing = await claimed(store)
    assert (firing.due_at, firing.status, firing.holder) == (FIRST_DUE, "waiting", "a 1/x")
    await store.schedules.end(firing, "finished", result="pass", facts={"reasons": ["fine"]})
    assert await store.schedules.claim(NIGHTLY, "a 1/x") is None
    [last] = await store.schedules.latest()
    assert (last.status, last.result, last.facts) == ("finished", "pass", {"reasons": ["fine"]})


async def test_of_many_keepers_that_look_at_once_one_has_it(store: ControlStore, clock: FakeClock) -> None:
    await known(store)
    clock.advance(DAY_S)
    found = await asyncio.gather(*(store.schedules.claim(NIGHTLY, f"host{number} 1/x") for number in range(8)))
    assert len([one for one in found if one is not None]) == 1
    assert len(await store.schedules.history()) == 1


async def test_what_was_missed_is_made_up_for_once(store: ControlStore, clock: FakeClock) -> None:
    await known(store)
    clock.advance(9.5 * DAY_S)
    firing = await claimed(store)
    assert firing.due_at == FIRST_DUE + timedelta(days=9)
    await store.schedules.end(firing, "finished", result="pass", facts={})
    assert await store.schedules.claim(NIGHTLY, "a 1/x") is None
    clock.advance(DAY_S)
    assert (await claimed(store)).due_at == FIRST_DUE + timedelta(days=10)


async def test_a_schedule_with_other_times_has_missed_nothing(store: ControlStore, clock: FakeClock) -> None:
    await known(store)
    clock.advance(2 * DAY_S)
    earlier = Schedule(name="nightly", suite="support/answers", cron="0 1 * * *", tz="Europe/Berlin")
    assert await store.schedules.claim(earlier, "a 1/x") is None
    clock.advance(DAY_S)
    assert (await claimed(store, earlier)).due_at == datetime(2026, 1, 4, 0, tzinfo=UTC)


async def test_nothing_is_claimed_beside_a_run_that_goes_on_and_it_is_claimed_afterwards(
    store: ControlStore, clock: FakeClock
) -> None:
    await known(store)
    clock.advance(DAY_S)
    firing = await claimed(store)
    clock.advance(DAY_S)
    assert await store.schedules.claim(NIGHTLY, "b 2/y") is None
    with pytest.raises(ScheduleBusy):
        await store.schedules.ask(NIGHTLY, by="ana")
    await store.schedules.end(firing, "failed", result="", facts={})
    assert (await claimed(store)).due_at == FIRST_DUE + timedelta(days=1)


async def test_what_a_keeper_that_died_has_claimed_is_taken_over_once(store: ControlStore, clock: FakeClock) -> None:
    await known(store)
    clock.advance(DAY_S)
    firing = await claimed(store)
    assert await store.schedules.take_over("b 2/y", is_there) == [], "its keeper may live"
    found = await asyncio.gather(*(store.schedules.take_over(f"h{n} 2/y", is_gone) for n in range(5)))
    holders = {one.holder for held in found for one in held}
    [now] = await store.schedules.active()
    assert now.id == firing.id and now.holder in holders
    assert await store.schedules.note(firing, run="run-x") is None, "whoever has lost it writes nothing"
    assert (await store.schedules.active())[0].run == ""
    clock.advance(61)
    [taken] = await store.schedules.take_over("z 9/z", is_there)
    assert taken.holder == "z 9/z", "nobody has heard of its keeper for a minute"
    assert len(await store.schedules.history()) == 1


async def test_what_is_asked_for_waits_for_a_keeper(store: ControlStore) -> None:
    firing = await store.schedules.ask(NIGHTLY, by="ana")
    [taken] = await store.schedules.take_over("a 1/x", is_there)
    assert (taken.id, taken.by, taken.holder) == (firing.id, "ana", "a 1/x")


async def test_schedules_are_kept_and_removed_by_name(store: ControlStore) -> None:
    await store.schedules.add(NIGHTLY, by="ana")
    assert [(one.schedule, one.by) for one in await store.schedules.kept()] == [(NIGHTLY, "ana")]
    with pytest.raises(ScheduleExists):
        await store.schedules.add(NIGHTLY, by="ben")
    await store.schedules.accept(NIGHTLY, "run-1", by="ana")
    await known(store, Schedule(name="other", suite="support/answers", cron="0 1 * * *"))
    states = await store.schedules.states()
    assert (states["nightly"].accepted, states["other"].accepted) == ("run-1", "")
    await store.schedules.remove("nightly", by="ben")
    assert await store.schedules.kept() == []
    with pytest.raises(ScheduleUnknown):
        await store.schedules.remove("nightly", by="ben")


async def test_a_rule_of_online_evals_is_held_by_one_keeper(store: ControlStore, clock: FakeClock) -> None:
    cursors = store.online
    rule = "support.production"
    found = await asyncio.gather(*(cursors.claim(rule, f"h{number}", is_there) for number in range(6)))
    [cursor] = [one for one in found if one is not None]
    assert (cursor.stored_us, cursor.call_id) == (clock.unix_ns() // 1000, ""), "it begins with what comes from now on"
    holder = f"h{[one is not None for one in found].index(True)}"
    assert await cursors.claim(rule, holder, is_there) == cursor
    assert await cursors.claim(rule, "other", is_there) is None
    clock.advance(601)
    assert await cursors.claim(rule, "other", is_there) == cursor, "nobody has heard of its keeper for ten minutes"
    assert not await cursors.advance(rule, holder)
    assert await cursors.claim(rule, holder, is_gone) == cursor, "its keeper is no more"
