"""What a canary promises, tried on made-up traffic: 200 runs here, 1,000 with `WK_SOAK=1`."""

import os

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.rollout.simulated import Floats, Traffic, Walk, stopped_at, walk

from watchkeeper.releases.judging import Guard, Plan, Situation, Step, compare, decide
from watchkeeper.releases.metrics import METRIC, MetricName
from watchkeeper.releases.sequential import Sums, difference_of_shares

IS_SOAK = bool(os.environ.get("WK_SOAK"))
RUNS = 1_000 if IS_SOAK else 200
AT_ONCE = 100
GUARDED: tuple[MetricName, ...] = ("errors", "parse_failures", "latency", "cost")
STEPS = (Step(0.05, 0, 100), Step(0.2, 0, 100), Step(0.5, 0, 100), Step(1.0, 0, 0))
PLAN = Plan(tuple(Guard(name, METRIC[name].margin) for name in GUARDED), STEPS)
NO_MARGINS = Plan(tuple(Guard(name, 0.0) for name in GUARDED), STEPS)
ORDINARY = Traffic({"errors": 0.02, "parse_failures": 0.01, "latency": 0.05})
DAY = 100_000
"""Calls."""
BAKED = Situation(step=0, step_age_s=1e6, shares=(STEPS[0].share,))


def wrong_rollbacks(plan: Plan, seed: int, *, calls: int, drift: Floats | None = None) -> float:
    """Let the arms be alike for all steps, look after every call, and return the share of runs that are taken back."""
    dice, wrong = np.random.default_rng(seed), np.zeros(RUNS, dtype=bool)
    for start in range(0, RUNS, AT_ONCE):
        for number, step in enumerate(STEPS[:3]):
            found = walk(dice, AT_ONCE, calls, step, (ORDINARY, ORDINARY), drift=drift)
            stops = stopped_at(plan, found, test=number + 1)
            wrong[start : start + AT_ONCE] |= stops > 0
            for run in np.flatnonzero(stops):
                see_that_the_judge_agrees(plan, number, found, int(run), int(stops[run]))
    return float(wrong.mean())


def see_that_the_judge_agrees(plan: Plan, step: int, found: Walk, run: int, calls: int) -> None:
    """Where a run is stopped, the judge takes the candidate back, and one call before it did not."""
    for looked_at, is_over in ((calls - 1, False), (calls, True)):
        arms = found.arms(run, looked_at)
        findings = compare(plan, arms[0], [arms[1]], test=step + 1)
        decision = decide(plan, Situation(step=step, step_age_s=3600, shares=(STEPS[step].share,)), arms, findings)
        is_ended = decision.action in ("roll_back", "pause")
        assert is_ended == is_over


@pytest.mark.parametrize("plan", [PLAN, NO_MARGINS], ids=["margins as they are", "no margins"])
def test_without_a_difference_fewer_than_5_per_cent_are_rolled_back_though_one_looks_after_every_call(
    plan: Plan,
) -> None:
    assert wrong_rollbacks(plan, 2026, calls=12_000 if IS_SOAK else 4_000) < 0.05


def test_an_outage_that_meets_both_arms_is_no_reason() -> None:
    """For a tenth of each step every third call fails, in both arms."""
    calls = 4_000
    drift = np.ones(calls)
    drift[1_200:1_600] = 15.0
    assert wrong_rollbacks(NO_MARGINS, 7, calls=calls, drift=drift) < 0.05


def test_a_doubled_error_rate_is_stopped_before_5_per_cent_of_the_day_are_hurt() -> None:
    """In all but one of five hundred runs: the best test there could be misses one of twenty thousand."""
    dice, missed = np.random.default_rng(404), 0
    hurt: list[int] = []
    doubled = Traffic(ORDINARY.shares | {"errors": 0.04})
    for _ in range(0, RUNS, 20):
        found = walk(dice, 20, DAY, STEPS[0], (ORDINARY, doubled))
        stops = stopped_at(PLAN, found)
        hurt += [int(found.is_candidate[run, : stops[run] or DAY].sum()) for run in range(20)]
        see_that_the_judge_agrees(PLAN, 0, found, int(stops.argmax()), int(stops.max()))
        missed += int(np.sum(stops == 0))
    assert missed <= RUNS / 500
    assert np.median(hurt) < 0.02 * DAY and np.quantile(hurt, 0.95) < 0.035 * DAY


def test_a_doubled_error_rate_is_not_widened_before_it_is_stopped() -> None:
    dice = np.random.default_rng(9)
    found = walk(dice, 8, 40_000, STEPS[0], (ORDINARY, Traffic(ORDINARY.shares | {"errors": 0.04})))
    for run in range(8):
        for calls in range(500, 40_000, 500):
            arms = found.arms(run, calls)
            decision = decide(PLAN, BAKED, arms, compare(PLAN, arms[0], [arms[1]]))
            assert decision.action != "widen"
            if decision.action == "roll_back":
                break


def test_a_candidate_without_a_difference_is_widened_within_days() -> None:
    """At 100,000 calls a day and 5 % it takes about two days to know it of an error rate of 2 %."""
    dice = np.random.default_rng(21)
    found = walk(dice, 4, 3 * DAY, STEPS[0], (ORDINARY, ORDINARY))
    for run in range(4):
        arms = found.arms(run, 3 * DAY)
        assert decide(PLAN, BAKED, arms, compare(PLAN, arms[0], [arms[1]])).action == "widen"


def test_people_who_fail_or_succeed_as_a_whole_are_not_counted_once_for_each_call() -> None:
    """Of 400 people with 25 calls each, every fiftieth fails always: without their grouping, arms seem to differ."""
    dice, runs, wrong, careless = np.random.default_rng(3), 60, 0, 0
    for _ in range(runs):
        is_candidate, fails = dice.random(400) < 0.2, dice.random(400) < 0.02
        is_worse = [False, False]
        for people in range(80, 401, 80):
            arms = [_people(fails[:people][is_candidate[:people] == side], grouped=True) for side in (False, True)]
            apart = [_people(fails[:people][is_candidate[:people] == side], grouped=False) for side in (False, True)]
            for place, (first, second) in enumerate((arms, apart)):
                is_worse[place] |= difference_of_shares(first, second, 0.05).low > 0
        wrong, careless = wrong + is_worse[0], careless + is_worse[1]
    assert wrong / runs < 0.05
    assert careless / runs > 0.2


def _people(fails: NDArray[np.bool_], *, grouped: bool) -> Sums:
    calls, failing = 25, int(fails.sum())
    people, total = len(fails), 25.0 * failing
    if grouped:
        return Sums(people, people * calls, total, failing * calls**2, people * calls**2, failing * calls**2)
    return Sums(people * calls, people * calls, total, total, people * calls, total)
