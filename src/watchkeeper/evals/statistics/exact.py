"""Tests that are right at any number of observations: of pairs, of two shares, and of differences by their signs."""

from math import comb, copysign, log, sqrt

import numpy as np
from scipy.special import betainc, gammaln, ndtr

from watchkeeper.evals.statistics.clusters import Clusters, Floats

EXACT_UP_TO = 15
"""Clusters that differ, whose signs are all gone through: 32,768 ways."""
STEPS_MAX = 100
LONGEST_STEP = 1.0
NEAR_MEAN = 1e-4
ROUNDING = 1e-9
"""Sums as close as this are the same."""


def mcnemar(losses: int, gains: int) -> float:
    """Return the probability of so many losses or more among all changes, if a loss is as likely as a gain.

    P( Bin(losses + gains, 1/2) >= losses ): Q. McNemar, Psychometrika 12, 1947, in its exact one-sided form. The other
    side is the same with the arguments exchanged.
    """
    return float(betainc(losses, gains + 1, 0.5)) if losses else 1.0


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the two-sided probability of a difference between two shares like this one, or a less likely one.

    Args:
        first: Hits, and of how many.
        second: Likewise.
    """
    chances, seen = _hypergeometric(first, second)
    return float(min(1.0, chances[chances <= seen * (1 + ROUNDING)].sum()))


def fisher_above(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the one-sided probability of as many hits in the first, or more, if both shares are the same."""
    chances, _ = _hypergeometric(first, second)
    fewest = max(0, first[0] + second[0] - second[1])
    return float(min(1.0, chances[first[0] - fewest :].sum()))


def _hypergeometric(first: tuple[int, int], second: tuple[int, int]) -> tuple[Floats, float]:
    """Return the chances of every number of hits in the first, given all hits, and that of the one seen."""
    (hits, count), (others, rest) = first, second
    every = hits + others
    fewest, most = max(0, every - rest), min(every, count)
    numbers = np.arange(fewest, most + 1, dtype=np.float64)
    logs = _log_choose(count, numbers) + _log_choose(rest, every - numbers)
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    return chances, float(chances[hits - fewest])


def _log_choose(count: int, chosen: Floats) -> Floats:
    result: Floats = gammaln(count + 1) - gammaln(chosen + 1) - gammaln(count - chosen + 1)
    return result


def by_signs(values: Clusters) -> tuple[float, float]:
    """Return the probabilities of a sum as low as this one or lower, and as high or higher, if signs are chance.

    Every cluster's sum keeps its size and gets either sign (R. Fisher, "The design of experiments", 1935, 21). Up to 15
    that are not 0, all ways are counted. Beyond, the saddlepoint approximation of R. Lugannani and S. Rice stands in
    for drawing some of them, half a step further out (H. Daniels, Int. Stat. Rev. 55, 1987): nearer than 10,000 draws
    would come, and the same each time.
    """
    sizes = np.sort(np.abs(values.sums))
    sizes = sizes[sizes > ROUNDING]
    total, slack = float(values.sums.sum()), ROUNDING * max(1.0, float(sizes.sum()))
    if len(sizes) <= EXACT_UP_TO:
        ways = np.zeros(1)
        for size in sizes:
            ways = np.concatenate((ways - size, ways + size))
        return float((ways <= total + slack).mean()), float((ways >= total - slack).mean())
    return _below(sizes, total + float(sizes[0])), _below(sizes, float(sizes[0]) - total)


def _below(sizes: Floats, total: float) -> float:
    """Return the probability of a sum of at most this one, by K(s) = sum log cosh(s size)."""
    most = float(sizes.sum())
    if abs(total) >= most * (1 - ROUNDING):
        return float(0.5 ** len(sizes)) if total < 0 else 1.0
    saddle = 0.0
    for _ in range(STEPS_MAX):
        pulls = np.tanh(saddle * sizes)
        step = (float(sizes @ pulls) - total) / float(sizes**2 @ (1 - pulls**2))
        step = min(max(step, -LONGEST_STEP / float(sizes[-1])), LONGEST_STEP / float(sizes[-1]))
        saddle -= step
        if abs(step * sizes[-1]) < ROUNDING:
            break
    pulls, pushes = np.tanh(saddle * sizes), np.abs(saddle * sizes)
    logs = float((pushes + np.log1p(np.exp(-2 * pushes)) - log(2)).sum())
    root = copysign(sqrt(2 * max(saddle * total - logs, 0.0)), saddle)
    if abs(root) < NEAR_MEAN:
        return 0.5
    return float(ndtr(root + log(saddle * sqrt(float(sizes**2 @ (1 - pulls**2))) / root) / root))


def at_most_after_none(count: float, alpha: float) -> float:
    """Return the upper bound of a share of which nothing was seen: 1 - alpha^(1/n), of which 3/n is the rule of three.

    J. Hanley, A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983.
    """
    return float(1 - alpha ** (1 / count)) if count else 1.0


def passes_all(passed: int, asked: int, times: int) -> float:
    """Return the unbiased estimate that a case passes so many times in a row: C(passed, k) / C(asked, k), "pass^k".

    S. Yao and others, "tau-bench", arXiv:2406.12045, 2024.
    """
    return comb(passed, times) / comb(asked, times)


def passes_once(passed: int, asked: int, times: int) -> float:
    """Return the unbiased estimate that a case passes at least once in so many times, "pass@k".

    1 - C(failed, k) / C(asked, k): M. Chen and others, "Evaluating large language models trained on code",
    arXiv:2107.03374, 2021.
    """
    return 1 - comb(asked - passed, times) / comb(asked, times)
