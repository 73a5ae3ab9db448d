"""What was not measured, and whether it could have changed what a run shows."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from watchkeeper.evals.decision import Missing, Point
from watchkeeper.evals.pairing import Arm
from watchkeeper.evals.points import PASSED
from watchkeeper.evals.statistics.bounds import lower_bound, upper_bound
from watchkeeper.evals.statistics.clusters import Clusters, clustered
from watchkeeper.evals.statistics.exact import fisher

REASONS_MAX = 5
Counts = tuple[int, int]
"""How many, and of how many."""


def missing_of(candidate: Arm, baseline: Arm, metrics: Collection[str], *, allowed: float, repeats: int = 1) -> Missing:
    """Count answers of which `passed`, or one of the metrics that were asked of them, is not known.

    Answers that the candidate should have and has not are missing: repeats of a case, and cases that the baseline has.
    The same holds for the baseline, but for repeats: it may have been asked otherwise.
    """
    mine, theirs = _count(candidate, baseline, metrics, repeats), _count(baseline, candidate, metrics, 1)
    extremes: tuple[float | None, float | None] = (None, None)
    if baseline and mine[0] + theirs[0]:
        extremes = (_filled(candidate, baseline, 0.0).mean, _filled(candidate, baseline, 1.0).mean)
    return Missing(
        candidate=mine[0] / mine[1] if mine[1] else 1.0,
        baseline=theirs[0] / theirs[1] if baseline else None,
        allowed=allowed,
        p_differs=fisher(mine, theirs) if baseline else None,
        if_failed=extremes[0],
        if_passed=extremes[1],
    )


def commonest(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return the reasons that were given most often."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:REASONS_MAX])


def could_matter(candidate: Arm, baseline: Arm, margin: float, alpha: float) -> bool:
    """Tell whether the candidate may be worse by the margin if all that it misses had failed."""
    return lower_bound(_filled(candidate, baseline, 0.0), alpha, least=-1.0) <= -margin


def is_worse_anyway(candidate: Arm, baseline: Arm, alpha: float) -> bool:
    """Tell whether the candidate passes less often even if all that it misses had passed, and all else had failed."""
    return upper_bound(_filled(candidate, baseline, 1.0), alpha, most=1.0) < 0


def _count(arm: Arm, other: Arm, metrics: Collection[str], repeats: int) -> Counts:
    asked = [point for points in arm.values() for point in points]
    unknown = sum(any(point.values.get(name, 0.0) is None for name in {PASSED, *metrics}) for point in asked)
    unasked = sum(max(0, repeats - len(points)) for points in arm.values())
    unasked += sum(max(repeats, 1) for case in other if case not in arm)
    return unknown + unasked, len(asked) + unasked


def _filled(candidate: Arm, baseline: Arm, fill: float) -> Clusters:
    """Differences in `passed`, with `fill` for what the candidate misses and the opposite for the baseline."""
    cases = [*candidate, *(case for case in baseline if case not in candidate)]
    differences = [_mean(candidate.get(case, ()), fill) - _mean(baseline.get(case, ()), 1 - fill) for case in cases]
    first = [(candidate.get(case) or baseline[case])[0] for case in cases]
    clusters = [f"cluster {point.cluster}" if point.cluster else f"case {point.case}" for point in first]
    return clustered(np.array(differences), np.array([point.weight for point in first]), clusters)


def _mean(points: Sequence[Point], fill: float) -> float:
    values = [fill if (value := point.values.get(PASSED)) is None else value for point in points]
    return sum(values) / len(values) if values else fill
