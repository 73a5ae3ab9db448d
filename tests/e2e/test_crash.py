"""Processes are killed under load: what was acknowledged is in the store, once. WK_SOAK=1 kills twenty times each."""

import os
import random
import time
from collections.abc import Callable

import pytest
from tests.e2e.load import Load
from tests.e2e.stored import stored

from watchkeeper.testing import wait_until
from watchkeeper.testing.harness import Installation, Part

SEED = 20261121
KILLS = 20 if os.environ.get("WK_SOAK") else 3
WINDOW_S = 0.25
"""What `durability: interval` may lose before a kill: its 20 ms, and what a frame under way takes on a busy machine."""

Install = Callable[..., Installation]


@pytest.mark.parametrize("part", ["worker", "keeper"])
def test_with_disk_durability_every_acknowledged_call_is_stored_once(install: Install, part: Part) -> None:
    installation = install(durability="disk", workers=2)
    load, _ = kill_under_load(installation, part)
    counts = stored(installation.data)
    acknowledged = {call.id for call in load.acknowledged}
    assert len(acknowledged) > 20
    for table, rows in counts.items():
        assert acknowledged - set(rows) == set(), f"acknowledged and not in {table}"
        assert {call_id for call_id, count in rows.items() if count != 1} == set(), f"more than once in {table}"


@pytest.mark.parametrize("part", ["worker", "keeper"])
def test_with_interval_durability_only_the_last_moment_is_lost(install: Install, part: Part) -> None:
    installation = install(durability="interval", workers=2)
    load, kills = kill_under_load(installation, part)
    counts = stored(installation.data)
    lost = [call for call in load.acknowledged if call.id not in counts["calls"]]
    assert set(counts["calls"].values()) == {1}
    assert len(load.acknowledged) > 20
    if part == "keeper":
        assert lost == []
    for call in lost:
        assert any(killed_at - WINDOW_S <= call.at <= killed_at + WINDOW_S for killed_at in kills)


def kill_under_load(installation: Installation, part: Part) -> tuple[Load, list[float]]:
    """Kill processes of one kind again and again while clients call; return when all that was spooled is stored."""
    choose = random.Random(f"{SEED}-{part}")
    kills = []
    with Load(installation) as load:
        for _ in range(KILLS):
            time.sleep(choose.uniform(0.1, 0.8))
            running = wait_until(lambda: installation.pids(part), within_s=30)
            kills.append(installation.kill(choose.choice(running)))
        wait_until(lambda: installation.pids(part), within_s=30)
        time.sleep(0.3)
    installation.stop()
    # A worker that was killed leaves a spool that the next start takes in.
    installation.start()
    installation.stop()
    return load, kills
