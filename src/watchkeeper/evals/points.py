"""Outcomes as points: what is compared of each case, in figures."""

from collections.abc import Iterable, Mapping

from watchkeeper.evals.decision import Point
from watchkeeper.evals.outcome import Mark, Outcome
from watchkeeper.evals.suite import Case

PASSED, SCORE, LATENCY, COST = "passed", "score", "latency_ms", "cost_nusd"
RELATIVE = frozenset((LATENCY, COST))
"""Metrics of which the ratio is compared, and less is better."""


def points_of(outcomes: Iterable[Outcome], cases: Iterable[Case]) -> tuple[Point, ...]:
    """Return the outcomes of one arm as points, those of cases that the suite does not have left out.

    Latency and cost are not there where there is no answer, or one from an earlier run, or nobody knows them: they are
    then not compared, and do not count as unmeasured. Of several marks by scorers of one title, the mean counts.
    """
    known: Mapping[str, Case] = {case.id: case for case in cases}
    return tuple(point_of(outcome, known[outcome.case]) for outcome in outcomes if outcome.case in known)


def point_of(outcome: Outcome, case: Case) -> Point:
    """Return what was measured of a case, as `points_of` does."""
    values: dict[str, float | None] = {
        PASSED: None if outcome.status == "unmeasured" else float(outcome.status == "passed"),
        SCORE: None if outcome.status == "unmeasured" else outcome.score,
    }
    by_title: dict[str, list[Mark]] = {}
    for mark in outcome.marks:
        by_title.setdefault(mark.scorer, []).append(mark)
    for title, marks in by_title.items():
        scores = [mark.score for mark in marks if mark.score is not None and mark.status != "unmeasured"]
        values[title] = sum(scores) / len(scores) if len(scores) == len(marks) else None
    answer = outcome.answer
    is_fresh = not answer.reused and not answer.error
    if is_fresh and answer.latency_ms is not None:
        values[LATENCY] = answer.latency_ms
    if is_fresh and answer.cost_nusd is not None and answer.cost_status != "unpriced":
        values[COST] = float(answer.cost_nusd)
    return Point(
        case=case.id,
        cluster=case.cluster,
        weight=case.weight,
        tags=case.tags,
        repeat=outcome.repeat,
        values=values,
        failed=tuple(title for title, marks in by_title.items() if any(mark.status == "failed" for mark in marks)),
    )
