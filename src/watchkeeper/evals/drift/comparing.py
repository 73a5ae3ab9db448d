"""Two samples of one signal: how far apart they are, and how likely that is by chance.

Rates: Fisher's exact test. Numbers: Kolmogorov and Smirnov's, with the distance of Wasserstein as effect. Categories:
Pearson's chi-squared with rare values merged, with the total variation as effect: the share of calls that moved. How
many calls come: Student's prediction interval for square roots of counts, in which the spread of past windows stands,
however much larger than a Poisson's it is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

from watchkeeper.evals.drift.readings import Level

EXPECTED_LEAST = 5.0
"""Of a value, in either sample if nothing had changed; rarer ones are counted together."""
LEVELS_MAX = 30
REST = "other"
PSI_BINS = 10
PSI_CHANCE = 0.999
COMPARABLE_LEAST = 7
"""Past windows from which is known how many calls come."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of two samples."""

    before: float | None
    after: float | None
    effect: float
    p: float
    levels: tuple[Level, ...] = ()
    psi: float | None = None
    psi_by_chance: float | None = None


def rates(before: Sequence[bool], after: Sequence[bool]) -> Difference:
    """Compare two shares; the effect is their difference, in shares."""
    met = sum(before), sum(after)
    share_before, share_after = met[0] / len(before), met[1] / len(after)
    return Difference(
        before=share_before,
        after=share_after,
        effect=abs(share_after - share_before),
        p=fisher(met[0], len(before), met[1], len(after)),
    )


