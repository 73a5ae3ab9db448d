"""Tests that are right at any number of observations: of pairs, of two shares, and of differences by their signs."""

from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaln

from watchkeeper.evals.statistics.clusters import Clusters, Floats

EXACT_UP_TO = 15
"""Clusters that differ, whose signs are all gone through: 32,768 ways."""
FLIPS = 9_999
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
    that are not 0, all ways are counted; beyond, 9,999 are drawn, and p = (1 + as extreme) / (1 + drawn) (B. Phipson,
    G. Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010). The draws are the same ones each time.
    """
    sizes = values.sums[np.abs(values.sums) > ROUNDING]
    total, slack = float(sizes.sum()), ROUNDING * max(1.0, float(np.abs(sizes).sum()))
    if not len(sizes):
        return 1.0, 1.0
    if len(sizes) <= EXACT_UP_TO:
        ways = np.zeros(1)
        for size in sizes:
            ways = np.concatenate((ways - size, ways + size))
        return float((ways <= total + slack).mean()), float((ways >= total - slack).mean())
    sums = _signs(len(sizes)) @ np.sort(np.abs(sizes)).astype(np.float32)
    slack = max(slack, float(np.finfo(np.float32).eps) * float(np.abs(sizes).sum()))
    low, high = int((sums <= total + slack).sum()), int((sums >= total - slack).sum())
    return (1 + low) / (1 + FLIPS), (1 + high) / (1 + FLIPS)


@lru_cache(maxsize=4)
def _signs(count: int) -> NDArray[np.float32]:
    """Draw signs, a row for each time."""
    bits = np.unpackbits(np.frombuffer(np.random.default_rng(count).bytes((FLIPS * count + 7) // 8), dtype=np.uint8))
    return bits[: FLIPS * count].reshape(FLIPS, count).astype(np.float32) * 2 - 1


def at_most_after_none(count: int, alpha: float) -> float:
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
