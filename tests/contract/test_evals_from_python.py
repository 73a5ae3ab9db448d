"""Suites run from Python: what is sent, what a failure says, and how pytest reports it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from watchkeeper.evals import CaseOfSuite, Surroundings, ask, check, read_cases, score
from watchkeeper.evals.scoring import ScorerRefused
from watchkeeper.evals.surroundings import NoKey, from_environment
from watchkeeper.testing.scripts import Reply
from watchkeeper.testing.upstream import Upstream

SUITE = """\
feature: sums
scorers:
  - contains
  - {type: words, name: short, value: {max: 3}}
cases:
  - {id: four, variables: {question: "2 + 2"}, reference: "4", tags: [easy]}
  - {id: six, variables: {question: "3 + 3"}, reference: "6"}
  - {id: told, variables: {question: "1 + 1"}, reference: "2", answer: "It is 2"}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "answers.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def four(suite: Path) -> CaseOfSuite:
    return read_cases(suite)[0]


def test_a_feature_is_asked_with_variables_and_a_model_with_a_message(four: CaseOfSuite, upstream: Upstream) -> None:
    gateway = Surroundings(upstream.base_url, "sk-wk-1-2")
    upstream.plays(Reply("It is 4"), Reply("4"))
    assert ask(four, gateway=gateway).text == "It is 4"
    assert ask(four, "openai/gpt-4o-mini", gateway=gateway).text == "4"
    feature, model = (json.loads(received.body) for received in upstream.received)
    assert feature == {"model": "feature/sums", "messages": [], "variables": {"question": "2 + 2"}}
    assert model == {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "2 + 2"}]}


def test_an_answer_that_the_case_brings_is_not_asked_for(suite: Path, upstream: Upstream) -> None:
    told = read_cases(suite)[2]
    assert check(told, ask(told, gateway=Surroundings(upstream.base_url, "sk"))).status == "passed"
    assert upstream.received == []


def test_a_failure_names_every_scorer_that_the_answer_fails(four: CaseOfSuite) -> None:
    with pytest.raises(AssertionError) as failure:
        check(four, "It is certainly five, as I said")
    said = str(failure.value)
    assert said.startswith("four failed: ")
    assert "- contains failed (0)" in said
    assert "- short failed" in said
    assert "answer: It is certainly five" in said


def test_the_text_of_one_s_own_function_is_marked(four: CaseOfSuite) -> None:
    assert check(four, "It is 4").status == "passed"
    assert {mark.scorer: mark.status for mark in score(four, "It is 5").marks} == {
        "contains": "failed",
        "short": "passed",
    }


def test_a_gateway_that_is_away_leaves_a_case_unmeasured(four: CaseOfSuite) -> None:
    answer = ask(four, gateway=Surroundings("http://127.0.0.1:9/v1", "sk-wk-1-2"))
    assert score(four, answer).status == "unmeasured"
    with pytest.raises(pytest.skip.Exception, match="was not reached"):
        check(four, answer)
    with pytest.raises(AssertionError, match=r"four unmeasured: .*was not reached"):
        check(four, answer, unmeasured="fail")


def test_a_judge_that_cannot_be_asked_leaves_a_case_unmeasured(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("cases: [{id: a, answer: x}]\nscorers: [{type: rubric, value: kind, judge: openai/gpt-4o}]\n")
    outcome = score(read_cases(path)[0], "x", gateway=Surroundings("http://127.0.0.1:9/v1", "sk"))
    assert outcome.status == "unmeasured"
    assert "feature/NAME@ENVIRONMENT" in outcome.reason


def test_a_judge_of_one_s_own_is_asked(tmp_path: Path, upstream: Upstream) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("cases: [{id: a}]\nscorers: [{type: closed_qa, value: kind, judge: feature/mine@staging}]\n")
    upstream.plays(Reply('{"analysis": "it greets", "label": "yes"}'))
    outcome = score(read_cases(path)[0], "Hello!", gateway=Surroundings(upstream.base_url, "sk"))
    assert outcome.status == "passed", outcome
    assert json.loads(upstream.received[0].body)["model"] == "feature/mine@staging"


def test_a_scorer_that_there_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("cases: [{id: a}]\nscorers: [containz]\n")
    with pytest.raises(ScorerRefused, match="contains"):
        score(read_cases(path)[0], "x")


async def test_answers_can_be_asked_for_while_a_loop_runs(four: CaseOfSuite, upstream: Upstream) -> None:
    upstream.plays(Reply("4"))
    asyncio.get_running_loop()
    assert ask(four, gateway=Surroundings(upstream.base_url, "sk")).text == "4"


def test_cases_can_be_chosen_by_tag(suite: Path) -> None:
    assert [case.id for case in read_cases(suite, tags=["easy"])] == ["four"]


def test_the_environment_says_where_the_gateway_is() -> None:
    assert from_environment({"WATCHKEEPER_API_KEY": "k"}) == Surroundings("http://127.0.0.1:4000/v1", "k")
    there = {"WATCHKEEPER_API_KEY": "k", "WATCHKEEPER_URL": "http://there/v1/"}
    assert from_environment(there).url == "http://there/v1"
    with pytest.raises(NoKey, match="WATCHKEEPER_API_KEY"):
        from_environment({})


def test_pytest_reports_each_case_under_its_id(suite: Path, upstream: Upstream) -> None:
    upstream.plays(Reply("It is 4"), Reply("It is 7"))
    test = suite.parent / "test_sums.py"
    test.write_text(
        "from watchkeeper.evals import Surroundings, ask, cases, check\n"
        f"gateway = Surroundings({upstream.base_url!r}, 'sk-wk-1-2')\n"
        "@cases('answers.yaml')\n"
        "def test_sums(case):\n"
        "    check(case, ask(case, gateway=gateway))\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "-p",
        "no:cacheprovider",
        str(test),
    ]
    found = subprocess.run(command, cwd=suite.parent, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "PASSED test_sums.py::test_sums[four]" in found.stdout
    assert "FAILED test_sums.py::test_sums[six] - AssertionError: six failed" in found.stdout
    assert "PASSED test_sums.py::test_sums[told]" in found.stdout


def test_importing_the_names_loads_neither_pytest_nor_an_http_client() -> None:
    code = (
        "import sys, watchkeeper.evals; print([name for name in ('pytest', 'httpx', 'numpy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