def numbers(before: Numbers, after: Numbers) -> Difference:
    """Compare two distributions of numbers that are not negative; the effect is a part of the first one's mean."""
    largest, distance = _apart(before, after)
    mean = float(before.mean())
    edges = np.unique(np.quantile(before, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    index, by_chance = psi(
        np.bincount(np.searchsorted(edges, before), minlength=len(edges) + 1).astype(np.float64),
        np.bincount(np.searchsorted(edges, after), minlength=len(edges) + 1).astype(np.float64),
    )
    return Difference(
        before=float(np.median(before)),
        after=float(np.median(after)),
        effect=distance / mean if mean else float(distance > 0),
        p=kolmogorov(largest, len(before), len(after)),
        psi=index,
        psi_by_chance=by_chance,
    )


def categories(
    before: Sequence[str], after: Sequence[str], *, examples: Mapping[str, str] | None = None
) -> Difference | None:
    """Compare two distributions over values; the effect is the share of calls that moved. None for a single value."""
    merged = _merged(Counter(before), Counter(after))
    if len(merged) < 2:
        return None
    counts = np.array(list(merged.values()), dtype=np.float64).T
    shares = counts / counts.sum(axis=1, keepdims=True)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    p = float(special.chdtrc(counts.shape[1] - 1, ((counts - expected) ** 2 / expected).sum()))
    index, by_chance = psi(counts[0], counts[1])
    known = examples or {}
    levels = [
        Level(name, float(shares[0, place]), float(shares[1, place]), known.get(name, ""))
        for place, name in enumerate(merged)
    ]
    levels.sort(key=lambda one: abs(one.after - one.before), reverse=True)
    return Difference(
        before=None,
        after=None,
        effect=float(np.abs(shares[0] - shares[1]).sum() / 2),
        p=p,
        levels=tuple(levels[:LEVELS_MAX]),
        psi=index,
        psi_by_chance=by_chance,
    )


def volumes(past: Sequence[int], now: int) -> Difference | None:
    """Compare how many calls a window has with comparable ones of the past; None where these are fewer than seven.

    The effect is the factor between them, less one. On the scale of square roots counts have the same spread whatever
    their size, 1/4 for a Poisson's, which is taken as the least; a window more lies within `s * sqrt(1 + 1/k)` of the
    mean by Student's t with k - 1 degrees of freedom.
    """
    if len(past) < COMPARABLE_LEAST:
        return None
    roots = np.sqrt(np.asarray(past, dtype=np.float64))
    spread = max(float(roots.std(ddof=1)), 0.5)
    score = abs(sqrt(now) - float(roots.mean())) / (spread * sqrt(1 + 1 / len(past)))
    usual = float(np.median(past))
    larger, smaller = max(usual, now), min(usual, now)
    return Difference(
        before=usual,
        after=float(now),
        effect=larger / max(smaller, 1.0) - 1,
        p=float(2 * special.stdtr(len(past) - 1, -score)),
    )


def psi(before: Numbers, after: Numbers) -> tuple[float, float]:
    """Return the population stability index of two rows of counts, and what it stays below by chance.

    If nothing has changed, the index divided by `1/n + 1/m` is distributed like chi-squared with one degree of freedom
    less than there are bins: what 0.1 or 0.25 mean depends on how many calls there are. Empty bins count as half a
    call.
    """
    counts = np.array([before, after], dtype=np.float64)
    sizes = counts.sum(axis=1)
    counts = np.where(counts == 0, 0.5, counts)
    shares = counts / counts.sum(axis=1, keepdims=True)
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    bins = counts.shape[1]
    by_chance = float(special.chdtri(max(bins - 1, 1), 1 - PSI_CHANCE) * (1 / sizes[0] + 1 / sizes[1]))
    return index, by_chance


def fisher(met: int, whole: int, met_after: int, whole_after: int) -> float:
    """Return Fisher's two-sided probability: of all tables with these margins, those no likelier than this one."""
    total = met + met_after
    places = np.arange(max(0, total - whole_after), min(total, whole) + 1)
    logs = (
        _log_choose(whole, places)
        + _log_choose(whole_after, total - places)
        - _log_choose(whole + whole_after, np.array([total]))
    )
    chances = np.exp(logs)
    return min(1.0, float(chances[chances <= chances[met - places[0]] * (1 + 1e-7)].sum()))


def kolmogorov(largest: float, first: int, second: int) -> float:
    """Return the probability of a distance between two distribution functions as large as this one.

    The limiting distribution, with the correction for small samples of M. A. Stephens (J. R. Stat. Soc. B 32, 1970).
    """
    root = sqrt(first * second / (first + second))
    return float(special.kolmogorov((root + 0.12 + 0.11 / root) * largest))


def _apart(before: Numbers, after: Numbers) -> tuple[float, float]:
    """Return the largest distance between two distribution functions, and the area between them (Wasserstein's)."""
    values = np.sort(np.concatenate([before, after]))
    first = np.searchsorted(np.sort(before), values, side="right") / len(before)
    second = np.searchsorted(np.sort(after), values, side="right") / len(after)
    gaps = np.abs(first - second)
    return float(gaps.max()), float((gaps[:-1] * np.diff(values)).sum())


def _log_choose(whole: int, parts: NDArray[np.int64]) -> Numbers:
    found: Numbers = special.gammaln(whole + 1) - special.gammaln(parts + 1) - special.gammaln(whole - parts + 1)
    return found


def _merged(before: Counter[str], after: Counter[str]) -> dict[str, tuple[int, int]]:
    """Count values together that are too rare to be compared alone."""
    whole = before.total() + after.total()
    fewer = min(before.total(), after.total())
    merged: dict[str, tuple[int, int]] = {}
    rest = 0, 0
    both = before + after
    for place, (name, count) in enumerate(sorted(both.items(), key=lambda one: (-one[1], one[0]))):
        if place < LEVELS_MAX and count * fewer / whole >= EXPECTED_LEAST:
            merged[name] = before[name], after[name]
        else:
            rest = rest[0] + before[name], rest[1] + after[name]
    if sum(rest):
        if sum(rest) * fewer / whole < EXPECTED_LEAST and merged:
            smallest = list(merged)[-1]
            rest = rest[0] + merged[smallest][0], rest[1] + merged[smallest][1]
            del merged[smallest]
        known = merged.get(REST, (0, 0))
        merged[REST] = known[0] + rest[0], known[1] + rest[1]
    return merged
