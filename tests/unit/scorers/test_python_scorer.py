"""Python that people bring along scores answers in a process of its own, and a run survives all of it."""

import asyncio
import gc
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.unit.scorers.asked import question_of, scorer_of

from watchkeeper.evals.outcome import Answer, Mark, ToolCall
from watchkeeper.evals.scorers.marking import MarkingLater
from watchkeeper.evals.scorers.python import inlined
from watchkeeper.evals.scorers.table import build
from watchkeeper.evals.scoring import ScorerRefused
from watchkeeper.evals.suite import Scorer


def built_of(value: str, source: str = "", **options: Any) -> tuple[Scorer, MarkingLater]:
    """Build one scorer; with source, `value` names a function of it."""
    given = {**options, **({"source": source} if source else {})}
    scorer = scorer_of("python", value, options=given)
    built = build(scorer)
    assert isinstance(built, MarkingLater)
    return scorer, built


async def mark_of(value: str, answer: str | Answer = "Rome", source: str = "", **options: Any) -> Mark:
    scorer, built = built_of(value, source, **options)
    return await built.mark_later(question_of(scorer, answer, "Rome"))


def function(body: str) -> str:
    return f"def check(answer, case):\n    {body}\n"


@pytest.mark.parametrize(
    ("body", "status", "score"),
    [
        ("return True", "passed", 1.0),
        ("return False", "failed", 0.0),
        ("return 0.75", "passed", 0.75),
        ("return 0.25", "failed", 0.25),
        ("return 1", "passed", 1.0),
        ("return {'score': 0.2, 'passed': True}", "passed", 0.2),
        ("return {'score': 0.9, 'passed': False, 'reason': 'rude'}", "failed", 0.9),
        ("return {'passed': True}", "passed", 1.0),
        ("return {'score': 0.6, 'reason': 'fine'}", "passed", 0.6),
        ("return {'score': True, 'pass': True}", "passed", 1.0),
        ("from fractions import Fraction; return Fraction(3, 4)", "passed", 0.75),
        ("print('noise' * 100_000); return True", "passed", 1.0),
        ("import os; os.write(1, b'{\"score\": 0}\\n'); os.write(2, b'x'); return True", "passed", 1.0),
        ("import sys; sys.stdout.write('{}\\n'); sys.stdout.flush(); return sys.stdin.read() == ''", "passed", 1.0),
        ("return case['reference'] == answer and case['id'] == 'one'", "passed", 1.0),
    ],
)
async def test_what_a_function_returns_is_the_mark(body: str, status: str, score: float) -> None:
    mark = await mark_of("check.py:check", source=function(body))
    assert (mark.status, mark.score) == (status, score), mark.reason
    assert mark.reason


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return None", "returned None"),
        ("return 'yes'", "returned 'yes'"),
        ("return 7", "not between 0 and 1"),
        ("return float('nan')", "not between 0 and 1"),
        ("return {}", "neither"),
        ("return {'score': 'high'}", "returned 'high'"),
        ("return {'score': 2, 'passed': True}", "not between 0 and 1"),
        ("return 1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise ValueError('\\ud800')", "ValueError"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("return check(answer, case)", "RecursionError"),
        ("x = bytearray(10**10); return True", "more than 256 MB"),
        ("x = []\n    while True: x.append('a' * 10**6)", "more than 256 MB"),
        ("import socket; socket.create_connection(('127.0.0.1', 9)); return True", "PermissionError"),
        ("import subprocess; subprocess.run(['true']); return True", "PermissionError"),
        ("import os; return os.fork() == 0", "PermissionError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
    ],
)
async def test_what_goes_wrong_leaves_the_answer_unmeasured_and_says_why(body: str, why: str) -> None:
    mark = await mark_of("check.py:check", source=function(body), memory_mb=256)
    assert (mark.status, mark.score) == ("unmeasured", None)
    assert why in mark.reason


async def test_what_does_not_end_is_ended_and_the_next_answer_is_scored() -> None:
    source = function("while answer == 'loop': pass\n    return True")
    scorer, built = built_of("check.py:check", source, timeout_s=0.5)
    started = time.monotonic()
    stuck = await built.mark_later(question_of(scorer, "loop"))
    assert time.monotonic() - started < 10
    assert stuck.status == "unmeasured"
    assert "0.5 s" in stuck.reason
    assert (await built.mark_later(question_of(scorer, "x"))).status == "passed"


async def test_many_answers_are_scored_by_few_processes_at_a_time() -> None:
    source = "import os\ndef check(answer, case):\n    return {'score': 1, 'reason': str(os.getpid())}\n"
    scorer, built = built_of("check.py:check", source)
    marks = await asyncio.gather(*(built.mark_later(question_of(scorer, str(n))) for n in range(200)))
    assert {mark.status for mark in marks} == {"passed"}
    assert len({mark.reason for mark in marks}) <= 2


