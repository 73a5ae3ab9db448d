"""Schedules and marks of real calls in a whole installation: worse answers are told of, and good ones again."""

import json
from pathlib import Path
from typing import Any

import httpx
from tests.e2e.conftest import config_for

from watchkeeper.testing import Delivery, Reply, Upstream, wait_until
from watchkeeper.testing.harness import Installation

CASES = 70
EVALS = """
evals:
  schedules:
    - {name: nightly, suite: support/answers, model: gpt-4o-mini, cron: "0 6 * * *", tz: Europe/Berlin, cap: 2 USD}
  online:
    - {feature: support, share: 100%, scorers: [{type: contains, value: parcel}, {type: refusal, not: true}]}
"""


def written(folder: Path) -> Path:
    """Write a suite that asks for parcels."""
    path = folder / "support" / "answers.yaml"
    path.parent.mkdir(parents=True)
    cases = [{"id": f"c{number}", "variables": {"question": f"Where is parcel {number}?"}} for number in range(CASES)]
    path.write_text(json.dumps({"cases": cases, "scorers": [{"type": "contains", "value": "parcel"}]}))
    return path


def schedule(installation: Installation) -> dict[str, Any]:
    """The schedule, as it is listed."""
    [found] = installation.ask("/api/v1/evals/schedules")["schedules"]  # type: ignore[index]
    return dict(found)


def ended(installation: Installation, firings: int) -> dict[str, Any]:
    """Wait until so many runs of the schedule have ended, and return the last."""

    def look() -> dict[str, Any] | None:
        found = installation.ask("/api/v1/evals/schedules/nightly/firings")
        every = found["firings"] if found else []
        return every[0] if len(every) == firings and every[0]["ended_at"] else None

    return wait_until(look, within_s=45)


def run(installation: Installation, firings: int) -> dict[str, Any]:
    """Have the schedule run now, and return what came of it."""
    installation.tell("/api/v1/evals/schedules/nightly/run")
    return ended(installation, firings)


def alerts(installation: Installation, *, is_open: bool = True) -> list[dict[str, Any]]:
    found = installation.ask(f"/api/v1/alerts{'?open=true' if is_open else ''}")
    return found["alerts"] if found else []


def test_a_schedule_tells_that_answers_got_worse_and_that_they_are_good_again(
    tmp_path: Path, upstream: Upstream
) -> None:
    upstream.always(Reply("Your parcel arrives today."))
    with Installation(tmp_path / "run", config_for(upstream) + EVALS) as installation:
        pushed = installation.cli("eval", "push", str(written(tmp_path)))
        assert pushed.returncode == 0, pushed.stderr
        first = run(installation, 1)
        assert first["status"] == "finished" and first["facts"]["baseline"] == "", first
        upstream.always(Reply("I do not know."))
        second = run(installation, 2)
        assert (second["result"], second["facts"]["baseline"]) == ("regression", first["run"])
        alert = wait_until(lambda: next(iter(alerts(installation)), None))
        assert (alert["kind"], alert["key"]) == ("eval_regression", "schedule nightly")
        for word in (second["run"], "support/answers", "gpt-4o-mini", f"/evals/runs/{second['run']}", "accept nightly"):
            assert word in alert["text"]
        upstream.always(Reply("The parcel is at your door."))
        third = run(installation, 3)
        assert (third["result"], third["facts"]["baseline"]) == ("pass", first["run"]), "not the one that was worse"
        wait_until(lambda: not alerts(installation))
        [over] = alerts(installation, is_open=False)
        assert over["resolution"].startswith("A later run has passed")
        assert schedule(installation)["last"]["run"] == third["run"]
        [head] = [installation.ask(f"/api/v1/evals/runs/{third['run']}")]
        assert head is not None and head["head"]["by"] == "schedule:nightly"
        listed = installation.cli("eval", "schedule", "list")
        assert "nightly" in listed.stdout and "configuration" in listed.stdout
        marked_by_chance(installation, upstream)


def answered(reply: httpx.Response) -> httpx.Response | None:
    """Return an answer; None where the key is not known to the workers yet."""
    return reply if reply.status_code == 200 else None


def marked_by_chance(installation: Installation, upstream: Upstream) -> None:
    """Calls of clients are marked, once each; what people said stands beside it."""
    key = installation.make_key("--feature", "support")
    ids = []
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Where is it?"}]}
    asked = {"authorization": f"Bearer {key}"}
    path = f"{installation.base_url}/chat/completions"
    for text in ("The parcel is here.", "Nothing is here.", "No parcel."):
        upstream.always(Reply(text))
        reply = wait_until(lambda: answered(httpx.post(path, json=body, headers=asked, timeout=20)))
        ids.append(reply.headers["x-wk-call-id"])
    said = {"call_id": ids[0], "name": "thumbs", "score": 1}
    assert httpx.post(f"{installation.base_url}/feedback", json=said, headers=asked).status_code == 202

    def look() -> dict[str, Any] | None:
        found = installation.ask("/api/v1/scores?feature=support")
        scores = {one["name"]: one for one in found["scores"]} if found else {}
        is_whole = scores.get("contains", {}).get("count") == 3 and "feedback:thumbs" in scores
        return scores if is_whole else None

    scores = wait_until(look, within_s=30)
    assert (scores["contains"]["passed"], scores["contains"]["failed"]) == (2, 1)
    assert scores["refusal"]["passed"] == 3 and scores["feedback:thumbs"]["mean"] == 1.0
    assert round(scores["contains"]["mean"], 3) == 0.667
    told = installation.cli("eval", "scores", "support").stdout
    assert "contains" in told and "feedback:thumbs" in told


def test_a_run_that_was_cut_off_by_a_kill_comes_to_its_end_once(tmp_path: Path, upstream: Upstream) -> None:
    upstream.always(Reply("Your parcel arrives today.", delivery=Delivery(head_s=0.2)))
    with Installation(tmp_path / "run", config_for(upstream) + EVALS) as installation:
        assert installation.cli("eval", "push", str(written(tmp_path))).returncode == 0
        assert installation.cli("eval", "schedule", "run", "nightly").returncode == 0

        def begun() -> dict[str, Any] | None:
            found = installation.ask("/api/v1/evals/schedules/nightly/firings")
            return found["firings"][0] if found and found["firings"][0]["run"] else None

        wait_until(begun, within_s=20, every_s=0.02)
        installation.kill(*installation.pids("keeper"))
        firing = ended(installation, 1)
        assert firing["status"] == "finished"
        assert len(installation.cli_json("eval", "list")["runs"]) == 1
        counts = installation.cli_json("eval", "show", firing["run"])["counts"]
        assert counts == {"candidate": {"passed": CASES}}
