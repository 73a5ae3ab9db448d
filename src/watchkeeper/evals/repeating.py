"""What repeats tell of single cases: which are flaky, which have flipped, and which fail what must never fail."""

from collections.abc import Collection, Mapping

from watchkeeper.evals.decision import Breach, Flip, Point
from watchkeeper.evals.pairing import Arm
from watchkeeper.evals.points import PASSED
from watchkeeper.evals.statistics.exact import fisher_above, passes_all, passes_once

NEARLY_ALWAYS, NEARLY_NEVER = 0.9, 0.1
FLIP_REPEATS_MIN = 3
"""Fewer cannot tell a flip from chance: 3 of 3 against 0 of 3 has a probability of 0.05."""
FLIP_ALPHA = 0.05


def breaches_of(arm: Arm, critical: Collection[str]) -> tuple[Breach, ...]:
    """Return the cases that fail a critical scorer, the most often failed first."""
    found = []
    for case, points in arm.items():
        for scorer in critical:
            marked = [point for point in points if _is_marked(point, scorer)]
            failed = sum(_fails(point, scorer) for point in marked)
            if failed:
                found.append(Breach(case=case, scorer=scorer, failed=failed, repeats=len(marked)))
    return tuple(sorted(found, key=lambda one: (-one.failed / one.repeats, one.case, one.scorer)))


def marked_cases(arm: Arm, scorer: str) -> int:
    """Return how many cases have a mark by a scorer."""
    return sum(any(_is_marked(point, scorer) for point in points) for points in arm.values())


def flaky_cases(arm: Arm) -> tuple[str, ...]:
    """Return the cases that pass in some repeats and fail in others."""
    return tuple(sorted(case for case, (passed, asked) in _tallies(arm).items() if 0 < passed < asked))


def flips_of(candidate: Arm, baseline: Arm) -> tuple[Flip, ...]:
    """Return the cases that passed nearly always and now pass nearly never, the surest first.

    Fisher's exact test over the repeats of one case (R. Fisher, "Statistical methods for research workers", 5th ed.,
    1934); it is not corrected for the number of cases, which is why a flip is a reason to look and not to block.
    """
    before, found = _tallies(baseline), []
    for case, (passed, asked) in _tallies(candidate).items():
        earlier, times = before.get(case, (0, 0))
        if min(asked, times) < FLIP_REPEATS_MIN:
            continue
        if earlier / times >= NEARLY_ALWAYS and passed / asked <= NEARLY_NEVER:
            p = fisher_above((earlier, times), (passed, asked))
            if p <= FLIP_ALPHA + 1e-9:
                found.append(
                    Flip(case=case, passed=passed, repeats=asked, baseline_passed=earlier, baseline_repeats=times, p=p)
                )
    return tuple(sorted(found, key=lambda one: (one.p, one.case)))


def over_repeats(arm: Arm) -> tuple[float, float] | None:
    """Return the mean probabilities that a case passes in all repeats, and in at least one; None for one repeat.

    Cases asked less often than the others are left out.
    """
    tallies = _tallies(arm)
    times = max((asked for _, asked in tallies.values()), default=0)
    whole = [passed for passed, asked in tallies.values() if asked == times]
    if times < 2:
        return None
    count = len(whole)
    return (
        sum(passes_all(passed, times, times) for passed in whole) / count,
        sum(passes_once(passed, times, times) for passed in whole) / count,
    )


def _tallies(arm: Arm) -> Mapping[str, tuple[int, int]]:
    """How often each case passed, of how often it was measured."""
    tallies = {}
    for case, points in arm.items():
        values = [value for point in points if (value := point.values.get(PASSED)) is not None]
        if values:
            tallies[case] = (round(sum(values)), len(values))
    return tallies


def _is_marked(point: Point, scorer: str) -> bool:
    return scorer in point.failed or point.values.get(scorer) is not None


def _fails(point: Point, scorer: str) -> bool:
    """A mark of 0 has failed, whether or not the point says so."""
    value = point.values.get(scorer)
    return scorer in point.failed or (value is not None and value <= 0)
