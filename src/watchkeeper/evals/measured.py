"""What a run measured, as `evals.gate` reads it: a point for each case and repeat that was meant to be asked."""

from collections import Counter

from watchkeeper.evals.decision import Point
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.points import PASSED, SCORE, point_of
from watchkeeper.evals.suite import Case, Suite

REASON_LETTERS_MAX = 100


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
        self._points.setdefault(outcome.arm, {})[outcome.case, outcome.repeat] = point_of(outcome, case)

    def of(self, arm: str, *, repeats: int) -> list[Point]:
        """Return the points of an arm in the order of the suite; what was not asked is unmeasured."""
        found = self._points.get(arm, {})
        return [
            found.get((case.id, repeat)) or _absent(case, repeat)
            for case in self._suite.cases
            for repeat in range(repeats)
        ]


def _absent(case: Case, repeat: int) -> Point:
    values: dict[str, float | None] = {PASSED: None, SCORE: None}
    return Point(case=case.id, cluster=case.cluster, weight=case.weight, tags=case.tags, repeat=repeat, values=values)
