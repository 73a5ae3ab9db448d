"""What a comparison of pairs can find, before it is made.

The formulas are for many cases; `evals.statistics.bounds` asks for a little more. Variances are of one case's
difference: the discordant share, where cases pass or fail (of which the square of the drop is taken off below).
"""

from math import ceil, inf, log, log1p, log2, sqrt

from scipy.special import betaincinv, ndtri

POWER = 0.8
"""How often what is there is found: in four of five runs."""
HALVINGS = 40


def cases_for_drop(drop: float, discordance: float, alpha: float, power: float = POWER) -> int:
    """Return how many pairs show a drop in the share that passes.

    n = (z_alpha sqrt(psi) + z_beta sqrt(psi - drop^2))^2 / drop^2 (R. Connor, "Sample size for testing differences in
    proportions for the paired-sample design", Biometrics 43, 1987).
    """
    return ceil(_needed(drop, discordance, alpha, power))


def drop_found(pairs: float, discordance: float, alpha: float, power: float = POWER) -> float | None:
    """Return the smallest drop in the share that passes that so many pairs show; None where they show none.

    A drop beyond the discordance that is expected is taken to bring its own: every change is a loss then. And McNemar's
    exact test asks for `k` losses at least, with 2^-k below alpha: none smaller than that with which so many are seen.
    """
    flips = ceil(-log2(alpha))
    if pairs < flips:
        return None
    low, high = float(betaincinv(flips, pairs - flips + 1, power)), 1.0
    if _needed(low, max(discordance, low), alpha, power) <= pairs:
        return low
    for _ in range(HALVINGS):
        drop = (low + high) / 2
        is_found = _needed(drop, max(discordance, drop), alpha, power) <= pairs
        low, high = (low, drop) if is_found else (drop, high)
    return high


def cases_for_margin(margin: float, variance: float, alpha: float, power: float = POWER) -> int:
    """Return how many pairs show that nothing is worse by the margin, where nothing has changed.

    n = (z_alpha + z_beta)^2 variance / margin^2; but not fewer than `fewest_for_margin`.
    """
    many = ceil((_z(1 - alpha) + _z(power)) ** 2 * variance / margin**2 - 1e-9)
    return max(many, fewest_for_margin(margin, alpha))


def fewest_for_margin(margin: float, alpha: float) -> int:
    """Return how many pairs without any loss show that losses are rarer than the margin: (1 - margin)^n < alpha."""
    return ceil(log(alpha) / log1p(-margin)) if 0 < margin < 1 else 1


def mean_drop_found(pairs: float, variance: float, alpha: float, power: float = POWER) -> float:
    """Return the smallest drop of a mean that so many pairs show; infinite without any.

    Of a share that passes, it cannot be shown if it exceeds the discordance: no drop does.
    """
    return (_z(1 - alpha) + _z(power)) * sqrt(variance / pairs) if pairs else inf


def stretch(alpha: float, power: float = POWER) -> float:
    """Return how many times as far off as a bound reaches something must lie to be found so often."""
    return (_z(1 - alpha) + _z(power)) / _z(1 - alpha)


def with_repeats(variance: float, noise: float, repeats: int) -> float:
    """Return the variance of a case's difference where each arm answers so often.

    Args:
        variance: With one answer each.
        noise: The part of it, between 0 and 1, that is chance in the answers and not a difference between cases.
        repeats: Only noise becomes smaller: omega^2 + noise / K.
    """
    return variance * (1 - noise + noise / repeats)


def independent(cases: int, clusters: int, likeness: float) -> float:
    """Return how many independent cases tell as much: n / (1 + (m - 1) rho), with m cases in a cluster (L. Kish, 1965).

    Args:
        cases: All.
        clusters: That they fall into.
        likeness: Correlation rho of differences in one cluster.
    """
    return cases / (1 + (cases / clusters - 1) * likeness) if clusters else 0.0


def _needed(drop: float, discordance: float, alpha: float, power: float) -> float:
    if not 0 < drop <= discordance:
        return inf
    spread = _z(1 - alpha) * sqrt(discordance) + _z(power) * sqrt(max(discordance - drop**2, 0.0))
    return (spread / drop) ** 2


def _z(level: float) -> float:
    return float(ndtri(level))
