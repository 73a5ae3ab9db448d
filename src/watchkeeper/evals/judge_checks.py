"""Finds out how far a judge agrees with people about the same answers, and how far people do with each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan, sqrt

import numpy as np
from numpy.typing import NDArray

from watchkeeper.evals.judge_cards import Checked, Figure, Fitness, JudgeCard, Labeller, PeopleAgreement
from watchkeeper.evals.labelling import GOOD
from watchkeeper.evals.statistics.agreement import krippendorff
from watchkeeper.evals.statistics.exact import fisher

LABELS_MIN = 100
CLASS_MIN = 30
"""Good answers, and bad ones, that must be among them: of fewer, nobody knows how often the judge sees them."""
KAPPA_MIN = 0.6
KAPPA_LOWER_MIN = 0.45
RIGHT_MIN = 0.8
"""Of the good answers, and of the bad ones, the share that the judge must see as what they are."""
Z = 1.959964
"""Of two-sided 95 %."""
RESAMPLES = 2_000
SEED = 1
DIFFERS = 0.05
"""Probability below which a judge is held to err more often under one arm than under the other."""


def judge_card(judge: str, checked: Sequence[Checked]) -> JudgeCard:
    """Put together what labels say of a judge.

    Every answer counts for those that it was drawn for, the inverse of its probability: a sample of which half was
    drawn among the few that the judge failed says nothing of its sensitivity otherwise. Intervals go by the number of
    answers that would tell as much if all counted alike (L. Kish, "Survey sampling", 1965, 11.7).

    The floors: kappa 0.6 is "substantial" (J. Landis and G. Koch, Biometrics 33, 1977). Below them a judge is advisory,
    and a gate goes by labels alone or not at all.
    """
    good = [one for one in checked if one.is_good]
    bad = [one for one in checked if not one.is_good]
    card = JudgeCard(
        judge=judge,
        fitness="unlabelled",
        reasons=(),
        labels=len(checked),
        good=len(good),
        agreement=_share(checked, [one.has_passed == one.is_good for one in checked]),
        kappa=_kappa(checked),
        ac1=_ac1(checked),
        sensitivity=_share(good, [one.has_passed for one in good]),
        specificity=_share(bad, [not one.has_passed for one in bad]),
        arms_differ_p=_arms_differ(checked),
        labels_saved=_labels_saved(checked),
        torn=_torn(checked),
    )
    reasons = tuple(_lacks(card))
    fitness: Fitness = "unlabelled" if not checked else "advisory" if reasons else "eligible"
    return replace(card, reasons=reasons, fitness=fitness)


def people_agreement(
    said: Sequence[Mapping[str, float]], gold: Sequence[tuple[float, Mapping[str, float]]]
) -> PeopleAgreement:
    """Put together how people label.

    Args:
        said: Of each answer, its value by who gave it; without gold items.
        gold: Of each gold item, what is right, and its value by who gave it.
    """
    names = sorted({name for words in (*said, *(words for _, words in gold)) for name in words})
    shared = [words for words in said if len(words) > 1]
    alpha = krippendorff([[words.get(name) for words in shared] for name in names], level="ordinal") if shared else None
    labellers = [
        Labeller(
            name=name,
            labels=sum(name in words for words in said),
            gold_right=sum((words[name] >= GOOD) == (right >= GOOD) for right, words in gold if name in words),
            gold=sum(name in words for _, words in gold),
        )
        for name in names
    ]
    labellers.sort(key=lambda one: (-one.labels, one.name))
    return PeopleAgreement(
        alpha=None if alpha is None or isnan(alpha) else alpha, shared=len(shared), labellers=tuple(labellers)
    )


def _share(checked: Sequence[Checked], hits: Sequence[bool]) -> Figure:
    """Return a share by weight, with the interval of E. Wilson, J. Am. Stat. Assoc. 22, 1927."""
    if not checked:
        return Figure(None, 0.0, 1.0)
    weights = [1 / one.probability for one in checked]
    share = sum(weight for weight, is_hit in zip(weights, hits, strict=True) if is_hit) / sum(weights)
    count = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    reach = Z / (1 + Z**2 / count) * sqrt(max(share * (1 - share), 0.0) / count + Z**2 / (4 * count**2))
    return Figure(share, max(middle - reach, 0.0), min(middle + reach, 1.0))


def _kappa(checked: Sequence[Checked]) -> Figure:
    """Return Cohen's kappa by weight, with the percentiles of a bootstrap."""
    unknown = Figure(None, -1.0, 1.0)
    if not checked:
        return unknown
    cells = np.array([2 * one.is_good + one.has_passed for one in checked])
    weights = np.array([1 / one.probability for one in checked])
    table = np.zeros((len(checked), 4))
    table[np.arange(len(checked)), cells] = weights
    value = _kappas(table.sum(axis=0)[None, :])[0]
    if isnan(value):
        return unknown
    times = np.random.default_rng(SEED).multinomial(len(checked), [1 / len(checked)] * len(checked), size=RESAMPLES)
    found = _kappas(times @ table)
    lower, upper = np.nanpercentile(found, [2.5, 97.5])
    return Figure(float(value), float(lower), float(upper))


