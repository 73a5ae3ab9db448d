"""Bounds of means without known limits, such as logarithms of times: the bootstrap over clusters.

Bias-corrected and accelerated (BCa): B. Efron, "Better bootstrap confidence intervals", J. Am. Stat. Assoc. 82, 1987;
the acceleration from the jackknife. With few clusters a bootstrap knows too little of the tails, which is why the bound
of Student's t is taken where it is wider; beyond `DRAWN_UP_TO` clusters the two agree, and t alone is taken.
"""

from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

from watchkeeper.evals.statistics.clusters import Clusters, Floats, lower_by_t, negated

DRAWS = 4_000
DRAWN_UP_TO = 500
LEAST = 5
"""Fewer clusters than this, and only t is left."""


def lower_of_mean(values: Clusters, alpha: float) -> float:
    """Return the one-sided lower bound of the mean; minus infinity for fewer than two clusters."""
    by_t = lower_by_t(values, alpha)
    if not LEAST <= values.count <= DRAWN_UP_TO:
        return by_t
    return min(by_t, _corrected_and_accelerated(values, alpha))


def upper_of_mean(values: Clusters, alpha: float) -> float:
    """Return the one-sided upper bound of the mean; infinity for fewer than two clusters."""
    return -lower_of_mean(negated(values), alpha)


def _corrected_and_accelerated(values: Clusters, alpha: float) -> float:
    if values.error == 0:
        return values.mean
    times = _resamples(values.count)
    means = np.sort((times @ values.sums) / (times @ values.weights))
    below = (float((means < values.mean).sum()) + float((means <= values.mean).sum())) / 2
    bias = float(ndtri(min(max(below, 1.0), DRAWS - 1.0) / DRAWS))
    without = (values.sums.sum() - values.sums) / (values.weights.sum() - values.weights)
    off = without.mean() - without
    acceleration = float((off**3).sum() / (6 * (off**2).sum() ** 1.5))
    quantile = bias + float(ndtri(alpha))
    level = float(ndtr(bias + quantile / (1 - acceleration * quantile)))
    return float(means[min(max(int(level * DRAWS), 0), DRAWS - 1)])


@lru_cache(maxsize=4)
def _resamples(count: int) -> Floats:
    """Draw how often each cluster is taken, a row for each resample; the same ones each time."""
    return np.random.default_rng(count).multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)
