"""Points of two arms, brought together case by case. Repeats are averaged: they are not further cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np

from watchkeeper.evals.decision import Point
from watchkeeper.evals.points import RELATIVE
from watchkeeper.evals.statistics.clusters import Clusters, Floats, clustered

LEAST = 1e-3
"""Of a latency (ms) or cost (nUSD) that has a ratio."""
Arm = Mapping[str, Sequence[Point]]
"""Points by case."""


def arm_of(points: Sequence[Point]) -> Arm:
    """Sort points by case; those of cases without weight count for nothing and are left out."""
    arm: dict[str, list[Point]] = {}
    for point in points:
        if point.weight > 0:
            arm.setdefault(point.case, []).append(point)
    return arm


@dataclass(frozen=True)
class Series:
    """One metric of the cases of one arm."""

    cases: tuple[str, ...]
    values: Floats
    """Means over the repeats that were measured; of latency and cost, of their logarithms."""
    weights: Floats
    clusters: tuple[str, ...] | None
    """None where each case is one of its own."""

    @cached_property
    def whole(self) -> Clusters:
        """The values, added up."""
        return clustered(self.values, self.weights, self.clusters)


@dataclass(frozen=True)
class Pairs:
    """One metric of the cases that were measured under both arms."""

    metric: str
    candidate: Series
    baseline: Series

    @cached_property
    def differences(self) -> Clusters:
        """Candidate less baseline, added up."""
        one = self.candidate
        return clustered(one.values - self.baseline.values, one.weights, one.clusters)


def value_of(points: Sequence[Point], metric: str) -> float | None:
    """Return the mean over repeats; None where nothing was measured. Of latency and cost, of their logarithms."""
    values = [value for point in points if (value := point.values.get(metric)) is not None]
    if metric in RELATIVE:
        values = [log(value) for value in values if value >= LEAST]
    return sum(values) / len(values) if values else None


def series_of(arm: Arm, metric: str) -> Series | None:
    """Return one metric of an arm; None where no case has it."""
    found = {case: value for case, points in arm.items() if (value := value_of(points, metric)) is not None}
    return _series(found, arm) if found else None


def pairs_of(candidate: Arm, baseline: Arm, metric: str) -> Pairs | None:
    """Return the pairs of one metric; None where no case has it under both arms."""
    found, other = {}, {}
    for case, points in candidate.items():
        if case in baseline and (value := value_of(points, metric)) is not None:
            beside = value_of(baseline[case], metric)
            if beside is not None:
                found[case], other[case] = value, beside
    return Pairs(metric, _series(found, candidate), _series(other, candidate)) if found else None


def _series(values: Mapping[str, float], arm: Arm) -> Series:
    first = [arm[case][0] for case in values]
    clusters = tuple(f"cluster {point.cluster}" if point.cluster else f"case {point.case}" for point in first)
    return Series(
        cases=tuple(values),
        values=np.fromiter(values.values(), np.float64, len(values)),
        weights=np.fromiter((point.weight for point in first), np.float64, len(first)),
        clusters=clusters if any(point.cluster for point in first) else None,
    )
