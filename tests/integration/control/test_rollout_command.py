"""`watchkeeper rollout` on a data folder without a keeper."""

import asyncio
from pathlib import Path

import pytest
from tests.integration.control.commands import LoneCommand

from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.server.folder import DataFolder
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import StandingDraft


async def push(folder: DataFolder) -> tuple[str, str]:
    """Make one release live and another one known."""
    control = await ControlStore.open(f"sqlite:///{folder.control_db}", SystemClock())
    found: list[str] = []
    for text in ("You help.", "You help well."):
        recipe = Recipe(feature="support", model="chat", messages=(Message("system", text),))
        row, _ = await control.releases.push(recipe, parent=found[-1] if found else "", author="ana", message="")
        found.append(row.id)
    draft = StandingDraft(feature="support", environment="production", kind="promote", release=found[0], by="ana")
    await control.environments.put(draft)
    await control.close()
    return found[0], found[1]


@pytest.fixture
def releases(data: Path) -> tuple[str, str]:
    return asyncio.run(push(DataFolder(data)))


def test_a_canary_is_started_shown_and_stopped(lone_wk: LoneCommand, data: Path, releases: tuple[str, str]) -> None:
    standing, candidate = releases
    options = ["--share", "10%", "--guard", "errors", "--guard", "cost=20%", "--bake", "5m"]
    assert lone_wk("rollout", "start", "support", candidate, *options, data=data) == 0, lone_wk.err
    assert f"{candidate} at 10% beside {standing}" in lone_wk.out

    shown = lone_wk.json("rollout", "show", "support", data=data)
    assert isinstance(shown, dict)
    assert shown["plan"]["guards"] == {"errors": 0.01, "cost": 0.2}
    assert [step["share"] for step in shown["plan"]["steps"]] == [0.1, 0.2, 0.5, 1.0]
    assert lone_wk("rollout", "show", shown["id"], data=data) == 0
    assert "Canary of support in production: running" in lone_wk.out
    assert "step 1 of 4 since" in lone_wk.out

    assert lone_wk("rollout", "widen", "support", "--reason", "in a hurry", data=data) == 0
    assert f"canary of support in production is running: {candidate} at 20% ({shown['id']})" in lone_wk.out
    assert lone_wk("rollout", "stop", "support", data=data) == 0
    assert f"canary of support in production is stopped: {standing} serves everybody now" in lone_wk.out
    assert lone_wk("rollout", "list", data=data) == 0
    assert [line.split("\t")[:4] for line in lone_wk.out.splitlines()] == [
        [shown["id"], "stopped", "canary", "support"]
    ]
    assert lone_wk("rollout", "pause", shown["id"], data=data) == 1
    assert "has ended" in lone_wk.err


def test_a_test_of_several_arms_is_concluded(lone_wk: LoneCommand, data: Path, releases: tuple[str, str]) -> None:
    _, candidate = releases
    command = ["rollout", "start", "support", candidate, "--kind", "ab", "--share", "30%", "--metric", "latency"]
    started = lone_wk.json(*command, data=data)
    assert isinstance(started, dict)
    assert (started["plan"]["goal"], started["arms"][0]["share"]) == ("latency", 0.3)
    assert lone_wk("rollout", "conclude", "support", "--winner", candidate, data=data) == 0
    assert f"A/B test of support in production is done: {candidate} serves everybody now" in lone_wk.out


def test_a_feature_names_the_rollout_that_runs_and_not_the_newest(
    lone_wk: LoneCommand, data: Path, releases: tuple[str, str]
) -> None:
    standing, candidate = releases
    start = ("rollout", "start", "support", candidate)
    assert lone_wk("release", "promote", "support", standing, "--to", "staging", data=data) == 0, lone_wk.err
    assert lone_wk(*start, data=data) == 0, lone_wk.err
    assert lone_wk(*start, "--kind", "shadow", "--env", "staging", data=data) == 0, lone_wk.err
    assert lone_wk("rollout", "stop", "support", data=data) == 2
    assert "the canary of support in production (rollout-" in lone_wk.err
    assert "the shadow of support in staging (rollout-" in lone_wk.err
    assert lone_wk("rollout", "stop", "support", "--env", "staging", data=data) == 0
    assert "shadow of support in staging is stopped" in lone_wk.out
    for _ in range(3):
        assert lone_wk("rollout", "widen", "support", data=data) == 0, "the stopped shadow is newer, and does not run"
    assert f"canary of support in production is done: {candidate} serves everybody now" in lone_wk.out
    assert lone_wk("rollout", "stop", "support", data=data) == 1
    assert "No rollout of support runs; nothing was done." in lone_wk.err
    assert "the shadow of support in staging (rollout-" in lone_wk.err and "is stopped" in lone_wk.err


def test_what_cannot_be_is_told_with_what_to_do(lone_wk: LoneCommand, data: Path, releases: tuple[str, str]) -> None:
    standing, candidate = releases
    assert lone_wk("rollout", "show", "support", data=data) == 3
    assert "has no rollout" in lone_wk.err
    assert lone_wk("rollout", "start", "support", standing, data=data) == 1
    assert "Name another release" in lone_wk.err
    assert lone_wk("rollout", "start", "support", candidate, "--share", "half", data=data) == 2
    assert lone_wk("rollout", "start", "support", candidate, "--env", "moon", data=data) == 3
    assert "There is no environment 'moon'" in lone_wk.err
    assert lone_wk("rollout", "start", "support", candidate, "--env", "staging", data=data) == 1
    assert "serves nothing in staging yet" in lone_wk.err
