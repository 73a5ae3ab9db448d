"""What is done about the figures of a rollout."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from watchkeeper.releases.judging import (
    ArmFigures,
    Decision,
    Finding,
    Guard,
    Plan,
    Situation,
    Step,
    compare,
    decide,
    decide_test,
)
from watchkeeper.releases.metrics import METRIC, METRICS, MetricName
from watchkeeper.releases.sequential import Sums

STEPS = (Step(0.05, 3_600, 500), Step(0.5, 3_600, 500), Step(1.0, 0, 0))
PLAN = Plan(tuple(Guard(name, METRIC[name].margin) for name in METRICS), STEPS)
BAKED = Situation(step=0, step_age_s=4_000, shares=(0.05,))


def share(count: int, hits: float) -> Sums:
    return Sums(count, count, hits, hits, count, hits)


def costs(count: int, mean: float, deviation: float) -> Sums:
    total = count * mean
    return Sums(count, count, total, count * (mean**2 + deviation**2), count, total)


def arm(release: str, calls: int, *, errors: float = 0.02, **others: Sums) -> ArmFigures:
    """An arm whose calls are as good as those of any, but for what is said."""
    sums: dict[MetricName, Sums] = {
        "errors": share(calls, calls * errors),
        "parse_failures": share(calls, calls * 0.01),
        "latency": share(calls, calls * 0.05),
        "cost": costs(calls, 2e6, 1e6),
    }
    named: Mapping[str, Sums] = others
    sums |= {name: named[name] for name in METRICS if name in named}
    return ArmFigures(release=release, calls=calls, units=calls, recent_units=calls // 100, sums=sums)


STANDING = arm("wk1-standing", 950_000)
CANDIDATE = arm("wk1-candidate", 50_000)


def judged(
    candidate: ArmFigures, situation: Situation = BAKED, plan: Plan = PLAN, standing: ArmFigures = STANDING
) -> Decision:
    arms = (standing, candidate)
    return decide(plan, situation, arms, compare(plan, standing, [candidate]))


def verdicts(candidate: ArmFigures, standing: ArmFigures = STANDING) -> dict[str, str]:
    return {one.metric: one.verdict for one in compare(PLAN, standing, [candidate])}


def test_a_candidate_that_is_known_to_be_no_worse_is_widened() -> None:
    assert judged(CANDIDATE).action == "widen"
    assert "50%" in judged(CANDIDATE).reason


def test_behind_the_last_judged_step_it_takes_over() -> None:
    half = replace(STANDING, calls=50_000)
    assert judged(CANDIDATE, replace(BAKED, step=1), standing=half).action == "succeed"


def test_a_plan_that_does_not_end_at_everything_waits_for_a_person_at_its_end() -> None:
    plan = Plan(PLAN.guards, STEPS[:2])
    decision = judged(CANDIDATE, replace(BAKED, step=1), plan)
    assert decision.action == "continue" and "Conclude" in decision.reason


def test_it_is_not_widened_before_it_has_baked() -> None:
    decision = judged(CANDIDATE, replace(BAKED, step_age_s=600))
    assert decision == Decision("continue", "The step bakes for 50 minutes more.")


def test_it_is_not_widened_before_the_step_has_its_calls() -> None:
    assert "499 of the 500 calls" in judged(arm("wk1-candidate", 499)).reason


def test_it_is_not_widened_while_something_else_keeps_it() -> None:
    assert judged(CANDIDATE, replace(BAKED, awaits="The environment is frozen.")).reason == "The environment is frozen."


def test_it_is_not_widened_while_little_is_known_and_says_how_many_calls_are_missing() -> None:
    decision = judged(arm("wk1-candidate", 1_000))
    assert decision.action == "continue" and "errors (about " in decision.reason


def test_where_that_is_enough_it_is_widened_while_nothing_is_known_to_be_worse() -> None:
    plan = Plan(PLAN.guards, STEPS, widening="unrefuted")
    assert judged(arm("wk1-candidate", 1_000), plan=plan).action == "widen"


@pytest.mark.parametrize("candidate", [
    arm("wk1-candidate", 5_000, errors=0.05),
    arm("wk1-candidate", 5_000, parse_failures=share(5_000, 250)),
    arm("wk1-candidate", 5_000, latency=share(5_000, 1_000)),
    arm("wk1-candidate", 5_000, cost=costs(5_000, 3e6, 1e6)),
], ids=["errors", "parse failures", "latency", "cost"])  # fmt: skip
def test_a_worse_candidate_is_taken_back_also_before_it_has_baked(candidate: ArmFigures) -> None:
    decision = judged(candidate, replace(BAKED, step_age_s=60))
    assert decision.action == "roll_back"
    assert "against" in decision.reason


def test_what_only_seems_worse_is_no_reason() -> None:
    """Half as many errors again among 400 calls: beyond the margin, and what chance does often."""
    candidate = arm("wk1-candidate", 400, errors=0.035)
    assert verdicts(candidate)["errors"] == "unknown"
    assert judged(candidate).action == "continue"


def test_worse_feedback_takes_it_back() -> None:
    standing = arm("wk1-standing", 100_000, feedback=share(5_000, 1_000))
    candidate = arm("wk1-candidate", 5_000, feedback=share(400, 200))
    assert verdicts(candidate, standing)["feedback"] == "worse"
    assert judged(candidate, standing=standing).action == "roll_back"


def test_better_feedback_is_better() -> None:
    standing = arm("wk1-standing", 100_000, feedback=share(5_000, 2_500))
    assert verdicts(arm("wk1-candidate", 5_000, feedback=share(900, 180)), standing)["feedback"] == "better"


def test_a_candidate_that_is_slower_and_makes_fewer_errors_is_for_a_person_to_weigh() -> None:
    decision = judged(arm("wk1-candidate", 50_000, errors=0.005, latency=share(50_000, 10_000)))
    assert decision.action == "pause"
    assert "slow answers 20% against 5%, worse by 13" in decision.reason
    assert "errors 0.5% against 2%, better by 1.3 to 1.67 points" in decision.reason


def test_more_errors_are_not_made_up_for_by_a_lower_price() -> None:
    assert judged(arm("wk1-candidate", 50_000, errors=0.06, cost=costs(50_000, 1e6, 1e5))).action == "roll_back"


def test_less_than_the_margin_is_no_reason_however_sure_it_is() -> None:
    """Half a point more errors, over a million calls: known, and within the margin of one point."""
    standing, candidate = arm("wk1-standing", 5_000_000), arm("wk1-candidate", 2_000_000, errors=0.025)
    (errors, *_) = compare(PLAN, standing, [candidate])
    assert errors.harm_low is not None and errors.harm_low > 0
    assert errors.verdict == "no_worse"


def test_nothing_is_decided_on_fewer_calls_than_stated() -> None:
    few = arm("wk1-candidate", 29, errors=1.0)
    assert set(verdicts(few).values()) == {"unknown"}
    assert judged(arm("wk1-candidate", 30, errors=1.0)).action == "roll_back"


def test_a_candidate_that_nobody_reaches_is_paused() -> None:
    silent = ArmFigures(release="wk1-candidate")
    decision = judged(silent, standing=arm("wk1-standing", 1_000))
    assert decision.action == "pause" and "wk1-candidate has had no calls" in decision.reason


def test_a_candidate_that_nobody_has_reached_yet_has_ten_minutes() -> None:
    soon = replace(BAKED, step_age_s=500)
    assert judged(ArmFigures(release="wk1-candidate"), soon, standing=arm("wk1-standing", 1_000)).action == "continue"


def test_a_candidate_that_falls_silent_is_paused() -> None:
    standing = replace(STANDING, recent_units=1_000)
    decision = judged(replace(CANDIDATE, recent_units=0), standing=standing)
    assert decision.action == "pause" and "for 10 minutes" in decision.reason


def test_at_night_when_nobody_calls_it_waits() -> None:
    quiet = replace(STANDING, recent_units=0)
    decision = judged(replace(CANDIDATE, recent_units=0), standing=quiet)
    assert decision.action == "continue" and "awaited" in decision.reason


def test_a_candidate_whose_price_nobody_knows_is_paused_and_not_taken_for_cheap() -> None:
    decision = judged(arm("wk1-candidate", 50_000, cost=Sums()))
    assert decision.action == "pause" and "cost of wk1-candidate" in decision.reason


def test_what_neither_arm_has_keeps_nothing() -> None:
    standing, candidate = (arm(one.release, one.calls, cost=Sums()) for one in (STANDING, CANDIDATE))
    assert judged(candidate, standing=standing).action == "widen"


def test_a_paused_rollout_is_still_taken_back() -> None:
    paused = replace(BAKED, is_paused=True)
    assert judged(arm("wk1-candidate", 5_000, errors=0.06), paused).action == "roll_back"
    assert judged(CANDIDATE, paused).action == "continue"


def test_the_error_budget_holds_for_all_metrics_and_candidates_together_however_many_tests_there_are() -> None:
    spent = 0.0
    for test in range(1, 40):
        findings = compare(PLAN, STANDING, [CANDIDATE, arm("wk1-other", 100)], test=test)
        assert len(findings) == 2 * len(METRICS)
        spent += sum(one.alpha for one in findings)
    assert spent == pytest.approx(PLAN.budget) and spent <= PLAN.budget


TEST = Plan((Guard("errors", 0.01),), (Step(0.5, 0, 0),), goal="cost")
EQUAL = arm("wk1-standing", 50_000)


def outcome_of(candidate: ArmFigures) -> tuple[Decision, tuple[Finding, ...]]:
    findings = compare(TEST, EQUAL, [candidate])
    return decide_test(TEST, replace(BAKED, shares=(0.5,)), (EQUAL, candidate), findings), findings


def test_a_test_is_decided_where_its_goal_is() -> None:
    decision, findings = outcome_of(arm("wk1-candidate", 50_000, cost=costs(50_000, 1e6, 1e6)))
    assert findings[0].verdict == "better" and "decided" in decision.reason
    assert decision.action == "continue"


def test_of_a_small_arm_fewer_calls_are_expected_than_of_a_large_one() -> None:
    """An arm of 1% that had no calls beside 300 people is no gap; one of 49% is."""
    for shares, action in (((0.01, 0.49), "continue"), ((0.49, 0.01), "pause")):
        arms = (arm("wk1-standing", 150), ArmFigures(release="wk1-a"), arm("wk1-b", 150))
        situation = replace(BAKED, shares=shares)
        assert decide_test(TEST, situation, arms, compare(TEST, arms[0], arms[1:])).action == action


def test_a_test_whose_arms_are_alike_is_not_decided() -> None:
    assert outcome_of(arm("wk1-candidate", 50_000))[0].reason == "It is not decided yet."


def test_a_test_ends_where_a_guard_is_broken_and_never_for_its_goal() -> None:
    assert outcome_of(arm("wk1-candidate", 50_000, cost=costs(50_000, 9e6, 1e6)))[0].action == "continue"
    assert outcome_of(arm("wk1-candidate", 50_000, errors=0.06))[0].action == "roll_back"
