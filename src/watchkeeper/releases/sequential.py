"""Differences between two arms that may be looked at after every call, and acted upon at any of these looks.

An ordinary 95 % interval is right at one moment that was chosen beforehand. These are confidence sequences: with
probability 1 - alpha the true difference is inside *all* of them, however often and whenever somebody looks. They need
no more than sums, so that a look costs one question to the store and a lost look costs nothing.

**Shares** (calls that failed, of all calls). For one arm with `k` hits among `n` calls and a supposed share `p`,

    W(p) = B(k + a, n - k + b) / B(a, b) / (p^k (1 - p)^(n - k)),    a = 1/2, b = 10

is the wealth of a gambler who bets against `p` with a Beta(a, b) mixture of alternatives, most of them small, as shares
of failures are. Under `p` it is a nonnegative martingale that starts at 1, so that it ever reaches 1/alpha with
probability at most alpha (Ville's inequality; H. Robbins, "Statistical methods related to the law of the iterated
logarithm", Ann. Math. Statist. 41, 1970; S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", Ann. Statist. 49, 2021, arXiv:1810.08240). The mixture decides only how soon, never
whether it is right. Each call steps one arm, so that the product of both wealths is such a martingale too, and

    { d : min over p of  W_baseline(p) W_candidate(p + d)  <  1/alpha }

is a confidence sequence that holds at any number of calls, without a normal approximation. Its logarithm is convex in
`p` and in `d`: the set is an interval and both searches are safe. Values between 0 and 1 count like hits that are not
whole: `x -> (q/p)^x ((1-q)/(1-p))^(1-x)` is convex, so that the wealth is a supermartingale for them.

**Means** (cost of a call). With the variance `V` of the difference as estimated, and `n` the harmonic size of the arms,

    d +- sqrt( V 2 (n r + 1) / (n r) log( sqrt(n r + 1) / alpha ) ),    r = (-2 log alpha + log(-2 log alpha) + 1) / m

is the normal mixture with an estimated variance (I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy, A. Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences", Ann. Statist. 52, 2024, arXiv:2103.06476,
theorem 2.2 and its proposal for `r`), which for two arms is the mSPRT of R. Johari, P. Koomen, L. Pekelis, D. Walsh,
"Always valid inference", Operations Research 70, 2022, arXiv:1512.04922. It is exact only in the limit, which is why
means ask for more data before anything is decided by them.

**Calls of one person** are no independent observations where a person stays in one arm. The variance is estimated over
the units that were assigned (W. Cochran, "Sampling Techniques", 3rd ed. 1977, 6.3 and 9.2: the ratio of two sums over
clusters), and counts are divided by how much larger it is than it would be for independent calls (the design effect;
J. Rao, A. Scott, "A simple method for the analysis of clustered binary data", Biometrics 48, 1992).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, lgamma, log, sqrt

LARGEST_LOG = 700.0
"""Of a wealth: no float holds more."""
HALVINGS = 50
"""Of a search between 0 and 1: finer than any share that could matter."""
PRIOR_HITS = 0.5
PRIOR_MISSES = 10.0
"""Against Beta(1/2, 1/2) this saves a fifth of the calls at shares of 0.2 to 5 %; where half of all fail it costs."""
TUNED_AT = 1_000
"""Independent observations at which intervals of means are as narrow as they can be made."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What was observed in one arm, added up over its units; one unit has one or more observations."""

    units: int = 0
    count: int = 0
    """Observations."""
    total: float = 0.0
    """Of their values: 0 or 1 for a share."""
    squared_totals: float = 0.0
    """Each unit's total, squared."""
    squared_counts: float = 0.0
    cross: float = 0.0
    """Each unit's total times its count."""

    @property
    def mean(self) -> float:
        """Of all observations; 0 where there are none."""
        return self.total / self.count if self.count else 0.0

    @property
    def scatter(self) -> float:
        """Squared deviations of the units' totals from what the mean lets one expect of them."""
        mean = self.mean
        return max(self.squared_totals - 2 * mean * self.cross + mean**2 * self.squared_counts, 0.0)

    @property
    def variance_of_mean(self) -> float:
        """Over units; infinite where fewer than two of them say nothing about it."""
        if self.units < 2:
            return inf
        return self.scatter * self.units / (self.units - 1) / self.count**2


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference, candidate less baseline."""

    low: float
    estimate: float
    high: float


def difference_of_shares(baseline: Sums, candidate: Sums, alpha: float) -> Interval:
    """Return the difference of two shares with its confidence sequence; without data in an arm it reaches from -1 to 1.

    Args:
        baseline: Values between 0 and 1.
        candidate: Likewise.
        alpha: Probability that the true difference is ever outside.
    """
    effects = _design_effects(baseline, candidate)
    arms = tuple(
        (one.total / effect, (one.count - one.total) / effect)
        for one, effect in zip((baseline, candidate), effects, strict=True)
    )
    if not (baseline.count and candidate.count):
        return Interval(-1.0, 0.0, 1.0)
    limit = -log(alpha) - sum(_log_mixture(hits, misses) for hits, misses in arms)
    estimate = candidate.mean - baseline.mean

    def is_inside(difference: float) -> bool:
        return _least_surprise(arms[0], arms[1], difference) < limit

    return Interval(_edge(estimate, -1.0, is_inside), estimate, _edge(estimate, 1.0, is_inside))


def evidence_above(observed: Sums, share: float) -> float:
    """Return how strongly one arm speaks against a true share of at most `share`: its wealth, at any look.

    It ever reaches 1/alpha with probability alpha at most, if the true share is that or less.

    Args:
        observed: Values between 0 and 1.
        share: Above 0.
    """
    if not observed.count:
        return 1.0
    effect = max(1.0, _ratio(observed.scatter, observed.count * observed.mean * (1 - observed.mean)))
    arm = (observed.total / effect, (observed.count - observed.total) / effect)
    return exp(min(_log_mixture(*arm) + _surprise(arm, min(share, observed.mean)), LARGEST_LOG))


def difference_of_means(baseline: Sums, candidate: Sums, alpha: float) -> Interval:
    """Return the difference of two means with its confidence sequence; infinite where the variance is not known.

    Args:
        baseline: Values of any size.
        candidate: Likewise.
        alpha: Probability that the true difference is ever outside, in the limit of many observations.
    """
    estimate = candidate.mean - baseline.mean
    variance = baseline.variance_of_mean + candidate.variance_of_mean
    if variance == inf:
        return Interval(-inf, estimate, inf)
    size = baseline.units * candidate.units / (baseline.units + candidate.units)
    ratio = (-2 * log(alpha) + log(-2 * log(alpha)) + 1) / TUNED_AT
    grown = size * ratio
    reach = sqrt(variance * 2 * (grown + 1) / grown * log(sqrt(grown + 1) / alpha))
    return Interval(estimate - reach, estimate, estimate + reach)


def _design_effects(baseline: Sums, candidate: Sums) -> tuple[float, float]:
    """How many calls of each arm tell as much as one independent call would: its own, but not less than both together.

    A single arm may have too few units to show it; below 1 it is taken for chance.
    """
    arms = (baseline, candidate)
    expected = [one.count * one.mean * (1 - one.mean) for one in arms]
    together = _ratio(sum(one.scatter for one in arms), sum(expected))
    first, second = (max(1.0, together, _ratio(one.scatter, of)) for one, of in zip(arms, expected, strict=True))
    return first, second


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 1.0


def _log_mixture(hits: float, misses: float) -> float:
    """Logarithm of B(hits + a, misses + b) / B(a, b)."""
    return _log_beta(hits + PRIOR_HITS, misses + PRIOR_MISSES) - _log_beta(PRIOR_HITS, PRIOR_MISSES)


def _log_beta(first: float, second: float) -> float:
    return lgamma(first) + lgamma(second) - lgamma(first + second)


def _least_surprise(baseline: tuple[float, float], candidate: tuple[float, float], difference: float) -> float:
    """Least of both arms' surprise over the baseline's share, where the candidate's lies so far off."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    (hits_b, misses_b), (hits_c, misses_c) = baseline, candidate
    for _ in range(HALVINGS):
        share = (low + high) / 2
        moved = share + difference
        if not (0 < share < 1 and 0 < moved < 1):
            break
        slope = misses_b / (1 - share) - hits_b / share + misses_c / (1 - moved) - hits_c / moved
        low, high = (low, share) if slope > 0 else (share, high)
    share = (low + high) / 2
    return _surprise(baseline, share) + _surprise(candidate, share + difference)


def _surprise(arm: tuple[float, float], share: float) -> float:
    """Minus the logarithm of p^k (1 - p)^(n - k); a chance of nothing surprises only where it came true."""
    pairs = zip(arm, (share, 1 - share), strict=True)
    return -sum(log(chance) * count if chance > 0 else -inf for count, chance in pairs if count)


def _edge(inside: float, outermost: float, is_inside: Callable[[float], bool]) -> float:
    """Return where an interval ends between a point inside it and the outermost one."""
    outside = outermost
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_inside(middle) else (inside, middle)
    return outside