async def test_scorers_in_use_together_share_processes_and_not_their_code() -> None:
    source = "import os\ndef check(answer):\n    return {'score': %d, 'reason': str(os.getpid())}\n"
    pairs = [built_of("check.py:check", source % number) for number in (0, 1)]
    asked = [built.mark_later(question_of(scorer, "x")) for scorer, built in pairs * 20]
    marks = await asyncio.gather(*asked)
    assert [mark.score for mark in marks] == [0, 1] * 20
    assert len({mark.reason for mark in marks}) <= 2


async def test_processes_end_when_their_scorer_is_let_go() -> None:
    scorer, built = built_of("{'score': 1, 'reason': str(__import__('os').getpid())}")
    child = int((await built.mark_later(question_of(scorer, "x"))).reason)
    assert psutil.pid_exists(child)
    del built
    gc.collect()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not psutil.pid_exists(child)


def test_a_scorer_outlives_the_event_loop_in_which_it_was_used() -> None:
    scorer, built = built_of("answer == 'x'")
    for _ in range(2):
        assert asyncio.run(built.mark_later(question_of(scorer, "x"))).status == "passed"


@pytest.mark.parametrize(
    ("expression", "status"),
    [
        ("len(answer) == 4", "passed"),
        ("answer == reference", "passed"),
        ("math.sqrt(len(answer)) / 4", "passed"),
        ("json.loads(answer)", "unmeasured"),
        ("any(call['name'] == 'f' for call in tool_calls)", "passed"),
        ("case['reference'] == 'Paris'", "failed"),
        ("bool(re.search('^R', answer))", "passed"),
    ],
)
async def test_an_expression_knows_the_answer_and_the_case(expression: str, status: str) -> None:
    answer = Answer(text="Rome", tool_calls=(ToolCall("f"),))
    assert (await mark_of(expression, answer)).status == status


async def test_an_expression_is_not_made_from_what_a_case_holds() -> None:
    """Its text is the scorer's own: a variable that ends in code stays a text."""
    scorer, built = built_of("answer == '{{ reference }}'")
    mark = await built.mark_later(question_of(scorer, "{{ reference }}", "' or True or '"))
    assert mark.status == "passed"


async def test_negated_the_mark_is_the_other_way_round() -> None:
    scorer = scorer_of("python", "answer == 'Rome'", negated=True)
    built = build(scorer)
    assert isinstance(built, MarkingLater)
    mark = await built.mark_later(question_of(scorer, "Rome"))
    assert (mark.status, mark.score) == ("failed", 0.0)


@pytest.mark.parametrize("answer", ["a" * 900_000, "\x00\n\r\u2028", "a \ud800 b", '"}\n{"'])
async def test_a_hostile_answer_reaches_the_function_whole(answer: str) -> None:
    mark = await mark_of("len(answer) / 1e6", answer)
    assert mark.score == pytest.approx(len(answer) / 1e6)


async def test_a_case_that_is_nested_too_deeply_is_unmeasured() -> None:
    scorer, built = built_of("True")
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    question = question_of(scorer, "x", deep)
    assert (await built.mark_later(question)).status == "unmeasured"


async def test_keys_of_providers_are_not_in_its_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert (await mark_of("'OPENAI_API_KEY' in __import__('os').environ")).status == "failed"


async def test_a_file_becomes_a_part_of_the_scorer(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def short(answer):\n    return len(answer) < 10\n")
    scorer = inlined(scorer_of("python", "checks.py:short"), tmp_path)
    assert "len(answer) < 10" in scorer.options["source"]
    (tmp_path / "checks.py").unlink()
    built = build(scorer)
    assert isinstance(built, MarkingLater)
    assert (await built.mark_later(question_of(scorer, "short"))).status == "passed"


@pytest.mark.parametrize(
    "text", ["def other(answer): return True\n", "def short(answer:\n", "\x00", "x = 1\n" * 50_000]
)
def test_a_file_that_cannot_work_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "checks.py").write_text(text)
    with pytest.raises(ScorerRefused):
        build(inlined(scorer_of("python", "checks.py:short"), tmp_path))


@pytest.mark.parametrize("file", ["../checks.py", "{outside}/checks.py", "link.py", "missing.py", "folder.py"])
def test_only_files_in_the_folder_of_the_suite_are_read(tmp_path: Path, file: str) -> None:
    suite = tmp_path / "suite"
    (suite / "folder.py").mkdir(parents=True)
    (tmp_path / "checks.py").write_text("def short(answer):\n    return True\n")
    (suite / "link.py").symlink_to(tmp_path / "checks.py")
    with pytest.raises(ScorerRefused, match="cannot read"):
        inlined(scorer_of("python", f"{file.format(outside=tmp_path)}:short"), suite)
