"""A judge's marks, corrected by what people said of some of the answers. 120 resamples here, 500 with `WK_SOAK=1`."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.evals.statistics.simulated import IS_SOAK

from watchkeeper.evals.decision import Label, Point
from watchkeeper.evals.gate import decide
from watchkeeper.evals.statistics.bounds import lower_bound, upper_bound
from watchkeeper.evals.statistics.correction import (
    Corrected,
    Sample,
    can_correct,
    corrected_difference,
    corrected_mean,
    rogan_gladen,
)
from watchkeeper.evals.suite import Gate

Floats = NDArray[np.float64]
RESAMPLES = 500 if IS_SOAK else 120
LEAST_COVERED = 0.93


def judged(truths: Floats, sensitivity: float, specificity: float, dice: np.random.Generator) -> Floats:
    """Marks of a judge that recognises so many of the good and of the bad ones."""
    passed = np.where(truths > 0.5, dice.random(len(truths)) < sensitivity, dice.random(len(truths)) >= specificity)
    return passed.astype(np.float64)


def sample(
    truths: Floats, marks: Floats, chances: Floats, dice: np.random.Generator, drawn: Floats | None = None
) -> Sample:
    is_drawn = (dice.random(len(truths)) if drawn is None else drawn) < chances
    return Sample(
        marks=marks,
        truths=np.where(is_drawn, truths, np.nan),
        beside=np.where(is_drawn, marks, np.nan),
        chances=chances,
        weights=np.ones(len(truths)),
    )


def interval(found: Corrected) -> tuple[float, float]:
    mean = found.values.mean
    return (
        lower_bound(found.values, 0.025, least=mean - found.worst),
        upper_bound(found.values, 0.025, most=mean + found.worst),
    )


def test_with_100_labels_a_biased_judge_s_corrected_interval_holds_the_truth() -> None:
    dice, held, naive, widths = np.random.default_rng(1), 0, 0, []
    for _ in range(RESAMPLES):
        truths = (dice.random(1_000) < 0.42).astype(np.float64)
        marks = judged(truths, 0.95, 0.75, dice)
        found = corrected_mean(sample(truths, marks, np.full(1_000, 0.1), dice))
        low, high = interval(found)
        held += low <= 0.42 <= high
        naive += abs(marks.mean() - 0.42) < 1.96 * marks.std() / 1_000**0.5
        widths.append(high - low)
    assert held >= LEAST_COVERED * RESAMPLES
    assert naive == 0
    assert np.mean(widths) < 2 * 1.96 * (0.42 * 0.58 / 100) ** 0.5, "wider than the labels alone"


def test_a_judge_that_errs_otherwise_in_each_arm_is_corrected_too() -> None:
    """Both arms are equally good; the judge likes the candidate's style."""
    dice, held, naive = np.random.default_rng(2), 0, 0
    for _ in range(RESAMPLES):
        hard, drawn = dice.random(400), dice.random(400)
        arms = []
        for sensitivity, specificity in ((0.98, 0.6), (0.8, 0.95)):
            truths = (0.5 * hard + 0.5 * dice.random(400) < 0.6).astype(np.float64)
            marks = judged(truths, sensitivity, specificity, dice)
            arms.append(sample(truths, marks, np.full(400, 0.25), dice, drawn))
        found = corrected_difference(arms[0], arms[1])
        low, high = interval(found)
        held += low <= 0 <= high
        spread = arms[0].marks - arms[1].marks
        naive += abs(spread.mean()) < 1.96 * spread.std() / 20
    assert held >= LEAST_COVERED * RESAMPLES
    assert naive < 0.2 * RESAMPLES


