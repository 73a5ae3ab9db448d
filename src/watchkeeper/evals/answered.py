"""The answers of a run as people label them: what is shown of each, and what makes it worth a look."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from watchkeeper.evals.labelling import Answered, Shown
from watchkeeper.evals.outcome import Answer, Mark, Outcome
from watchkeeper.evals.suite import Case, Scorer, Suite
from watchkeeper.evals.tasks import prompt_of


def judged_scorers(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the titles of the scorers for which a judge gave marks, in the order in which they occur."""
    return list(dict.fromkeys(mark.scorer for outcome in outcomes for mark in outcome.marks if mark.judge))


def answers_of(suite: Suite, outcomes: Sequence[Outcome], scorer: str) -> list[Answered]:
    """Return the answers among outcomes that a person can label for a scorer.

    Args:
        suite: The version that ran; an outcome of a case that it does not have is left out, as is one without answer.
        outcomes: Of all arms.
        scorer: Its title.
    """
    cases = {case.id: case for case in suite.cases}
    verdicts = _verdicts(outcomes)
    found = []
    for outcome in outcomes:
        case = cases.get(outcome.case)
        if case is None or outcome.answer.error:
            continue
        mark = next((one for one in outcome.marks if one.scorer == scorer), None)
        # A mark that failed because of its judge has a reason, and says nothing of the answer.
        measured = None if mark is None or mark.status == "unmeasured" else mark
        asked = _scorer(suite, case, scorer)
        found.append(
            Answered(
                arm=outcome.arm,
                case=outcome.case,
                repeat=outcome.repeat,
                shown=shown(case, outcome.answer),
                mark=None if measured is None else measured.score,
                has_passed=None if measured is None else measured.status == "passed",
                judge="" if mark is None else mark.judge,
                threshold=None if asked is None else asked.threshold,
                others=_others(suite, case, outcome.marks, asked),
                is_torn=_is_torn(mark),
                has_flipped=len(verdicts.get(outcome.case, ())) > 1,
            )
        )
    return found


def rubric_of(suite: Suite, scorer: str) -> str:
    """Return what a scorer asks of an answer, as text; empty where it says nothing."""
    found = next((one for one in suite.scorers if one.title == scorer), None)
    return _text(found.value) if found is not None else ""


def shown(case: Case, answer: Answer) -> Shown:
    """Return what a person sees of an answer."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return Shown(
        question=prompt_of(case),
        answer="\n".join(filter(None, [answer.text or answer.refusal, *calls])),
        reference=_text(case.reference),
        contexts=case.contexts,
    )


def _verdicts(outcomes: Iterable[Outcome]) -> Mapping[str, set[str]]:
    """Return by case which of `passed` and `failed` it came to, over arms and repeats."""
    found: dict[str, set[str]] = {}
    for outcome in outcomes:
        if outcome.status != "unmeasured":
            found.setdefault(outcome.case, set()).add(outcome.status)
    return found


def _others(suite: Suite, case: Case, marks: Sequence[Mark], asked: Scorer | None) -> tuple[float, ...]:
    """Return the scores that other judges gave to the same question: scorers of the same type and value."""
    scorers = {one.title: one for one in (*suite.scorers, *case.scorers)}
    same = {
        title
        for title, one in scorers.items()
        if asked is not None and (one.type, one.value) == (asked.type, asked.value) and title != asked.title
    }
    return tuple(mark.score for mark in marks if mark.scorer in same and mark.judge and mark.score is not None)


def _is_torn(mark: Mark | None) -> bool | None:
    """Tell whether a judge that was asked in both orders named another winner each time; None where it was not."""
    orders = None if mark is None else mark.detail.get("orders")
    return len(set(map(str, orders))) > 1 if isinstance(orders, list | tuple) and len(orders) > 1 else None


def _scorer(suite: Suite, case: Case, title: str) -> Scorer | None:
    return next((one for one in (*case.scorers, *suite.scorers) if one.title == title), None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
