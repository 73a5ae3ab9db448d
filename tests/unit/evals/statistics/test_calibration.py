"""A suite asked twice without a change; and quality that is watched as it comes."""

import numpy as np
import pytest
from tests.unit.evals.statistics.simulated import IS_SOAK, Shape, runs

from watchkeeper.evals.calibration import calibrate, halves
from watchkeeper.evals.decision import Point
from watchkeeper.evals.statistics.anytime import evidence_below, fallen, shortfalls
from watchkeeper.evals.suite import Gate

STREAMS = 400 if IS_SOAK else 60


def test_a_suite_that_only_has_noise_is_sound() -> None:
    first, second = next(runs(Shape(certainty=0, passes=0.8), 1, 5))
    found = calibrate(first, second, Gate(), resamples=200)
    assert found.is_sound and found.reasons == ()
    (noise,) = found.noise
    assert (noise.false_alarms.value or 0) <= 0.07
    assert noise.variance == pytest.approx(2 * 0.8 * 0.2, abs=0.08)
    assert noise.answer_sd == pytest.approx(0.4, abs=0.06)
    assert found.flaky == pytest.approx(0.32, abs=0.08)
    assert found.history.variance == noise.variance
    assert found == calibrate(first[::-1], second[::-1], Gate(), resamples=200)


def test_two_runs_of_one_arm_that_differ_show_that_something_else_has_changed() -> None:
    first, second = next(runs(Shape(drop=0.15), 1, 6))
    found = calibrate(first, second, Gate(), resamples=50)
    assert not found.is_sound and "something beside the arm has changed" in found.reasons[0]


def test_a_metric_that_is_not_there_is_no_calibration() -> None:
    first, second = next(runs(Shape(), 1, 7))
    assert calibrate(first, second, Gate(primary=("tone",))).reasons == ("No case has tone in both runs.",)


def test_repeats_are_split_in_turn() -> None:
    asked = [Point(case="one", repeat=repeat, values={"passed": 1.0}) for repeat in (0, 1, 2, 4)]
    first, second = halves(asked)
    assert [one.repeat for one in first] == [0, 2] and [one.repeat for one in second] == [1, 4]


def test_an_alarm_that_may_be_raised_at_any_look_is_seldom_wrong() -> None:
    """Scores with the mean that is asked for, looked at after every tenth of 1,000."""
    dice, wrong = np.random.default_rng(8), 0
    for _ in range(STREAMS):
        scores = dice.beta(9, 1, 1_000)
        wrong += any(
            evidence_below(shortfalls([[score] for score in scores[:seen]]), 0.9) >= 20 for seen in range(10, 1_001, 90)
        )
    assert wrong <= 0.05 * STREAMS + 2


def test_a_fall_is_proven() -> None:
    dice = np.random.default_rng(9)
    before, after = ([[score] for score in dice.beta(mean, 10 - mean, 2_000)] for mean in (9.0, 7.5))
    assert evidence_below(shortfalls(after), 0.9) > 1e3
    assert fallen(shortfalls(before), shortfalls(after), 0.05).is_proven
    assert not fallen(shortfalls(before[:1_000]), shortfalls(before[1_000:]), 0.05).is_proven
    assert evidence_below(shortfalls(before), 0.5) <= 1.0


def test_scores_of_one_person_count_together() -> None:
    """The same scores, each ten times by one person, are less evidence than by ten."""
    dice = np.random.default_rng(10)
    scores = dice.beta(7.5, 2.5, 200)
    together = shortfalls([[score] * 10 for score in scores])
    apart = shortfalls([[score] for score in scores for _ in range(10)])
    assert evidence_below(together, 0.8) < evidence_below(apart, 0.8)


def test_nothing_seen_is_no_evidence() -> None:
    assert evidence_below(shortfalls([]), 0.9) == 1.0
