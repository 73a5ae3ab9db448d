"""What a judge's marks say once people have looked at some of the answers.

A judge marks every answer, people label a sample. The mean of the labels alone is right and wide, the mean of the marks
is narrow and off by however much the judge errs. Prediction-powered inference takes the marks' mean and corrects it by
the mean error in the sample (A. Angelopoulos and others, Science 382, 2023, arXiv:2301.09633); with a factor `trust`
before the marks that makes the variance least, it is never much worse than the labels alone (PPI++: A. Angelopoulos, J.
Duchi, T. Zrnic, arXiv:2311.01453):

    estimate = trust mean(f) + sum_labelled g (y - trust f),    g = (1 / pi) / sum_labelled (1 / pi)

Labels are drawn with known probabilities pi, and weighted by their inverse (J. Hajek, 1971). The labelled answers are
among all of the run's, which is why the variance is not the sum of two but that of what each case adds to the estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import ndtri

from watchkeeper.evals.statistics.clusters import Clusters, Floats, clustered

LABELS_MIN = 30
"""Cases of an arm with a label; fewer correct nothing."""
ROUNDING = 1e-12


@dataclass(frozen=True)
class Sample:
    """What is known of one arm, by case."""

    marks: Floats
    """The judge's, mean over repeats."""
    truths: Floats
    """Labels; NaN where there is none."""
    beside: Floats
    """The judge's marks of just the answers that were labelled; NaN where none was."""
    chances: Floats
    """With which the case was drawn for labelling; above 0."""
    weights: Floats

    @property
    def is_labelled(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Tell which cases have a label."""
        return ~np.isnan(self.truths)


@dataclass(frozen=True)
class Corrected:
    """A mean, or a difference of two, corrected by labels."""

    values: Clusters
    """What each case adds to it; their mean is the estimate."""
    worst: float
    """How far from the estimate what an unseen labelled case adds may lie."""
    trust: float
    """Factor before the judge's marks: 0 takes the labels alone, 1 the marks as they are, corrected."""
    labels: int
    candidate: float
    """Of the arm, or of the first of two."""
    baseline: float
    """Of the second; 0 where there is none."""


def corrected_mean(sample: Sample, clusters: Sequence[str] | None = None) -> Corrected:
    """Correct the mean of one arm."""
    return _corrected([(1.0, sample)], clusters)


def corrected_difference(candidate: Sample, baseline: Sample, clusters: Sequence[str] | None = None) -> Corrected:
    """Correct the difference of two arms that answered the same cases, in the same order."""
    return _corrected([(1.0, candidate), (-1.0, baseline)], clusters)


def can_correct(*samples: Sample) -> bool:
    """Tell whether each arm has enough labels."""
    return all(int(sample.is_labelled.sum()) >= LABELS_MIN for sample in samples)


@dataclass(frozen=True)
class RoganGladen:
    """A share of which a judge is wrong at known rates."""

    share: float
    lower: float
    upper: float
    """Two-sided."""


def rogan_gladen(
    marked: tuple[int, int], right: tuple[int, int], rejected: tuple[int, int], alpha: float
) -> RoganGladen:
    """Correct the share that a judge passes by how often it is right.

    share = (marked + specificity - 1) / (sensitivity + specificity - 1): W. Rogan, B. Gladen, Am. J. Epidemiol. 107,
    1978; variance by the delta method (C. Lee and others, arXiv:2511.21140). It holds where the share differs from that
    of the labelled answers, and is of no use where the judge is little better than chance: the interval is then 0 to 1.

    Args:
        marked: Answers that the judge passed, and of how many.
        right: Of the labelled good ones, those that it passed, and of how many.
        rejected: Of the labelled bad ones, those that it did not pass, and of how many.
        alpha: Probability that the share is outside.
    """
    if not (marked[1] and right[1] and rejected[1]):
        return RoganGladen(0.5, 0.0, 1.0)
    share, sensitivity, specificity = (hits / count for hits, count in (marked, right, rejected))
    power = sensitivity + specificity - 1
    if power <= 0:
        return RoganGladen(0.5, 0.0, 1.0)
    found = (share + specificity - 1) / power
    variance = (
        _smoothed_variance(*marked)
        + found**2 * _smoothed_variance(*right)
        + (1 - found) ** 2 * _smoothed_variance(*rejected)
    ) / power**2
    reach = float(ndtri(1 - alpha / 2)) * sqrt(variance)
    return RoganGladen(min(max(found, 0.0), 1.0), max(found - reach, 0.0), min(found + reach, 1.0))


def _smoothed_variance(hits: int, count: int) -> float:
    """Of a share, with two hits and two misses added (A. Agresti, B. Coull, Am. Stat. 52, 1998)."""
    share = (hits + 2) / (count + 4)
    return share * (1 - share) / (count + 4)


@dataclass(frozen=True)
class _Part:
    """What one arm adds: `fixed + trust moved`, and what each case adds to either."""

    fixed: float
    moved: float
    fixed_by_case: Floats
    moved_by_case: Floats
    scale: float
    """For how many cases the label stands that stands for most."""


def _corrected(arms: Sequence[tuple[float, Sample]], clusters: Sequence[str] | None) -> Corrected:
    weights = arms[0][1].weights
    parts = [(sign, _part(sample)) for sign, sample in arms]
    fixed = sum((sign * part.fixed_by_case for sign, part in parts), np.zeros(len(weights)))
    moved = sum((sign * part.moved_by_case for sign, part in parts), np.zeros(len(weights)))
    names = [str(place) for place in range(len(weights))] if clusters is None else clusters
    trust = _trust(fixed * weights, moved * weights, names)
    means = [part.fixed + trust * part.moved for _, part in parts]
    estimate = sum(sign * mean for (sign, _), mean in zip(arms, means, strict=True))
    return Corrected(
        values=clustered(estimate + fixed + trust * moved, weights, clusters),
        worst=max(part.scale for _, part in parts),
        trust=trust,
        labels=sum(int(sample.is_labelled.sum()) for _, sample in arms),
        candidate=means[0],
        baseline=means[1] if len(means) > 1 else 0.0,
    )


def _part(sample: Sample) -> _Part:
    is_labelled, shares = sample.is_labelled, sample.weights / sample.weights.sum()
    drawn = np.where(is_labelled, sample.weights / sample.chances, 0.0)
    drawn /= drawn.sum()
    truths, beside = np.where(is_labelled, sample.truths, 0.0), np.where(is_labelled, sample.beside, 0.0)
    truth, mark, everywhere = float(drawn @ truths), float(drawn @ beside), float(shares @ sample.marks)
    return _Part(
        fixed=truth,
        moved=everywhere - mark,
        fixed_by_case=drawn * (truths - truth) / shares,
        moved_by_case=sample.marks - everywhere - drawn * (beside - mark) / shares,
        scale=float((drawn / shares).max()),
    )


def _trust(fixed: Floats, moved: Floats, clusters: Sequence[str]) -> float:
    """Return the factor between 0 and 1 for which the variance over clusters of `fixed + factor moved` is least."""
    places = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    still, moving = np.bincount(places, fixed), np.bincount(places, moved)
    scatter = float(moving @ moving)
    return min(max(-float(still @ moving) / scatter, 0.0), 1.0) if scatter > ROUNDING else 0.0
