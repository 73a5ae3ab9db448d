"""Finds out how far a judge agrees with people about the same answers, and how far people do with each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan, nan

import numpy as np

from watchkeeper.evals.judge_cards import Checked, Figure, Fitness, JudgeCard, Labeller, PeopleAgreement
from watchkeeper.evals.labelling import GOOD
from watchkeeper.evals.statistics.agreement import Estimate, effective, gwet_ac1, kappa, krippendorff, wilson
from watchkeeper.evals.statistics.exact import fisher

LABELS_MIN = 100
CLASS_MIN = 30
"""Good answers, and bad ones, that must be among them: of fewer, nobody knows how often the judge sees them."""
KAPPA_MIN = 0.6
KAPPA_LOWER_MIN = 0.45
RIGHT_MIN = 0.8
"""Of the good answers, and of the bad ones, the share that the judge must see as what they are."""
DIFFERS = 0.05
"""Probability below which a judge is held to err more often under one arm than under the other."""


def judge_card(judge: str, checked: Sequence[Checked]) -> JudgeCard:
    """Put together what labels say of a judge.

    Every answer counts for those that it was drawn for, the inverse of its probability: a sample of which half was
    drawn among the few that the judge failed says nothing of its sensitivity otherwise. Intervals go by the number of
    answers that would tell as much if all counted alike.

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


def _counts(checked: Sequence[Checked]) -> list[float]:
    return [1 / one.probability for one in checked]


def _share(checked: Sequence[Checked], hits: Sequence[bool]) -> Figure:
    counts = _counts(checked)
    if not counts:
        return _figure(wilson(0, 0))
    share = sum(count for count, is_hit in zip(counts, hits, strict=True) if is_hit) / sum(counts)
    return _figure(wilson(share * effective(counts), effective(counts)))


def _kappa(checked: Sequence[Checked]) -> Figure:
    if not checked:
        return Figure(None, -1.0, 1.0)
    return _figure(kappa(*_marks(checked), counts=_counts(checked)))


def _ac1(checked: Sequence[Checked]) -> float | None:
    found = gwet_ac1(*_marks(checked), counts=_counts(checked)) if checked else nan
    return None if isnan(found) else found


def _marks(checked: Sequence[Checked]) -> tuple[list[float], list[float]]:
    return [float(one.is_good) for one in checked], [float(one.has_passed) for one in checked]


def _figure(found: Estimate) -> Figure:
    return Figure(None if isnan(found.value) else found.value, found.lower, found.upper)


def _labels_saved(checked: Sequence[Checked]) -> float | None:
    """Return 1 less the share of variance that is left when the marks are known, by weight."""
    if len({one.is_good for one in checked}) < 2 or len({one.has_passed for one in checked}) < 2:
        return None
    pairs = np.array([(one.is_good, one.has_passed) for one in checked], dtype=np.float64).T
    covariances = np.cov(pairs, aweights=_counts(checked), bias=True)
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
    found = card.kappa
    if found.value is None:
        yield "Its kappa cannot be told, because all labels or all marks are alike."
    elif found.value < KAPPA_MIN or found.lower < KAPPA_LOWER_MIN:
        yield (
            f"Its kappa is {found.value:.2f}, and {found.lower:.2f} at least; needed are {KAPPA_MIN:g}, "
            f"and {KAPPA_LOWER_MIN:g} at least."
        )
    if card.sensitivity.value is not None and card.sensitivity.value < RIGHT_MIN:
        yield f"It passes {card.sensitivity.value:.0%} of the good answers; {RIGHT_MIN:.0%} is needed."
    if card.specificity.value is not None and card.specificity.value < RIGHT_MIN:
        yield f"It fails {card.specificity.value:.0%} of the bad answers; {RIGHT_MIN:.0%} is needed."
    if card.arms_differ_p is not None and card.arms_differ_p < DIFFERS:
        yield f"It errs more often under one arm than under the other (p = {card.arms_differ_p:.3f})."
