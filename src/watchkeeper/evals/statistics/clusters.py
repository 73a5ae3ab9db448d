"""Values of cases, added up over what is independent of each other: a cluster of cases, or a single case."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """Weighted sums of values by cluster, in an order that does not depend on that of the cases."""

    sums: Floats
    weights: Floats
    """Of the cases of each cluster, added up; 1 for the average cluster."""
    cases: int

    @property
    def count(self) -> int:
        """How many clusters there are: what n is in every formula."""
        return len(self.sums)

    @cached_property
    def mean(self) -> float:
        """Of the values, by weight."""
        return float(self.sums.sum() / self.weights.sum())

    @cached_property
    def error(self) -> float:
        """Standard error of the mean; infinite for fewer than two clusters.

        SE^2 = C / (C - 1) sum_c (S_c - mean W_c)^2 / W^2 (W. Cochran, "Sampling Techniques", 3rd ed. 1977, 9.2; with
        equal weights, E. Miller, "Adding error bars to evals", arXiv:2411.00640, appendix A, with the factor for few
        clusters).
        """
        if self.count < 2:
            return float("inf")
        scatter = float(((self.sums - self.mean * self.weights) ** 2).sum())
        return sqrt(scatter * self.count / (self.count - 1)) / float(self.weights.sum())


def clustered(values: Floats, weights: Floats, clusters: Sequence[str] | None = None) -> Clusters:
    """Add values up.

    Args:
        values: One for each case.
        weights: Likewise, above 0.
        clusters: Names, likewise; None where each case is one of its own.
    """
    if clusters is None:
        places = np.arange(len(values))
    else:
        places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    order = np.lexsort((weights, values, places))
    places, values, weights = places[order], values[order], weights[order]
    sums, totals = np.bincount(places, weights * values), np.bincount(places, weights)
    order = np.lexsort((totals, sums))
    scale = totals.mean()
    return Clusters(sums[order] / scale, totals[order] / scale, len(values))


def lower_by_t(values: Clusters, alpha: float) -> float:
    """Return the one-sided lower bound of the mean by Student's t with C - 1 degrees of freedom."""
    return values.mean - t_quantile(values.count, alpha) * values.error


def t_quantile(clusters: int, alpha: float) -> float:
    """Return the upper quantile of Student's t for so many clusters; infinite for fewer than two."""
    return float(stdtrit(clusters - 1, 1 - alpha)) if clusters > 1 else float("inf")


def p_by_t(values: Clusters) -> float:
    """Return the probability of a mean as low as this one, or lower, if the true one is 0."""
    if values.count < 2:
        return 1.0
    if values.error == 0:
        return 0.0 if values.mean < 0 else 1.0
    return float(stdtr(values.count - 1, values.mean / values.error))


def negated(values: Clusters) -> Clusters:
    """Turn values round, so that a lower bound of them is minus an upper one."""
    order = np.lexsort((values.weights, -values.sums))
    return Clusters(-values.sums[order], values.weights[order], values.cases)