def _kappas(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return kappa of tables in rows: bad and failed, bad and passed, good and failed, good and passed."""
    shares = tables / tables.sum(axis=1, keepdims=True)
    good, passed = shares[:, 2] + shares[:, 3], shares[:, 1] + shares[:, 3]
    chance = good * passed + (1 - good) * (1 - passed)
    seen = shares[:, 0] + shares[:, 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)
    return found


def _ac1(checked: Sequence[Checked]) -> float | None:
    """Return the AC1 of two categories by weight (K. Gwet, Br. J. Math. Stat. Psychol. 61, 2008)."""
    if not checked:
        return None
    weights = [1 / one.probability for one in checked]
    held = [(one.is_good + one.has_passed) / 2 for one in checked]
    mean = sum(weight * one for weight, one in zip(weights, held, strict=True)) / sum(weights)
    seen = _share(checked, [one.has_passed == one.is_good for one in checked]).value or 0.0
    chance = 2 * mean * (1 - mean)
    return (seen - chance) / (1 - chance)


def _labels_saved(checked: Sequence[Checked]) -> float | None:
    """Return 1 less the share of variance that is left when the marks are known, by weight."""
    if len({one.is_good for one in checked}) < 2 or len({one.has_passed for one in checked}) < 2:
        return None
    pairs = np.array([(one.is_good, one.has_passed) for one in checked], dtype=np.float64).T
    covariances = np.cov(pairs, aweights=[1 / one.probability for one in checked], bias=True)
    return float(covariances[0, 1] ** 2 / (covariances[0, 0] * covariances[1, 1]))


def _torn(checked: Sequence[Checked]) -> Figure:
    of_pairs = [one for one in checked if one.is_torn is not None]
    return _share(of_pairs, [bool(one.is_torn) for one in of_pairs])


def _arms_differ(checked: Sequence[Checked]) -> float | None:
    arms = sorted({one.arm for one in checked})
    if len(arms) != 2:
        return None
    first, second = ([one.has_passed != one.is_good for one in checked if one.arm == arm] for arm in arms)
    return fisher((sum(first), len(first)), (sum(second), len(second)))


def _lacks(card: JudgeCard) -> Iterator[str]:
    """Say what keeps a judge from being eligible."""
    if not card.labels:
        yield "Nobody has labelled an answer that this release marked: label a sample, and its card follows."
        return
    if card.labels < LABELS_MIN:
        yield f"It has {card.labels} labels, and needs {LABELS_MIN}."
    for count, kind in ((card.good, "good"), (card.labels - card.good, "bad")):
        if count < CLASS_MIN:
            yield f"People found {count} answers {kind}; with fewer than {CLASS_MIN} nobody knows how it marks those."
    kappa = card.kappa
    if kappa.value is None:
        yield "Its kappa cannot be told, because all labels or all marks are alike."
    elif kappa.value < KAPPA_MIN or kappa.lower < KAPPA_LOWER_MIN:
        yield (
            f"Its kappa is {kappa.value:.2f}, and {kappa.lower:.2f} at least; needed are {KAPPA_MIN:g}, "
            f"and {KAPPA_LOWER_MIN:g} at least."
        )
    if card.sensitivity.value is not None and card.sensitivity.value < RIGHT_MIN:
        yield f"It passes {card.sensitivity.value:.0%} of the good answers; {RIGHT_MIN:.0%} is needed."
    if card.specificity.value is not None and card.specificity.value < RIGHT_MIN:
        yield f"It fails {card.specificity.value:.0%} of the bad answers; {RIGHT_MIN:.0%} is needed."
    if card.arms_differ_p is not None and card.arms_differ_p < DIFFERS:
        yield f"It errs more often under one arm than under the other (p = {card.arms_differ_p:.3f})."
