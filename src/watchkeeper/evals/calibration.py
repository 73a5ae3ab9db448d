"""Whether a suite and its judges can be believed: the same arm asked twice, and answers that people have marked too."""

from collections.abc import Sequence
from math import isnan, sqrt

import numpy as np
from msgspec import Struct

from watchkeeper.evals.comparing import bounds_of
from watchkeeper.evals.decision import Point
from watchkeeper.evals.outlook import History
from watchkeeper.evals.pairing import Arm, Pairs, arm_of, pairs_of
from watchkeeper.evals.points import RELATIVE
from watchkeeper.evals.repeating import flaky_cases
from watchkeeper.evals.statistics.agreement import Estimate, confusion, gwet_ac1, kappa, krippendorff, wilson
from watchkeeper.evals.statistics.clusters import Clusters
from watchkeeper.evals.suite import Gate
from watchkeeper.evals.wording import percent, points

RESAMPLES = 500
KAPPA_LEAST, KAPPA_LOWER_LEAST = 0.6, 0.45
RATE_LEAST = 0.8
"""Of sensitivity and specificity."""
EACH_LEAST = 10
"""Labelled answers of either kind, without which a rate is not known."""


class Figure(Struct, frozen=True):
    """An estimate with its two-sided 95 % interval; None where the data do not tell it."""

    value: float | None
    lower: float
    upper: float


class Noise(Struct, frozen=True, kw_only=True):
    """What one metric shows between two runs that do not differ."""

    metric: str
    cases: int
    difference: float
    """First less second."""
    p: float
    """Two-sided probability of such a difference by chance: small where the two runs did differ, by the time of day or
    by what the first one left in a cache."""
    variance: float
    """Of one case's difference."""
    answer_sd: float
    """Of one answer around its case's mean."""
    false_alarms: Figure
    """Share of made-up runs without a difference, with the noise of these, that are called worse."""


class Calibration(Struct, frozen=True, kw_only=True):
    """What a suite shows where nothing has changed."""

    alpha: float
    noise: tuple[Noise, ...]
    flaky: float
    """Share of cases that pass in one answer and fail in another."""
    is_sound: bool
    reasons: tuple[str, ...]
    """Why not, in whole sentences."""

    @property
    def history(self) -> History:
        """Return what it tells of the next run, by the first metric: all that it has seen is noise."""
        return History(variance=self.noise[0].variance, noise=1.0) if self.noise else History()


class JudgeCard(Struct, frozen=True, kw_only=True):
    """How a judge stands to people."""

    answers: int
    """That both have marked."""
    agreement: Figure
    kappa: Figure
    sensitivity: Figure
    """Share of good answers that it passes."""
    specificity: Figure
    """Share of bad answers that it does not pass."""
    ac1: float | None
    people: float | None
    """Krippendorff's alpha of people with each other: no judge can be expected to agree better. None where no answer
    has two labels."""
    labels_saved: float | None
    """Share of the labels that its marks make up for: squared correlation."""
    is_eligible: bool
    """Whether a gate may rest on it; else it is advice."""
    reasons: tuple[str, ...]
    """Why not, in whole sentences."""


