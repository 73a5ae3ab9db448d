"""What is live changes under load on every worker at once, and what was live is known to the call."""

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from bench.rollback import effect_s, mixed, run
from tests.e2e.conftest import config_for

from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.testing import Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

CHANGES = 1_000 if os.environ.get("WK_SOAK") else 40
PEOPLE = 20
WORKERS = 3
LEAST_CALLS = 3 * CHANGES
FEATURE = "support"


@pytest.fixture
def installation(tmp_path: Path, upstream: Upstream) -> Iterator[Installation]:
    upstream.always(Reply("Done."))
    with Installation(tmp_path, config_for(upstream), workers=WORKERS) as running:
        yield running


def push(installation: Installation, text: str, parent: str = "") -> str:
    recipe = {
        "feature": FEATURE,
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": text}, {"role": "user", "content": "{{ question }}"}],
        "variables": {"question": {"type": "string"}},
    }
    done = installation.tell("/api/v1/releases", recipe=recipe, parent=parent, message=text)
    return str(done["release"]["id"])


def promote(installation: Installation, release: str) -> None:
    installation.tell("/api/v1/environments/production/promote", feature=FEATURE, release=release)


def ask(installation: Installation, person: str = "ana") -> httpx.Response:
    return httpx.post(
        f"{installation.base_url}/chat/completions",
        json={"model": f"feature/{FEATURE}", "variables": {"question": "Where?"}},
        headers={"authorization": f"Bearer {installation.key}", "x-wk-subject": person},
        timeout=20,
    )


def test_a_rollback_under_load_fails_no_call_and_mixes_none(tmp_path: Path) -> None:
    course = run(tmp_path, per_s=150, seconds=8, every_s=2.5)
    assert [seen.status for seen in course.seen if seen.status != 200] == []
    assert mixed(course) == []
    first, second = (change.release for change in course.changes)
    assert {seen.release for seen in course.seen} == {first, second}
    for change in course.changes:
        # No call that began a second after the command had ended was served by what stood before.
        assert effect_s(course, change) < (change.done_ns - change.asked_ns) / 1e9 + 1


def test_what_was_live_is_what_the_calls_are_stamped_with(installation: Installation) -> None:
    dice = random.Random(7)
    releases = [push(installation, "one")]
    for text in ("two", "three", "four"):
        releases.append(push(installation, text, releases[-1]))
    for release in releases:
        promote(installation, release)  # a rollback goes back to what stood once
    wait_until(lambda: ask(installation).status_code == 200)
    asked: dict[str, str] = {}
    for _ in range(CHANGES):
        _change(installation, dice, releases)
        until = time.monotonic() + dice.choice([0.02, 0.1, 0.3, 0.6])
        while time.monotonic() < until:
            person = f"person-{dice.randrange(PEOPLE)}"
            reply = ask(installation, person)
            assert reply.status_code == 200
            asked[reply.headers["x-wk-call-id"]] = person
    calls = wait_until(lambda: _calls(installation, at_least=LEAST_CALLS), within_s=60)
    for call in filter(lambda call: call["id"] in asked, calls):
        at = urlencode({"feature": FEATURE, "environment": "production", "at": call["started_at"]})
        was = installation.ask(f"/api/v1/environments/at?{at}")
        assert was is not None
        standing = was["standings"][0]
        assert call["release"] == _served(standing, asked[call["id"]]), (call["started_at"], standing)


def _change(installation: Installation, dice: random.Random, releases: list[str]) -> None:
    standing = _live(installation)
    release = dice.choice([one for one in releases if one != standing["release"]])
    match dice.choice(["promote", "rollback", "canary"]):
        case "promote":
            promote(installation, release)
        case "rollback":
            installation.tell("/api/v1/environments/production/rollback", feature=FEATURE, to=release)
        case _:
            if standing["rollout"] is None:
                arms = [{"release": release, "share": round(dice.uniform(0.1, 0.6), 2)}]
                wish = {"feature": FEATURE, "environment": "production", "kind": "canary", "arms": arms}
                installation.tell("/api/v1/rollouts", **wish)


