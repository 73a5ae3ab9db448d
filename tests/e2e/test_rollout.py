"""Rollouts on a whole installation: callers get their arms, the keeper judges, everybody is served by what is left."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import config_for

from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import StandingDraft
from watchkeeper.testing import Upstream, wait_until
from watchkeeper.testing.harness import Installation, free_port

PEOPLE = 40


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, started_upstream: Upstream) -> Iterator[Installation]:
    """An installation with a route that works and one whose provider is not there."""
    routes = "  broken: {targets: [nowhere/gpt-4o-mini], retries: {attempts: 1}}\n"
    nowhere = (
        f'  nowhere: {{base_url: "http://127.0.0.1:{free_port()}/v1", dialect: openai, api_key: sk-fake}}\nfeatures:'
    )
    config = config_for(started_upstream, routes=routes).replace("features:", nowhere, 1)
    with Installation(tmp_path_factory.mktemp("rollout"), config) as installation:
        yield installation


def push(installation: Installation, feature: str, *models: str) -> list[str]:
    """Push a release for each model, and make the first one live."""

    async def put() -> list[str]:
        control = await ControlStore.open(f"sqlite:///{installation.data}/control.db", SystemClock())
        found: list[str] = []
        try:
            for model in models:
                recipe = Recipe(feature=feature, model=model, messages=(Message("user", "{{ q }}"),),
                                variables={"q": {"type": "string"}})  # fmt: skip
                row, _ = await control.releases.push(
                    recipe, parent=found[-1] if found else "", author="ana", message=model
                )
                found.append(row.id)
            draft = StandingDraft(feature=feature, environment="production", kind="promote", release=found[0], by="ana")
            await control.environments.put(draft)
        finally:
            await control.close()
        return found

    releases = asyncio.run(put())
    wait_until(lambda: ask(installation, feature, "nobody").status_code == 200)
    return releases


def ask(installation: Installation, feature: str, person: str) -> httpx.Response:
    return httpx.post(
        f"{installation.base_url}/chat/completions",
        json={"model": f"feature/{feature}", "variables": {"q": "Where is it?"}},
        headers={"authorization": f"Bearer {installation.key}", "x-wk-subject": person},
        timeout=20,
    )


def ask_all(installation: Installation, feature: str) -> dict[str, bool]:
    """Have everybody call once; tell who was answered."""
    people = [f"person-{number}" for number in range(PEOPLE)]
    return {person: ask(installation, feature, person).status_code == 200 for person in people}


def show(installation: Installation, rollout: str) -> dict[str, Any]:
    found: dict[str, Any] = installation.cli_json("rollout", "show", rollout)
    return found


def test_a_canary_that_fails_is_taken_back_by_itself(running: Installation) -> None:
    standing, candidate = push(running, "support", "gpt-4o-mini", "broken")
    command = ["rollout", "start", "support", candidate, "--share", "50%", "--guard", "errors", "--reason", "cheaper"]
    started = running.cli_json(*command)
    wait_until(lambda: not all(ask_all(running, "support").values()))
    first = ask_all(running, "support")
    assert any(first.values())
    for _ in range(3):
        found = ask_all(running, "support")
        if show(running, started["id"])["state"] == "running":
            assert found == first, "a person keeps the arm that they were given"
    ended = wait_until(lambda: _ended(running, started["id"]))
    assert ended["state"] == "rolled_back"
    assert "errors 100% against 0%" in ended["outcome"]
    assert ended["decisions"][0]["findings"][0]["verdict"] == "worse"
    assert {arm["release"] for arm in ended["figures"]} == {standing, candidate}
    wait_until(lambda: all(ask_all(running, "support").values()))
    (alert,) = running.cli_json("alerts", "list", "--kind", "rollout")["alerts"]
    assert alert["title"] == "The canary of support in production was rolled back"
    kinds = [
        change["summary"].split()[0] for change in running.cli_json("changes")["changes"] if change["kind"] == "release"
    ]
    assert {"canary_start", "canary_back"} <= set(kinds)


def _ended(installation: Installation, rollout: str) -> dict[str, Any] | None:
    """Call until the rollout has ended."""
    ask_all(installation, "support")
    found = show(installation, rollout)
    return found if found["state"] != "running" else None


def test_a_shadow_serves_nobody_and_is_compared(running: Installation) -> None:
    standing, candidate = push(running, "search", "gpt-4o-mini", "scripted/gpt-4o")
    started = running.cli_json("rollout", "start", "search", candidate, "--kind", "shadow", "--share", "100%")

    def compared() -> dict[str, Any] | None:
        reply = ask(running, "search", "person-1")
        assert reply.headers["x-wk-release"] == standing
        found = show(running, started["id"])
        return found if found["pairs"]["both_answered"] >= 3 else None

    found = wait_until(compared)
    assert found["pairs"]["same"] == found["pairs"]["both_answered"]
    copies = [arm for arm in found["figures"] if arm["is_shadow"]]
    assert [arm["release"] for arm in copies] == [candidate]
    assert float(copies[0]["cost_usd"]) > 0
    assert running.cli("rollout", "stop", "search").returncode == 0