def test_labels_drawn_with_unequal_chances_count_by_them() -> None:
    """What the judge fails is labelled eight times as often; the plain mean of the labels would be far off."""
    dice, held, plain = np.random.default_rng(3), 0, []
    for _ in range(RESAMPLES):
        truths = (dice.random(1_000) < 0.8).astype(np.float64)
        marks = judged(truths, 0.9, 0.7, dice)
        one = sample(truths, marks, np.where(marks > 0.5, 0.05, 0.4), dice)
        low, high = interval(corrected_mean(one))
        held += low <= 0.8 <= high
        plain.append(float(np.nanmean(one.truths)))
    assert held >= LEAST_COVERED * RESAMPLES
    assert np.mean(plain) < 0.7


def test_where_all_is_labelled_the_judge_does_not_matter() -> None:
    dice = np.random.default_rng(4)
    truths, marks = dice.random(50).round(), dice.random(50).round()
    found = corrected_mean(sample(truths, marks, np.ones(50), dice))
    assert found.values.mean == pytest.approx(truths.mean())


def test_a_judge_that_guesses_is_not_trusted_and_one_that_knows_is() -> None:
    dice = np.random.default_rng(5)
    truths = dice.random(2_000).round()
    for marks, low, high in ((dice.random(2_000).round(), 0, 0.25), (truths, 0.8, 1.0)):
        assert low <= corrected_mean(sample(truths, marks, np.full(2_000, 0.1), dice)).trust <= high


def test_exchanging_the_arms_turns_the_corrected_difference_round() -> None:
    dice = np.random.default_rng(6)
    one, other = (sample(dice.random(200).round(), dice.random(200), np.full(200, 0.4), dice) for _ in range(2))
    there, back = corrected_difference(one, other), corrected_difference(other, one)
    assert there.values.mean == pytest.approx(-back.values.mean)
    assert interval(there) == pytest.approx(tuple(-bound for bound in reversed(interval(back))), abs=1e-6)


def test_few_labels_correct_nothing() -> None:
    dice = np.random.default_rng(7)
    truths = np.ones(100)
    assert not can_correct(sample(truths, truths, np.where(np.arange(100) < 29, 1.0, 1e-12), dice))
    assert can_correct(sample(truths, truths, np.where(np.arange(100) < 30, 1.0, 1e-12), dice))


def test_rogan_and_gladen_on_pandalm() -> None:
    """Judge 0.460, sensitivity 0.787, specificity 0.778: people say 0.422."""
    found = rogan_gladen((460, 1000), (787, 1000), (778, 1000), 0.05)
    assert found.share == pytest.approx(0.422, abs=0.001)
    assert found.lower < 0.422 < found.upper


def test_a_judge_no_better_than_chance_leaves_everything_open() -> None:
    found = rogan_gladen((50, 100), (50, 100), (50, 100), 0.05)
    assert (found.lower, found.upper) == (0.0, 1.0)


def arm(name: str, values: Floats) -> list[Point]:
    return [Point(case=str(place), values={"helpful": float(value)}) for place, value in enumerate(values)]


def test_the_gate_decides_by_what_people_said_where_they_said_enough() -> None:
    """The judge marks the candidate ten points down; people find both arms alike."""
    dice = np.random.default_rng(8)
    truths = (dice.random(600) < 0.8).astype(np.float64)
    biased = np.where(dice.random(600) < 0.12, 0.0, truths)
    labels = [
        Label(arm=name, case=str(place), repeat=0, scorer="helpful", value=float(truths[place]))
        for name in ("candidate", "baseline")
        for place in range(0, 600, 2)
    ]
    gate, points = Gate(primary=("helpful",)), (arm("candidate", biased), arm("baseline", truths))
    alone = decide(*points, gate, judged={"helpful"})
    corrected = decide(*points, gate, judged={"helpful"}, labels=labels)
    assert alone.result == "regression" and alone.comparisons[0].labels == 0
    assert "no answer has been labelled" in alone.comparisons[0].note
    assert corrected.result == "pass" and corrected.comparisons[0].labels == 600
    assert "errs more often in one arm" in corrected.comparisons[0].note
    few = decide(*points, gate, judged={"helpful"}, labels=labels[:20])
    assert few.comparisons[0].labels == 0 and "correct nothing" in few.comparisons[0].note