def _live(installation: Installation) -> dict[str, Any]:
    found = installation.ask(f"/api/v1/environments/current?feature={FEATURE}")
    assert found is not None
    standing: dict[str, Any] = found["standings"][0]
    return standing


def _served(standing: dict[str, Any], person: str) -> str:
    """Work out which release a person gets, from what is said of the moment."""
    if standing["rollout"] is None:
        return str(standing["release"])
    arms = tuple(Arm(arm["release"], arm["share"]) for arm in standing["rollout"]["arms"])
    rollout = Rollout(standing["rollout"]["id"], "canary", arms)
    return rollout.arm_of(person) or str(standing["release"])


def _calls(installation: Installation, *, at_least: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    while page := installation.ask(f"/api/v1/calls?limit=200&feature={FEATURE}&status=ok{before}"):
        found += page["calls"]
        if not page["next_before"]:
            break
        before = f"&before={page['next_before']}"
    return found if len(found) >= at_least else []


def test_workers_and_calls_say_when_nobody_tells_them_what_is_live_any_more(
    installation: Installation, upstream: Upstream
) -> None:
    promote(installation, push(installation, "one"))
    reply = wait_until(lambda: _answered(installation))
    assert "x-wk-stale" not in reply.headers
    # The keeper is stopped, not killed: its supervisor would start another one at once.
    (keeper,) = installation.pids("keeper")
    os.kill(keeper, 19)
    try:
        stale = wait_until(lambda: _stale(installation), within_s=20)
        assert stale.json()["choices"][0]["message"]["content"] == "Done."
        assert stale.headers["x-wk-release"] == reply.headers["x-wk-release"]
    finally:
        os.kill(keeper, 18)
    wait_until(lambda: not _stale(installation), within_s=20)
    call = installation.call(stale.headers["x-wk-call-id"])
    assert call["is_stale"] is True


def _answered(installation: Installation) -> httpx.Response | None:
    reply = ask(installation)
    return reply if reply.status_code == 200 else None


def _stale(installation: Installation) -> httpx.Response | None:
    reply = ask(installation)
    return reply if "x-wk-stale" in reply.headers else None


def test_a_feature_is_written_pushed_promoted_asked_and_taken_back_with_commands(
    installation: Installation, tmp_path: Path, upstream: Upstream
) -> None:
    prompts = tmp_path / "prompts" / FEATURE
    prompts.mkdir(parents=True)
    text = "feature: support\nmodel: gpt-4o-mini\nmessages:\n  - {role: user, content: 'ONE {{ question }}'}\n"
    (prompts / "release.yaml").write_text(text + "variables: {question: {type: string}}\n")
    for word in ("ONE", "TWO"):
        file = prompts / "release.yaml"
        file.write_text(file.read_text().replace("ONE", word))
        assert installation.cli("release", "push", str(prompts), "-m", word).returncode == 0
        done = installation.cli("release", "promote", FEATURE, "--to", "production", "-m", word)
        assert done.returncode == 0, done.stderr
        assert f"{WORKERS} of {WORKERS}" in done.stdout
        wait_until(lambda: ask(installation).status_code == 200)
        assert upstream.received[-1].json["messages"][0]["content"] == f"{word} Where?"
    done = installation.cli("release", "rollback", FEATURE, "-m", "worse")
    assert done.returncode == 0, done.stderr
    time.sleep(0.5)
    reply = ask(installation)
    assert upstream.received[-1].json["messages"][0]["content"] == "ONE Where?"
    call = installation.call(reply.headers["x-wk-call-id"])
    assert call["release"] == reply.headers["x-wk-release"]
    was = installation.cli_json("release", "at", FEATURE, call["started_at"])
    assert call["release"] in json.dumps(was)
    history = installation.cli("release", "history", FEATURE).stdout
    assert "worse" in history
