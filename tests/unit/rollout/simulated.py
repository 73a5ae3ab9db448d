"""Canaries on made-up traffic, looked at after every call: all runs at once, by the formulas of `releases.sequential`.

That these are the same formulas is a test of its own; where a run is stopped here, the judge itself is asked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.releases.judging import ArmFigures, Plan, Step
from watchkeeper.releases.metrics import METRIC, MetricName
from watchkeeper.releases.sequential import PRIOR_HITS, PRIOR_MISSES, TUNED_AT, Sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """What calls of an arm are like."""

    shares: dict[MetricName, float]
    cost_nusd: float = 2_000_000.0
    cost_spread: float = 1.0
    """Of the logarithm: 1 is a long tail."""


@dataclass(frozen=True)
class Walk:
    """The arms of many runs after each call: one row for each run."""

    is_candidate: NDArray[np.bool_]
    values: dict[MetricName, Floats]

    def sums(self, run: int, calls: int, name: MetricName, *, candidate: bool) -> Sums:
        """Add up one arm of one run after so many calls."""
        values = self.values[name][run, :calls][self.is_candidate[run, :calls] == candidate]
        total, squares, count = float(values.sum()), float((values**2).sum()), len(values)
        return Sums(count, count, total, squares, count, total)

    def arms(self, run: int, calls: int) -> tuple[ArmFigures, ArmFigures]:
        """Return what the judge would be given after so many calls."""
        first, second = (
            ArmFigures(
                release=release,
                calls=int(np.sum(self.is_candidate[run, :calls] == is_candidate)),
                units=1_000,
                recent_units=1_000,
                sums={name: self.sums(run, calls, name, candidate=is_candidate) for name in self.values},
            )
            for release, is_candidate in (("wk1-standing", False), ("wk1-candidate", True))
        )
        return first, second


def walk(
    random: np.random.Generator,
    runs: int,
    calls: int,
    step: Step,
    arms: tuple[Traffic, Traffic],
    *,
    drift: Floats | None = None,
) -> Walk:
    """Let clients call; the first arm is the standing release's.

    Args:
        random: Seeded.
        runs: How many.
        calls: Of each run, both arms together.
        step: Has the candidate's share.
        arms: What their calls are like.
        drift: By call, what the shares of both arms are multiplied with.
    """
    is_candidate = random.random((runs, calls)) < step.share
    values: dict[MetricName, Floats] = {}
    for name in arms[0].shares:
        chance = np.where(is_candidate, arms[1].shares[name], arms[0].shares[name]) * (1.0 if drift is None else drift)
        values[name] = (random.random((runs, calls)) < chance).astype(np.float64)
    center = np.where(is_candidate, arms[1].cost_nusd, arms[0].cost_nusd)
    values["cost"] = center * np.exp(arms[0].cost_spread * random.standard_normal((runs, calls)))
    return Walk(is_candidate, values)


def stopped_at(plan: Plan, found: Walk, *, test: int = 1) -> Ints:
    """Return by run after how many calls some metric is known to be worse, by more than its margin; 0 for never."""
    weights = sum(METRIC[guard.metric].weight for guard in plan.guards)
    runs, calls = found.is_candidate.shape
    is_stopped = np.zeros((runs, calls), dtype=bool)
    for guard in plan.guards:
        metric, values = METRIC[guard.metric], found.values[guard.metric]
        alpha = plan.budget / 2**test * metric.weight / weights
        is_above = surely_more if metric.is_share else surely_dearer
        counts, totals, means = _running(found.is_candidate, values)
        allowed = guard.margin if metric.is_share else guard.margin * means[0]
        is_enough = np.minimum(*counts) >= metric.least
        is_worse = is_above(counts, totals, _running(found.is_candidate, values**2)[1], alpha)
        is_stopped |= is_enough & is_worse & (means[1] - means[0] > allowed)
    first = is_stopped.argmax(axis=1) + 1
    return np.where(is_stopped.any(axis=1), first, 0)


def surely_more(
    counts: tuple[Floats, Floats], totals: tuple[Floats, Floats], squares: object, alpha: float
) -> NDArray[np.bool_]:
    """Tell after each call whether the interval of a difference of shares lies above 0.

    The pooled share is the one that explains both arms best where they do not differ.
    """
    most = int(max(np.max(counts[0]), np.max(counts[1]))) + 1
    hits_table, misses_table, calls_table = (
        np.concatenate(([0.0], np.cumsum(np.log(np.arange(most) + start))))
        for start in (PRIOR_HITS, PRIOR_MISSES, PRIOR_HITS + PRIOR_MISSES)
    )
    wealth = np.zeros_like(counts[0])
    for count, total in zip(counts, totals, strict=True):
        hits, calls = total.astype(np.int64), count.astype(np.int64)
        wealth += hits_table[hits] + misses_table[calls - hits] - calls_table[calls]
    both, misses = totals[0] + totals[1], counts[0] + counts[1] - totals[0] - totals[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = both / (both + misses)
        wealth -= np.where(both > 0, both * np.log(pooled), 0) + np.where(misses > 0, misses * np.log(1 - pooled), 0)
        is_more = totals[1] / counts[1] > totals[0] / counts[0]
    found: NDArray[np.bool_] = is_more & (wealth >= -np.log(alpha))
    return found


def surely_dearer(
    counts: tuple[Floats, Floats], totals: tuple[Floats, Floats], squares: tuple[Floats, Floats], alpha: float
) -> NDArray[np.bool_]:
    """Tell after each call whether the interval of a difference of means lies above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sum(
            (square - total**2 / count) / (count - 1) / count
            for count, total, square in zip(counts, totals, squares, strict=True)
        )
        size = counts[0] * counts[1] / (counts[0] + counts[1])
        ratio = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1) / TUNED_AT
        grown = size * ratio
        reach = np.sqrt(variance * 2 * (grown + 1) / grown * np.log(np.sqrt(grown + 1) / alpha))
        found: NDArray[np.bool_] = totals[1] / counts[1] - totals[0] / counts[0] > reach
    return found


def _running(
    is_candidate: NDArray[np.bool_], values: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Counts, totals and means after each call; standing release first."""
    masks = (~is_candidate, is_candidate)
    counts = tuple(np.cumsum(mask, axis=1, dtype=np.float64) for mask in masks)
    totals = tuple(np.cumsum(np.where(mask, values, 0.0), axis=1) for mask in masks)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = tuple(total / count for total, count in zip(totals, counts, strict=True))
    return (counts[0], counts[1]), (totals[0], totals[1]), (means[0], means[1])
