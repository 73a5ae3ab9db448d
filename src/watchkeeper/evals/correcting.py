"""Labels that people gave, brought together with the marks of the judge they check."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.evals.decision import Label
from watchkeeper.evals.pairing import Arm, Pairs, Series
from watchkeeper.evals.statistics.correction import LABELS_MIN, Corrected, Sample, can_correct, corrected_difference
from watchkeeper.evals.statistics.exact import fisher

WRONG_FROM = 0.5
"""A mark this far from the label is an error of the judge."""
ARMS = ("candidate", "baseline")


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer with a person's label and the judge's mark."""

    arm: str
    case: str
    label: float
    mark: float
    probability: float

    @property
    def is_wrong(self) -> bool:
        """Tell whether the judge erred."""
        return abs(self.label - self.mark) >= WRONG_FROM


def checked(labels: Iterable[Label], scorer: str, candidate: Arm, baseline: Arm) -> list[Checked]:
    """Return the labelled answers of one scorer that its judge has marked; of several labels of one, the mean."""
    arms = dict(zip(ARMS, (candidate, baseline), strict=True))
    given: dict[tuple[str, str, int], list[Label]] = {}
    for label in labels:
        if label.scorer == scorer and label.arm in arms:
            given.setdefault((label.arm, label.case, label.repeat), []).append(label)
    found = []
    for (arm, case, repeat), several in given.items():
        marks = [
            mark
            for point in arms[arm].get(case, ())
            if point.repeat == repeat and (mark := point.values.get(scorer)) is not None
        ]
        if marks:
            value = sum(label.value for label in several) / len(several)
            found.append(Checked(arm, case, value, marks[0], min(label.probability for label in several)))
    return found


def correction_of(pairs: Pairs, answers: Sequence[Checked]) -> Corrected | None:
    """Return the corrected difference; None where an arm has too few labels."""
    samples = [
        _sample(series, [one for one in answers if one.arm == arm])
        for arm, series in zip(ARMS, (pairs.candidate, pairs.baseline), strict=True)
    ]
    if not can_correct(*samples):
        return None
    return corrected_difference(samples[0], samples[1], pairs.candidate.clusters)


def judge_note(answers: Sequence[Checked], alpha: float) -> str:
    """Say what a reader must know of the judge, in whole sentences; empty where all is well."""
    counts = {arm: [one.is_wrong for one in answers if one.arm == arm] for arm in ARMS}
    fewest = min(len(wrong) for wrong in counts.values())
    notes = []
    if not answers:
        notes.append("A judge gave these marks; no answer has been labelled by a person.")
    elif fewest < LABELS_MIN:
        notes.append(f"A judge gave these marks; {fewest} labels in an arm correct nothing, {LABELS_MIN} would.")
    if fewest:
        candidate, baseline = ((sum(counts[arm]), len(counts[arm])) for arm in ARMS)
        if fisher(candidate, baseline) < alpha:
            notes.append(
                f"The judge errs more often in one arm: {candidate[0]} of {candidate[1]} labelled answers of the"
                f" candidate, {baseline[0]} of {baseline[1]} of the baseline."
            )
    return " ".join(notes)


def _sample(series: Series, answers: Sequence[Checked]) -> Sample:
    by_case: dict[str, list[Checked]] = {}
    for one in answers:
        by_case.setdefault(one.case, []).append(one)
    truths, beside, chances = (np.full(len(series.cases), fill) for fill in (np.nan, np.nan, 1.0))
    for place, case in enumerate(series.cases):
        if several := by_case.get(case):
            truths[place] = sum(one.label for one in several) / len(several)
            beside[place] = sum(one.mark for one in several) / len(several)
            chances[place] = min(one.probability for one in several)
    return Sample(series.values, truths, beside, chances, series.weights)
