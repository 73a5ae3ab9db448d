"""Suites as tests: a case is a parameter of a test, an answer is asked of the gateway, and marks are an assertion.

    from watchkeeper.evals import ask, cases, check

    @cases("suites/support/answers.yaml")
    def test_answers(case):
        check(case, ask(case))

The package loads this, and pytest with it, when one of the names is used that need it.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

from watchkeeper.evals.from_python import CaseOfSuite, read_cases, score
from watchkeeper.evals.outcome import Answer, Mark, Outcome
from watchkeeper.evals.surroundings import Surroundings

OnUnmeasured = Literal["skip", "fail"]
ANSWER_LETTERS_MAX = 2_000
"""Of an answer in the message of a failure."""

Test = TypeVar("Test", bound=Callable[..., Any])


def cases(path: str | Path, *, tags: Collection[str] = ()) -> Callable[[Test], Test]:
    """Have pytest run a test once for each case of a suite, as its parameter `case`; the ids are those of the cases.

    Args:
        path: Of the suite's file, from the folder that pytest is started in.
        tags: Only cases that have one of them.

    Raises:
        SuiteRefused: the file holds no suite.
    """
    found = read_cases(path, tags=tags)
    mark: Callable[[Test], Test] = pytest.mark.parametrize("case", [pytest.param(one, id=one.id) for one in found])
    return mark


def check(
    case: CaseOfSuite,
    answer: Answer | str,
    *,
    unmeasured: OnUnmeasured = "skip",
    gateway: Surroundings | None = None,
) -> Outcome:
    """Have a test fail where an answer does, with the reason of every scorer that it fails.

    Args:
        case: That was asked.
        answer: From `ask`, or the text that one's own function gave.
        unmeasured: What becomes of a test of which nobody knows: it is skipped with the reason, or fails.
        gateway: As for `score`.

    Returns:
        What came of it, where it passed.

    Raises:
        AssertionError: it failed, or was not measured and `unmeasured` is `fail`.
        ScorerRefused: a scorer cannot be used as it is written.
    """
    __tracebackhide__ = True
    outcome = score(case, answer, gateway=gateway)
    if outcome.status == "passed":
        return outcome
    if outcome.status == "unmeasured" and unmeasured == "skip":
        pytest.skip(_told(outcome))
    raise AssertionError(_told(outcome))


def _told(outcome: Outcome) -> str:
    lines = [f"{outcome.case} {outcome.status}: {outcome.reason}"]
    lines += [_line(mark) for mark in outcome.marks if mark.status != "passed"]
    text = outcome.answer.text
    if text:
        left = len(text) - ANSWER_LETTERS_MAX
        lines.append(f"answer: {text[:ANSWER_LETTERS_MAX]}{f' [{left:,} further characters]' if left > 0 else ''}")
    if outcome.answer.call:
        lines.append(f"call: {outcome.answer.call}")
    return "\n".join(lines)


def _line(mark: Mark) -> str:
    figure = "" if mark.score is None else f" ({mark.score:.3g})"
    return f"- {mark.scorer} {mark.status}{figure}: {mark.reason or 'no reason was given'}"