def halves(asked: Sequence[Point]) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Split the repeats of one arm in two, in turn, so that both halves are from the same time."""
    order = {repeat: place for place, repeat in enumerate(sorted({point.repeat for point in asked}))}
    return tuple(point for point in asked if order[point.repeat] % 2 == 0), tuple(
        point for point in asked if order[point.repeat] % 2
    )


def calibrate(
    first: Sequence[Point], second: Sequence[Point], gate: Gate, *, resamples: int = RESAMPLES, seed: int = 0
) -> Calibration:
    """Find out how often a gate would raise a false alarm on this suite.

    Clusters are drawn anew from those that were asked, each with its two answers in a random order: runs that differ by
    nothing, as noisy and as clustered as these. The same points and seed give the same figures.

    Args:
        first: Points of an arm.
        second: Of the same one, asked again (or the other half of its repeats).
        gate: That is tried, by its primary metrics.
        resamples: Runs that are made up.
        seed: Of the draws.
    """
    arms = arm_of(first), arm_of(second)
    pairs = [found for metric in gate.primary if (found := pairs_of(*arms, metric)) and metric not in RELATIVE]
    noise = tuple(_noise(found, arms, gate, resamples, seed) for found in pairs)
    everything = arm_of([*first, *second])
    missing = sorted(set(gate.primary) - {found.metric for found in noise})
    reasons = [f"No case has {metric} in both runs." for metric in missing]
    for metric_noise in noise:
        if metric_noise.false_alarms.lower > gate.alpha:
            rate = percent(metric_noise.false_alarms.value or 0.0)
            reasons.append(
                f"{metric_noise.metric} raises a false alarm in {rate} of runs; {percent(gate.alpha)} are allowed."
            )
        if metric_noise.p < gate.alpha / max(len(noise), 1):
            reasons.append(
                f"{metric_noise.metric} differs by {points(metric_noise.difference)} between two runs"
                f" of the same arm (p = {metric_noise.p:.2g}): something beside the arm has changed."
            )
    return Calibration(
        alpha=gate.alpha,
        noise=noise,
        flaky=len(flaky_cases(everything)) / len(everything) if everything else 0.0,
        is_sound=not reasons,
        reasons=tuple(reasons),
    )


def judge_card(
    labels: Sequence[float],
    marks: Sequence[float],
    *,
    people: Sequence[Sequence[float | None]] = (),
    passed_from: float = 0.5,
) -> JudgeCard:
    """Hold a judge's marks against people's.

    Args:
        labels: Between 0 and 1.
        marks: The judge's, of the same answers.
        people: A row for each person, a column for each answer, None where there is no label.
        passed_from: From which value on an answer counts as good.
    """
    counts = confusion(labels, marks, passed_from=passed_from)
    good = counts["right_passed"] + counts["wrong_failed"]
    bad = counts["right_failed"] + counts["wrong_passed"]
    graded = [[float(value >= passed_from) for value in values] for values in (labels, marks)]
    agreed = kappa(graded[0], graded[1]) if labels else Estimate(float("nan"), -1.0, 1.0)
    sensitivity, specificity = wilson(counts["right_passed"], good), wilson(counts["right_failed"], bad)
    reasons = _shortcomings(agreed, {"good": (good, sensitivity), "bad": (bad, specificity)})
    return JudgeCard(
        answers=len(labels),
        agreement=_figure(wilson(counts["right_passed"] + counts["right_failed"], len(labels))),
        kappa=_figure(agreed),
        sensitivity=_figure(sensitivity),
        specificity=_figure(specificity),
        ac1=_known(gwet_ac1(graded[0], graded[1])) if labels else None,
        people=_known(krippendorff(people, level="interval")) if people else None,
        labels_saved=_squared_correlation(labels, marks),
        is_eligible=not reasons,
        reasons=tuple(reasons),
    )


def _noise(pairs: Pairs, arms: tuple[Arm, Arm], gate: Gate, resamples: int, seed: int) -> Noise:
    values, dice = pairs.differences, np.random.default_rng(seed)
    found = bounds_of(values, gate.alpha)
    alarms = 0
    for _ in range(resamples):
        drawn = dice.integers(values.count, size=values.count)
        sums = values.sums[drawn] * dice.choice((-1.0, 1.0), size=values.count)
        weights = values.weights[drawn] / values.weights[drawn].mean()
        alarms += bounds_of(Clusters(sums, weights, values.cases), gate.alpha).is_worse(gate.alpha)
    spread = pairs.candidate.values - pairs.baseline.values
    return Noise(
        metric=pairs.metric,
        cases=values.cases,
        difference=values.mean,
        p=min(1.0, 2 * min(found.p_worse, found.p_better)),
        variance=float((spread**2).mean()),
        answer_sd=_answer_sd(pairs, arms),
        false_alarms=_figure(wilson(alarms, resamples)),
    )


def _answer_sd(pairs: Pairs, arms: tuple[Arm, Arm]) -> float:
    """Square root of the mean variance of answers within a case; of both arms together, as they are one."""
    variances = []
    for case in pairs.candidate.cases:
        answers = [point.values.get(pairs.metric) for arm in arms for point in arm[case]]
        variances.append(float(np.var([value for value in answers if value is not None], ddof=1)))
    return sqrt(sum(variances) / len(variances))


def _shortcomings(agreed: Estimate, rates: dict[str, tuple[int, Estimate]]) -> list[str]:
    reasons = []
    if isnan(agreed.value) or agreed.value < KAPPA_LEAST or agreed.lower < KAPPA_LOWER_LEAST:
        shown = "is not known" if isnan(agreed.value) else f"is {agreed.value:.2f}, surely above {agreed.lower:.2f}"
        reasons.append(f"Kappa {shown}; {KAPPA_LEAST} is asked for, and surely above {KAPPA_LOWER_LEAST}.")
    for kind, (count, rate) in rates.items():
        if count < EACH_LEAST:
            reasons.append(f"Only {count} labelled answers are {kind}; {EACH_LEAST} are asked for.")
        elif rate.value < RATE_LEAST:
            reasons.append(
                f"It recognises {percent(rate.value)} of {kind} answers; {percent(RATE_LEAST)} is asked for."
            )
    return reasons


def _squared_correlation(labels: Sequence[float], marks: Sequence[float]) -> float | None:
    if len(set(labels)) < 2 or len(set(marks)) < 2:
        return None
    return float(np.corrcoef(labels, marks)[0, 1] ** 2)


def _figure(found: Estimate) -> Figure:
    return Figure(_known(found.value), found.lower, found.upper)


def _known(value: float) -> float | None:
    return None if isnan(value) else value
