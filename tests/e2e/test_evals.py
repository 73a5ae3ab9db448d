"""Suites on a whole installation: asked through the gateway, gated, gone on with after a crash, and paid once."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from watchkeeper.testing import Delivery, Reply, Upstream, wait_until
from watchkeeper.testing.asked import Asked
from watchkeeper.testing.harness import Installation
from watchkeeper.testing.steps import Step

ENVIRONMENTS = """
environments:
  staging: {}
  production: {gate: [numbers]}
"""
CASES = 80


@dataclass(frozen=True, slots=True)
class Knows:
    """Answers questions about numbers: rightly, but for those whose last digit is below `fails`."""

    fails: int = 0
    delay_s: float = 0.0

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        number = number_of(asked)
        text = "I am not sure." if number % 10 < self.fails else f"It is {number}."
        return Reply(text, delivery=Delivery(head_s=self.delay_s)).steps(asked)


def number_of(asked: Asked) -> int:
    return int(re.findall(r"number (\d+)", asked.body.decode())[-1])


@pytest.fixture
def installed(install: Callable[..., Installation], upstream: Upstream) -> Installation:
    upstream.always(Knows(), model="good")
    upstream.always(Knows(fails=4), model="bad")
    upstream.always(Knows(), model="gpt-4o-mini")
    return install(routes=f"  good: {{targets: [scripted/good]}}\n  bad: {{targets: [scripted/bad]}}\n{ENVIRONMENTS}")


def suite_in(folder: Path, *, cases: int = CASES, more: str = "") -> Path:
    place = folder / "suites" / "support"
    place.mkdir(parents=True, exist_ok=True)
    lines = [
        {"id": f"n{number}", "variables": {"question": f"What is number {number}?"}, "reference": str(number)}
        for number in range(cases)
    ]
    (place / "numbers.cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = place / "numbers.yaml"
    path.write_text(f"cases: numbers.cases.jsonl\nscorers: [contains]\n{more}")
    return path


def pushed(installation: Installation, folder: Path, model: str) -> str:
    place = folder / "prompts" / "support"
    place.mkdir(parents=True, exist_ok=True)
    text = 'messages: [{role: user, content: "{{ question }}"}]\nvariables: {question: {type: string}}\n'
    (place / "release.yaml").write_text(f"feature: support\nmodel: {model}\n{text}")
    found = installation.cli_json("release", "push", str(folder / "prompts"), "-m", model)
    return (
        str(found["features"][0]["release"])
        if "features" in found
        else str(installation.cli_json("release", "show", "support")["id"])
    )


def slowly_running(installation: Installation, suite: Path) -> "subprocess.Popen[str]":
    """Begin a run in a process of its own, so slowly that something can happen meanwhile."""
    command = (
        str(Path(sys.executable).with_name("watchkeeper")),
        "eval",
        "run",
        str(suite),
        "--model",
        "good",
        "--quiet",
    )
    way = ("--concurrency", "4", "--data", str(installation.data))
    return subprocess.Popen((*command, *way), stdout=subprocess.PIPE, text=True)


def test_a_worse_release_is_stopped_and_a_good_one_goes_live(installed: Installation, tmp_path: Path) -> None:
    suite = str(suite_in(tmp_path, more="gate: {margin: 5%}\n"))
    good = pushed(installed, tmp_path, "good")
    first = installed.cli("eval", "run", suite, "--release", good, "--gate", "-q")
    assert (first.returncode, "no baseline" in first.stdout) == (4, True), first.stdout
    (tmp_path / "suites/support/numbers.yaml").write_text(
        "cases: numbers.cases.jsonl\nscorers: [contains]\ngate: {margin: 5%, min_pass: 90%}\n"
    )
    assert installed.cli("release", "promote", "support", good, "--to", "production").returncode != 0
    passed = installed.cli("eval", "run", suite, "--release", good, "--gate", "-q")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert installed.cli("release", "promote", "support", good, "--to", "production").returncode == 0

    bad = pushed(installed, tmp_path, "bad")
    out = tmp_path / "report"
    run = installed.cli(
        "eval", "run", suite, "--release", bad, "--gate", "-q", *(f"-o={out}{end}" for end in (".html", ".md", ".xml"))
    )
    assert run.returncode == 3, run.stdout + run.stderr
    assert "Regression" in run.stdout and "60%" in run.stdout
    assert 'errors="0"' in Path(f"{out}.xml").read_text() and Path(f"{out}.md").read_text().startswith(
        "### ❌ Regression"
    )
    refused = installed.cli("release", "promote", "support", bad, "--to", "production")
    assert refused.returncode != 0 and "numbers" in refused.stderr
    ended = installed.cli_json("eval", "list")["runs"][0]
    assert ended["decision"]["comparisons"][0]["verdict"] == "worse"
    assert (ended["head"]["cost_status"], ended["head"]["cost_nusd"]) == ("unpriced", None)

    outcomes = installed.cli_json("eval", "show", ended["id"], "--case", "n3")["outcomes"]
    outcome = next(one for one in outcomes if one["arm"] == "candidate")
    call = installed.call(outcome["answer"]["call"])
    assert (call["origin"], call["feature"], call["release"]) == ("eval", "support", bad)
    assert call["metadata"]["eval-run"] == ended["id"]


def test_twenty_cases_do_not_let_a_release_pass(installed: Installation, tmp_path: Path) -> None:
    suite = str(suite_in(tmp_path, cases=20))
    run = installed.cli("eval", "run", suite, "--model", "good", "--baseline", "gpt-4o-mini", "--gate", "-q")
    assert run.returncode == 4, run.stdout
    assert "Cannot tell" in run.stdout and "cases" in run.stderr


def test_what_cannot_be_measured_is_neither_passed_nor_failed(
    installed: Installation, tmp_path: Path, upstream: Upstream
) -> None:
    suite = str(suite_in(tmp_path, cases=10))
    run = installed.cli("eval", "run", suite, "--model", "nobody-has-this", "--gate", "-q")
    assert run.returncode == 1 and "Nothing was asked" in run.stderr
    upstream.always(Reply("", finish_reason="content_filter"), model="good")
    path = tmp_path / "suites/support/numbers.yaml"
    path.write_text("cases: numbers.cases.jsonl\nscorers: [{type: perplexity, value: 5}]\ngate: {min_pass: 50%}\n")
    run = installed.cli("eval", "run", suite, "--model", "good", "--gate", "-q")
    assert run.returncode == 5, run.stdout
    assert installed.cli_json("eval", "list")["runs"][0]["counts"] == {"candidate": {"unmeasured": 10}}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on_where_it_stopped(
    installed: Installation, tmp_path: Path, upstream: Upstream, number: signal.Signals
) -> None:
    upstream.always(Knows(delay_s=0.05), model="good")
    suite = suite_in(tmp_path, cases=300)
    with slowly_running(installed, suite) as running:
        assert running.stdout is not None
        run = running.stdout.readline().split()[1].rstrip(":")
        wait_until(lambda: len(installed.cli_json("eval", "show", run)["counts"]) > 0, within_s=20)
        running.send_signal(number)
        running.wait(20)
    before = len(upstream.received)
    assert 0 < before < 300
    resumed = installed.cli_json("eval", "resume", run)
    assert resumed["counts"] == {"candidate": {"passed": 300}} and resumed["head"]["status"] == "finished"
    asked = Counter(re.findall(r"number (\d+)", one.body.decode())[-1] for one in upstream.received)
    assert len(asked) == 300
    # Asked and not yet written down when it was killed: as many as were under way, and those of the last 0.3 s.
    twice = sum(asked.values()) - 300
    assert twice <= (40 if number == signal.SIGKILL else 0)


def test_a_keeper_that_dies_meanwhile_is_waited_for(
    installed: Installation, tmp_path: Path, upstream: Upstream
) -> None:
    upstream.always(Knows(delay_s=0.05), model="good")
    suite = suite_in(tmp_path, cases=200)
    with slowly_running(installed, suite) as run:
        wait_until(lambda: len(upstream.received) > 20, within_s=20)
        installed.kill(installed.pids("keeper")[0])
        assert run.wait(60) == 0
    assert installed.cli_json("eval", "list")["runs"][0]["counts"] == {"candidate": {"passed": 200}}


def test_answers_are_taken_again_by_their_repeat_and_a_run_stops_at_its_sum(
    installed: Installation, tmp_path: Path, upstream: Upstream
) -> None:
    suite = str(suite_in(tmp_path, cases=30))
    run = ("eval", "run", suite, "--model", "gpt-4o-mini", "--repeats", "3", "-q")
    first = installed.cli_json(*run)
    assert (len(upstream.received), first["head"]["cost_status"]) == (90, "measured")
    again = installed.cli_json(*run)
    assert (len(upstream.received), again["counts"], again["head"]["cost_nusd"]) == (90, first["counts"], 0)
    installed.cli_json(*run, "--fresh")
    assert len(upstream.received) == 180

    of_one = first["head"]["cost_nusd"] // 90
    capped = installed.cli_json(*run, "--fresh", "--cap", f"{of_one * 20 / 1e9:.9f}", "--concurrency", "2")
    assert capped["head"]["status"] == "stopped" and "may cost" in capped["head"]["note"]
    assert capped["head"]["cost_nusd"] <= of_one * 21
    resumed = installed.cli_json("eval", "resume", capped["id"], "--cap", "1")
    assert resumed["counts"] == first["counts"]


def test_a_command_without_a_keeper_marks_what_is_there_and_asks_nobody(
    installed: Installation, tmp_path: Path
) -> None:
    installed.stop()
    path = suite_in(tmp_path, cases=3)
    path.write_text("cases: [{id: a, answer: It is 1., reference: 1}]\nscorers: [contains]\ngate: {min_pass: 90%}\n")
    done = installed.cli("eval", "run", str(path), "-q")
    assert done.returncode == 0 and "1 passed" in done.stdout
    asked = installed.cli("eval", "run", str(suite_in(tmp_path)), "--model", "good")
    assert asked.returncode == 4 and "No keeper runs" in asked.stderr
