"""How far those who mark agree: a judge with people, people with each other, a judge with itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Literal

import numpy as np
from scipy.special import ndtri

from watchkeeper.evals.statistics.clusters import Floats
from watchkeeper.evals.statistics.exact import mcnemar

Level = Literal["nominal", "ordinal", "interval"]
"""What the values are: names, ranks, or figures whose differences mean something."""
Weighting = Literal["none", "linear", "quadratic"]
"""How much a disagreement counts: all alike, by its distance, or by its square."""
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its two-sided interval; NaN where the data do not tell it."""

    value: float
    lower: float
    upper: float


def wilson(hits: float, count: float, alpha: float = 0.05) -> Estimate:
    """Return a share with its interval (E. Wilson, J. Am. Stat. Assoc. 22, 1927); 0 to 1 where nothing was seen.

    Where answers count unequally, `count` is the number of those that would tell as much if all counted alike.
    """
    if not count:
        return Estimate(nan, 0.0, 1.0)
    z, share = float(ndtri(1 - alpha / 2)), hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * sqrt(max(share * (1 - share), 0.0) / count + z**2 / (4 * count**2))
    return Estimate(share, max(middle - reach, 0.0), min(middle + reach, 1.0))


def kappa(
    first: Sequence[float],
    second: Sequence[float],
    *,
    weighting: Weighting = "none",
    counts: Sequence[float] | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Return Cohen's kappa of two who marked the same answers: 1 is agreement, 0 is that of chance.

    J. Cohen, Educ. Psychol. Meas. 20, 1960, and Psychol. Bull. 70, 1968 (weighted); large-sample variance of J. Fleiss,
    J. Cohen, B. Everitt, Psychol. Bull. 72, 1969. NaN where both gave one and the same value throughout.

    Args:
        first: Marks; what is equal is the same category, and categories are ordered by size.
        second: Likewise.
        weighting: `linear` and `quadratic` by the rank of the category.
        counts: How much each answer counts: the inverse of the probability with which it was drawn; None for alike.
        alpha: Probability that the true one is outside the interval.
    """
    shares = _table(first, second, counts)
    weights = _agreements(len(shares), weighting)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    seen, chance = float((weights * shares).sum()), float(rows @ weights @ columns)
    if chance >= 1 - ROUNDING:
        return Estimate(nan, -1.0, 1.0)
    value = min((seen - chance) / (1 - chance), 1.0)  # the shares sum to 1 but for what rounding has done to them
    by_row, by_column = weights @ columns, rows @ weights
    surprise = weights - (by_row[:, None] + by_column[None, :]) * (1 - value)
    variance = float((shares * surprise**2).sum()) - (value - chance * (1 - value)) ** 2
    reach = float(ndtri(1 - alpha / 2)) * sqrt(max(variance, 0.0) / effective(counts or [1.0] * len(first)))
    reach /= 1 - chance
    return Estimate(value, max(value - reach, -1.0), min(value + reach, 1.0))


def gwet_ac1(first: Sequence[float], second: Sequence[float], *, counts: Sequence[float] | None = None) -> float:
    """Return Gwet's AC1, which does not collapse where nearly all marks are alike, as kappa does.

    K. Gwet, Br. J. Math. Stat. Psychol. 61, 2008. NaN where there is one category. `counts` as in `kappa`.
    """
    shares = _table(first, second, counts)
    categories = len(shares)
    if categories < 2:
        return nan
    means = (shares.sum(axis=1) + shares.sum(axis=0)) / 2
    chance = float((means * (1 - means)).sum()) / (categories - 1)
    return (float(np.trace(shares)) - chance) / (1 - chance)


def effective(counts: Sequence[float]) -> float:
    """Return how many answers that count alike tell as much as these (L. Kish, "Survey sampling", 1965, 11.7)."""
    return sum(counts) ** 2 / sum(count**2 for count in counts)


def krippendorff(ratings: Sequence[Sequence[float | None]], *, level: Level = "nominal") -> float:
    """Return Krippendorff's alpha of any number of people, each of whom may have left answers out.

    1 - observed / expected disagreement over the matrix of coincidences (K. Krippendorff, "Content analysis", 2004, 11;
    "Computing Krippendorff's alpha-reliability", 2011). NaN where nobody shares an answer, or all values are alike.

    Args:
        ratings: A row for each person, a column for each answer; None where there is no mark.
        level: What the values are.
    """
    table = np.array([[nan if value is None else value for value in row] for row in ratings], dtype=np.float64)
    categories = np.unique(table[~np.isnan(table)])
    counts = (table[:, :, None] == categories[None, None, :]).sum(axis=0).astype(np.float64)
    pairable = counts[counts.sum(axis=1) >= 2]
    if not len(pairable):
        return nan
    totals = pairable.sum(axis=1)
    coincidences = (pairable / (totals - 1)[:, None]).T @ pairable
    coincidences -= np.diag((pairable / (totals - 1)[:, None]).sum(axis=0))
    margins = coincidences.sum(axis=1)
    distances = _distances(categories, margins, level)
    expected = float(margins @ distances @ margins)
    return 1 - (margins.sum() - 1) * float((coincidences * distances).sum()) / expected if expected else nan


@dataclass(frozen=True, slots=True)
class PositionBias:
    """Whether a judge of pairs looks at the order in which they are shown."""

    pairs: int
    consistent: Estimate
    """Share of pairs in which the same answer won, or neither, in both orders."""
    first: int
    """Pairs in which whatever was shown first won both times."""
    second: int
    p: float
    """Two-sided probability of such a difference between the two, if the judge had no favourite place."""


def position_bias(verdicts: Sequence[tuple[float, float]]) -> PositionBias:
    """Sum up verdicts on pairs that were shown in both orders.

    Args:
        verdicts: For each pair, the verdict as shown first, and with the answers exchanged: 1 where what was shown
            first won, 0 where the second did, 0.5 for a tie.
    """
    first = sum(one > 0.5 and other > 0.5 for one, other in verdicts)
    second = sum(one < 0.5 and other < 0.5 for one, other in verdicts)
    consistent = sum(abs(one + other - 1) < 0.5 for one, other in verdicts)
    p = min(1.0, 2 * min(mcnemar(first, second), mcnemar(second, first)))
    return PositionBias(len(verdicts), wilson(consistent, len(verdicts)), first, second, p)


def confusion(labels: Sequence[float], marks: Sequence[float], *, passed_from: float = 0.5) -> Mapping[str, int]:
    """Count how a judge stands to people: `right_passed`, `right_failed`, `wrong_passed`, `wrong_failed`."""
    pairs = [(label >= passed_from, mark >= passed_from) for label, mark in zip(labels, marks, strict=True)]
    return {
        "right_passed": pairs.count((True, True)),
        "right_failed": pairs.count((False, False)),
        "wrong_passed": pairs.count((False, True)),
        "wrong_failed": pairs.count((True, False)),
    }


def _table(first: Sequence[float], second: Sequence[float], counts: Sequence[float] | None) -> Floats:
    """Shares of every pair of categories."""
    each = np.ones(len(first)) if counts is None else np.asarray(counts, dtype=np.float64)
    categories, places = np.unique(np.concatenate((first, second)), return_inverse=True)
    table = np.zeros((len(categories), len(categories)))
    np.add.at(table, (places[: len(first)], places[len(first) :]), each / each.sum())
    return table


def _agreements(categories: int, weighting: Weighting) -> Floats:
    if weighting == "none" or categories < 2:
        return np.eye(categories)
    ranks = np.arange(categories, dtype=np.float64)
    apart = np.abs(ranks[:, None] - ranks[None, :]) / (categories - 1)
    return 1 - (apart if weighting == "linear" else apart**2)


def _distances(categories: Floats, margins: Floats, level: Level) -> Floats:
    """Squared distances between categories."""
    if level == "nominal":
        return 1 - np.eye(len(categories))
    if level == "interval":
        return (categories[:, None] - categories[None, :]) ** 2
    places = np.cumsum(margins) - margins / 2
    return (places[:, None] - places[None, :]) ** 2
