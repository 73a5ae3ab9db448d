"""What a run measured, as `evals.gate` reads it: a point for each case and repeat that was meant to be asked."""

from collections import Counter
from collections.abc import Iterable, Iterator

from watchkeeper.evals.decision import Point
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.suite import Case, Suite

PASSED = "passed"
SCORE = "score"
LATENCY = "latency_ms"
COST = "cost_nusd"
REASON_LETTERS_MAX = 100
NOT_ASKED = "it was not asked"


class Measured:
    """Gathers the points of each arm."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._cases = {case.id: case for case in suite.cases}
        self._points: dict[str, dict[tuple[str, int], Point]] = {}
        self.reasons: Counter[str] = Counter()
        """Why cases are unmeasured, of all arms."""

    def add(self, outcome: Outcome) -> None:
        """Take an outcome in; one of a case that the suite does not have is left out."""
        case = self._cases.get(outcome.case)
        if case is None:
            return
        if outcome.status == "unmeasured":
            self.reasons[outcome.reason[:REASON_LETTERS_MAX]] += 1
        self._points.setdefault(outcome.arm, {})[outcome.case, outcome.repeat] = point_of(case, outcome)

    def of(self, arm: str, *, repeats: int) -> list[Point]:
        """Return the points of an arm in the order of the suite; what was not asked is unmeasured."""
        found = self._points.get(arm, {})
        return [
            found.get((case.id, repeat)) or _absent(case, repeat)
            for case in self._suite.cases
            for repeat in range(repeats)
        ]


def points_of(suite: Suite, outcomes: Iterable[Outcome], arm: str, *, repeats: int) -> list[Point]:
    """Return the points of one arm among outcomes."""
    measured = Measured(suite)
    for outcome in outcomes:
        measured.add(outcome)
    return measured.of(arm, repeats=repeats)


def point_of(case: Case, outcome: Outcome) -> Point:
    """Return what was measured of a case."""
    answer = outcome.answer
    passed = None if outcome.status == "unmeasured" else float(outcome.status == "passed")
    # Neither time nor money of an answer that was there already is this run's.
    is_fresh = not answer.reused and not answer.error
    values: dict[str, float | None] = {
        PASSED: passed,
        SCORE: outcome.score,
        LATENCY: answer.latency_ms if is_fresh else None,
        COST: None if not is_fresh or answer.cost_nusd is None else float(answer.cost_nusd),
    }
    values |= dict(_marks(outcome))
    return Point(
        case=case.id, cluster=case.cluster, weight=case.weight, tags=case.tags, repeat=outcome.repeat, values=values
    )


def _marks(outcome: Outcome) -> Iterator[tuple[str, float | None]]:
    for mark in outcome.marks:
        yield mark.scorer, None if mark.status == "unmeasured" else mark.score


def _absent(case: Case, repeat: int) -> Point:
    values: dict[str, float | None] = {PASSED: None, SCORE: None}
    return Point(case=case.id, cluster=case.cluster, weight=case.weight, tags=case.tags, repeat=repeat, values=values)
