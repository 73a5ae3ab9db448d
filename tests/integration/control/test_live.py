"""What workers serve at a moment is what the history says of that moment, to the microsecond."""

import asyncio
import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watchkeeper.gateway import live
from watchkeeper.gateway.live import Live
from watchkeeper.releases.recipe import Message, Recipe, canonical, release_id
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.live import LiveReleases
from watchkeeper.server.sealed import SealedFile, SealError, release_file
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import Overtaken, StandingDraft
from watchkeeper.testing import FakeClock

KEY = b"k" * 32
LEAD = timedelta(milliseconds=400)
CHANGES = 1_000 if os.environ.get("WK_SOAK") else 200


def recipe(number: int) -> Recipe:
    return Recipe(feature="support", model="m", messages=(Message("user", f"number {number}"),))


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def told(folder: DataFolder) -> Live:
    return live.decode(SealedFile(folder.live, KEY).read())


def moment(clock: FakeClock) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=clock.unix_ns() // 1000)


async def push(store: ControlStore, count: int) -> list[str]:
    parent = ""
    ids: list[str] = []
    for number in range(count):
        row, _ = await store.releases.push(recipe(number), parent=parent, author="ana", message="")
        ids.append(parent := row.id)
    return ids


def draft(release: str, kind: str = "promote", rollout: Rollout | None = None) -> StandingDraft:
    return StandingDraft(
        feature="support", environment="production", kind=kind, release=release, rollout=rollout, by="ana"
    )


async def test_a_change_holds_from_a_moment_after_it_was_made(
    store: ControlStore, clock: FakeClock, folder: DataFolder
) -> None:
    first, second = await push(store, 2)
    keeper = LiveReleases(store, folder, KEY, clock)
    await keeper.follow()
    for release in (first, second):
        row = await store.environments.put(draft(release))
        assert row.effective_at - moment(clock) == LEAD
        await keeper.follow()
        before_ns = clock.unix_ns() + 399_999_999
        found = told(folder)
        clock.advance(10)
        assert found.standing("support@production", before_ns + 2).release == release  # type: ignore[union-attr]  # one stands
        earlier = found.standing("support@production", before_ns)
        assert (earlier.release if earlier else "") == ("" if release == first else first)


async def test_two_changes_at_once_hold_one_after_the_other(store: ControlStore, clock: FakeClock) -> None:
    first, second = await push(store, 2)
    rows = [await store.environments.put(draft(release)) for release in (first, second, first)]
    assert [row.number for row in rows] == [1, 2, 3]
    assert rows[0].effective_at < rows[1].effective_at < rows[2].effective_at
    at = await store.environments.at("support", "production", rows[1].effective_at)
    assert at is not None
    assert at.release == second


async def test_of_two_who_change_what_both_have_seen_one_is_told(store: ControlStore) -> None:
    first, second = await push(store, 2)
    await store.environments.put(draft(first))
    both = [replace(draft(release), expects=1) for release in (first, second)]
    outcomes = await asyncio.gather(*map(store.environments.put, both), return_exceptions=True)
    assert sorted(isinstance(outcome, Overtaken) for outcome in outcomes) == [False, True]
    assert len(await store.environments.history("support")) == 2


async def test_what_workers_serve_is_what_the_history_says_at_every_moment(
    store: ControlStore, clock: FakeClock, folder: DataFolder
) -> None:
    dice = random.Random(5)
    releases = await push(store, 12)
    keeper = LiveReleases(store, folder, KEY, clock)
    served: list[tuple[int, str, str]] = []
    known = live.NOTHING_LIVE
    for number in range(CHANGES):
        release, rollout = dice.choice(releases), None
        kind = dice.choice(["promote", "rollback", "canary_step"])
        if kind == "canary_step":
            rollout = Rollout(f"ro-{number}", "canary", (Arm(dice.choice(releases), dice.random()),))
        await store.environments.put(draft(release, kind, rollout))
        await keeper.follow()
        known = told(folder)
        for _ in range(3):
            clock.advance(dice.choice([0.0001, 0.1, 0.4, 0.6, 3.0, 90.0]))
            standing, person = known.standing("support@production", clock.unix_ns()), f"p{dice.randrange(50)}"
            if standing is not None:
                arm = standing.rollout.arm_of(person) if standing.rollout else ""
                served.append((clock.unix_ns(), person, arm or standing.release))
    for at_ns, person, release in served:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1000)
        row = await store.environments.at("support", "production", at)
        assert row is not None
        arm = row.rollout.arm_of(person) if row.rollout else ""
        assert (arm or row.release) == release
    assert len(served) > 2 * CHANGES


async def test_a_keeper_takes_in_what_another_one_has_changed(
    store: ControlStore, clock: FakeClock, folder: DataFolder, tmp_path: Path
) -> None:
    here = LiveReleases(store, folder, KEY, clock)
    await here.follow()
    (release,) = await push(store, 1)
    await store.environments.put(draft(release))
    await here.follow()
    assert told(folder).version == 1
    assert release_file(folder, KEY, release).read() == canonical(recipe(0))
    elsewhere = DataFolder(tmp_path / "other")
    elsewhere.create()
    await LiveReleases(store, elsewhere, KEY, clock).follow()
    assert told(elsewhere) == told(folder)


async def test_what_is_live_is_there_before_workers_are_told_of_it(
    store: ControlStore, clock: FakeClock, folder: DataFolder
) -> None:
    releases = await push(store, 3)
    await store.environments.put(draft(releases[-1]))
    keeper = LiveReleases(store, folder, KEY, clock)
    await keeper.tell()
    assert release_file(folder, KEY, releases[-1]).path.exists()


def test_a_release_that_was_altered_on_disk_is_not_read(folder: DataFolder) -> None:
    file = release_file(folder, KEY, release_id(recipe(1)))
    file.write(canonical(recipe(1)))
    altered = bytearray(file.path.read_bytes())
    altered[-1] ^= 1
    file.path.write_bytes(altered)
    with pytest.raises(SealError):
        file.read()
    other = release_file(folder, KEY, release_id(recipe(2)))
    file.write(canonical(recipe(1)))
    other.path.write_bytes(file.path.read_bytes())
    with pytest.raises(SealError):
        other.read()


async def test_arrival_tells_what_each_worker_has(store: ControlStore, clock: FakeClock, folder: DataFolder) -> None:
    keeper = LiveReleases(store, folder, KEY, clock)
    (folder.serving / "worker-0").write_text("7")
    clock.set_unix_ns((folder.serving / "worker-0").stat().st_mtime_ns + 10**9)
    assert keeper.arrival() == {"worker-0": 7}
    clock.advance(60)
    assert keeper.arrival() == {}
