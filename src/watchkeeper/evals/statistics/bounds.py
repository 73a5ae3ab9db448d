"""Bounds of the mean of values that lie within known limits, right at any number of them.

Give each of `n` observed values, and one more that has the worst value there can be, a random weight: the weights
follow a flat Dirichlet distribution. The lower bound is the alpha-quantile of the weighted mean:

    P( D_1 x_1 + ... + D_n x_n + D_(n+1) least  <=  bound ) = alpha

(N. Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable",
Math. Methods Statist. 14, 2005; examined by M. Phan, P. Thomas, E. Learned-Miller, "Towards practical mean bounds for
small samples", ICML 2021, arXiv:2106.03163). Without the additional value it is D. Rubin's Bayesian bootstrap (Ann.
Statist. 9, 1981); that value is what makes it right for few values, and for values that are all alike.

It joins what would otherwise be several methods. For values 0 and 1 it *is* the exact bound of Clopper and Pearson:
after 20 of 20, at least 0.861. For differences -1, 0 and 1 of pairs it lies beyond 0 exactly where McNemar's exact
one-sided test says so, and without any loss it is the exact 1 - alpha^(1/n) (of which 3/n is the rule of three). For
many values it is the ordinary interval. Clusters take the place of values where they, and not cases, are independent.

**How it is computed.** Weights of a flat Dirichlet are independent exponential variables E_i, divided by their sum, so
that the probability is P( sum E_i (x_i - bound) <= 0 ). Its cumulant function is K(s) = -sum log(1 - s (x_i - bound)).
The saddlepoint approximation of R. Lugannani and S. Rice (Adv. Appl. Probab. 12, 1980) in the form of O.
Barndorff-Nielsen (Biometrika 73, 1986) gives the probability; the tests hold it against exact ones. So
there are no random numbers in it: the same data have the same bounds.
"""

from math import copysign, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri

from watchkeeper.evals.statistics.clusters import Clusters, Floats, negated

STEPS_MAX = 100
DIGITS = 12
"""Of a sum; what differs beyond them is the order of addition."""
NARROW = 1e-10
"""Of the saddlepoint, relative."""
CLOSE = 1e-7
"""Of the probability's normal quantile."""
NEAR_MEAN = 1e-4
"""Standard deviations within which the limit stands for the formula, which is 0 / 0 there."""


def lower_bound(values: Clusters, alpha: float, *, least: float) -> float:
    """Return the one-sided lower bound of the mean.

    Args:
        values: Each at least `least`.
        alpha: Probability that the true mean is below the bound.
        least: What an unseen value may be.
    """
    sums, weights = _with_one_more(values, least)
    if np.ptp(ratios := sums / weights) < NARROW:
        return least
    low, high = float(ratios.min()), float(ratios.max())
    quantile = float(ndtri(alpha))
    mean = float(sums.sum() / weights.sum())
    scatter = float(((sums - mean * weights) ** 2).sum()) / float(weights.mean()) ** 2
    spread = sqrt(scatter / len(sums) / (len(sums) + 1))
    bound = mean + quantile * spread
    for _ in range(STEPS_MAX):
        if not low < bound < high:
            bound = (low + high) / 2
        off = _quantile_at(sums, weights, bound) - quantile
        low, high = (bound, high) if off < 0 else (low, bound)
        if abs(off) < CLOSE or high - low < NARROW:
            break
        bound -= off * spread
    return bound


def upper_bound(values: Clusters, alpha: float, *, most: float) -> float:
    """Return the one-sided upper bound of the mean of values of at most `most`, as `lower_bound` does."""
    return -lower_bound(negated(values), alpha, least=-most)


def probability_below(values: Clusters, at: float, *, least: float) -> float:
    """Return the level alpha of which `at` is the lower bound: small where a true mean of `at` is not credible."""
    sums, weights = _with_one_more(values, least)
    ratios = sums / weights
    if at <= ratios.min():
        return 0.0
    return 1.0 if at >= ratios.max() else float(ndtr(_quantile_at(sums, weights, at)))


def share_interval(values: Clusters, alpha: float) -> tuple[float, float]:
    """Return the two-sided interval of a mean of values between 0 and 1; Clopper and Pearson's for 0 and 1 alone."""
    if np.ptp(values.weights) == 0 and np.isin(values.sums, (0.0, 1.0)).all():
        hits, count = float(values.sums.sum()), values.count
        low = betaincinv(hits, count - hits + 1, alpha / 2) if hits else 0.0
        return float(low), float(betaincinv(hits + 1, count - hits, 1 - alpha / 2) if hits < count else 1.0)
    return lower_bound(values, alpha / 2, least=0.0), upper_bound(values, alpha / 2, most=1.0)


def _with_one_more(values: Clusters, least: float) -> tuple[Floats, Floats]:
    """Add a cluster of average weight that has the worst value."""
    return np.round(np.append(values.sums, least), DIGITS), np.append(values.weights, 1.0)


def _quantile_at(sums: Floats, weights: Floats, at: float) -> float:
    """Return the normal quantile of P( sum E (sums - at weights) <= 0 ), for `at` between the extreme ratios."""
    pulls, times = np.unique(sums - at * weights, return_counts=True)
    saddle = _saddlepoint(pulls, times)
    left = 1 - saddle * pulls
    tilted = pulls / left
    curve = float((times * tilted**2).sum())
    root = copysign(sqrt(2 * max(float((times * np.log(left)).sum()), 0.0)), saddle)
    if abs(root) < NEAR_MEAN:
        return float((times * tilted**3).sum()) / (3 * curve * sqrt(curve))
    return root + log(saddle * sqrt(curve) / root) / root


def _saddlepoint(pulls: Floats, times: NDArray[np.int64]) -> float:
    """Return where the derivative of the cumulant function is 0; there are pulls to both sides, so it rises between."""
    low, high, saddle = 1 / float(pulls[0]), 1 / float(pulls[-1]), 0.0
    scale = high - low
    for _ in range(STEPS_MAX):
        tilted = pulls / (1 - saddle * pulls)
        slope = float((times * tilted).sum())
        low, high = (saddle, high) if slope < 0 else (low, saddle)
        following = saddle - slope / float((times * tilted**2).sum())
        if abs(following - saddle) <= NARROW * scale:
            return saddle
        saddle = following if low < following < high else (low + high) / 2
    return saddle
