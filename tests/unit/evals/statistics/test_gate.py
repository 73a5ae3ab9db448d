"""What a gate says of a run, and why."""

import random
from collections.abc import Mapping, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.evals.decision import Decision, Point
from watchkeeper.evals.gate import decide
from watchkeeper.evals.measured import Measured
from watchkeeper.evals.outcome import Answer, Mark, Outcome, outcome_of
from watchkeeper.evals.outlook import History, outlook
from watchkeeper.evals.points import points_of
from watchkeeper.evals.suite import Case, Gate, Suite

Row = Sequence[float | None]


def arm(passed: Row, repeat: int = 0, further: Mapping[str, Row] | None = None) -> list[Point]:
    """Return a point for each case; further metrics by name."""
    rows = {"passed": passed, **(further or {})}
    return [
        Point(case=str(place), repeat=repeat, values={name: row[place] for name, row in rows.items()})
        for place in range(len(passed))
    ]


def passes(count: int, of: int) -> Row:
    return [1.0] * count + [0.0] * (of - count)


def said(decision: Decision) -> str:
    return " ".join(decision.reasons)


runs = st.lists(st.tuples(st.sampled_from((0.0, 1.0, None)), st.sampled_from((0.0, 1.0))), min_size=1, max_size=80)


@given(run=runs, seed=st.integers(0, 99))
@settings(max_examples=40)
def test_neither_the_order_of_cases_nor_asking_again_changes_a_decision(
    run: list[tuple[float | None, float]], seed: int
) -> None:
    candidate, baseline = arm([one for one, _ in run]), arm([other for _, other in run])
    shuffled = (
        random.Random(seed).sample(candidate, len(candidate)),
        random.Random(-seed).sample(baseline, len(baseline)),
    )
    assert decide(candidate, baseline, Gate()) == decide(*shuffled, Gate())


anything = st.builds(
    Point,
    case=st.sampled_from("abcdefgh"),
    cluster=st.sampled_from(("", "", "x", "y")),
    weight=st.sampled_from((0.0, 1.0, 0.001, 1e6)),
    tags=st.sampled_from(((), ("t",))),
    repeat=st.integers(0, 2),
    values=st.fixed_dictionaries(
        {"passed": st.sampled_from((0.0, 1.0, None))},
        optional={
            "score": st.none() | st.floats(0, 1),
            "tone": st.none() | st.floats(0, 1),
            "latency_ms": st.none() | st.floats(0, 1e9),
            "cost_nusd": st.none() | st.floats(0, 1e15),
        },
    ),
    failed=st.sampled_from(((), ("tone",))),
)


@given(
    candidate=st.lists(anything, max_size=12),
    baseline=st.lists(anything, max_size=12),
    margin=st.sampled_from((0.0, 0.001, 0.05, 1.0)),
)
@settings(max_examples=60)
def test_whatever_was_measured_there_is_a_decision_that_can_be_kept(
    candidate: list[Point], baseline: list[Point], margin: float
) -> None:
    gate = Gate(primary=("passed", "tone"), critical=("tone",), margin=margin, latency=0.1, cost=0.0, min_pass=0.5)
    found = decide(candidate, baseline, gate, judged={"tone"})
    assert msgspec.json.decode(msgspec.json.encode(found), type=Decision) == found


@given(run=st.lists(st.tuples(st.sampled_from((0.0, 1.0)), st.sampled_from((0.0, 1.0))), min_size=1, max_size=80))
@settings(max_examples=40)
def test_exchanging_the_arms_turns_the_comparison_round(run: list[tuple[float, float]]) -> None:
    candidate, baseline = arm([one for one, _ in run]), arm([other for _, other in run])
    there, back = (decide(*pair, Gate()).comparisons[0] for pair in ((candidate, baseline), (baseline, candidate)))
    assert there.difference == pytest.approx(-back.difference)
    assert there.lower == pytest.approx(-back.upper, abs=1e-6)
    assert there.p_worse == back.p_better
    assert (there.verdict == "better") <= (back.verdict in ("worse", "not worse"))


@given(factor=st.floats(0.01, 100))
@settings(max_examples=20)
def test_the_scale_of_weights_does_not_matter(factor: float) -> None:
    def weighted(points: list[Point], by: float) -> list[Point]:
        return [
            Point(case=one.case, weight=by * (1 + int(one.case) % 3), values=one.values) for one in points
        ]  # fmt: skip

    candidate, baseline = arm(passes(50, 80)), arm([*passes(60, 70), *passes(3, 10)])
    one, other = (
        decide(weighted(candidate, by), weighted(baseline, by), Gate()).comparisons[0] for by in (1.0, factor)
    )
    assert (one.lower, one.difference, one.upper) == pytest.approx(
        (other.lower, other.difference, other.upper), abs=1e-6
    )


def test_twenty_of_twenty_under_both_arms_tells_nothing() -> None:
    found = decide(arm(passes(20, 20)), arm(passes(20, 20)), Gate())
    assert (found.result, found.exit_code) == ("inconclusive", 4)
    assert found.comparisons[0].lower == pytest.approx(-0.139, abs=0.002)
    assert found.passed_lower == pytest.approx(0.832, abs=0.001)
    assert "cannot tell" in said(found) and "cases would tell" in said(found)


def test_a_few_gains_do_not_stand_in_for_cases() -> None:
    """Four gains and no loss among 20 lie above the margin; a run without any change could not have."""
    found = decide(arm(passes(20, 20)), arm(passes(16, 20)), Gate())
    assert found.comparisons[0].lower > -0.05
    assert found.comparisons[0].verdict == "cannot tell"


def test_five_gains_and_no_loss_are_better_however_few_the_cases() -> None:
    found = decide(arm(passes(20, 20)), arm(passes(15, 20)), Gate())
    assert found.comparisons[0].verdict == "better" and found.result == "pass"


def test_sixty_cases_without_a_loss_are_not_worse_by_five_points() -> None:
    assert decide(arm(passes(60, 60)), arm(passes(60, 60)), Gate()).result == "pass"
    assert decide(arm(passes(58, 58)), arm(passes(58, 58)), Gate()).result == "inconclusive"


def test_a_decline_within_the_margin_is_not_worse_and_says_so() -> None:
    found = decide(arm(passes(980, 1000)), arm(passes(1000, 1000)), Gate())
    assert found.result == "pass"
    assert found.comparisons[0].verdict == "not worse"
    assert "lower beyond doubt, by less than the margin" in said(found)


@pytest.mark.parametrize(("left", "note"), [(150, "Beyond the margin"), (192, "is not known")])
def test_a_proven_decline_says_whether_it_is_beyond_the_margin(left: int, note: str) -> None:
    found = decide(arm(passes(left, 200)), arm(passes(200, 200)), Gate())
    assert (found.result, found.exit_code) == ("regression", 3)
    assert note in found.comparisons[0].note


def test_in_doubt_the_gate_may_let_it_pass() -> None:
    found = decide(arm(passes(20, 20)), arm(passes(20, 20)), Gate(in_doubt="pass"))
    assert found.result == "pass" and "lets it pass in doubt" in found.reasons[0]


def test_repeats_are_no_further_cases() -> None:
    candidate = [point for repeat in range(10) for point in arm(passes(20, 20), repeat)]
    baseline = [point for repeat in range(10) for point in arm(passes(20, 20), repeat)]
    found = decide(candidate, baseline, Gate(), repeats=10)
    assert found.comparisons[0].cases == found.comparisons[0].clusters == 20
    assert found.result == "inconclusive"


def test_every_primary_metric_must_hold_and_one_that_is_worse_blocks() -> None:
    gate = Gate(primary=("passed", "tone"))
    fine, bad = [1.0] * 100, [1.0] * 80 + [0.0] * 20
    candidate, baseline = arm(passes(100, 100), further={"tone": bad}), arm(passes(100, 100), further={"tone": fine})
    found = decide(candidate, baseline, gate)
    assert [one.verdict for one in found.comparisons] == ["not worse", "worse"]
    assert found.result == "regression" and found.reasons[0].startswith("tone: worse")


def test_one_of_many_metrics_must_stand_beside_the_others() -> None:
    """Six losses in one of ten metrics: p = 0.016 alone, 0.16 beside the others."""
    gate = Gate(primary=tuple(f"metric-{number}" for number in range(10)), margin=0.01)
    rows: dict[str, Row] = {name: [1.0] * 100 for name in gate.primary}
    baseline = arm(passes(100, 100), further=rows)
    rows["metric-3"] = [1.0] * 94 + [0.0] * 6
    found = decide(arm(passes(100, 100), further=rows), baseline, gate).comparisons[3]
    assert found.p_worse == pytest.approx(0.5**6) and found.verdict == "cannot tell"
    assert "one of 10" in found.note


def test_other_scorers_are_told_and_do_not_decide() -> None:
    candidate = arm(passes(100, 100), further={"style": [0.0] * 60 + [1.0] * 40})
    found = decide(candidate, arm(passes(100, 100), further={"style": [1.0] * 100}), Gate())
    assert found.result == "pass"
    assert [(one.metric, one.verdict) for one in found.further] == [("style", "worse")]


@pytest.mark.parametrize(
    ("times", "verdict", "result"),
    [
        (1.0, "not worse", "pass"),
        (0.7, "better", "pass"),
        (1.5, "worse", "regression"),
        (1.2, "cannot tell", "inconclusive"),
    ],
)
def test_latency_with_a_margin_decides_too(times: float, verdict: str, result: str) -> None:
    dice = random.Random(4)
    before: list[float] = [800 * dice.lognormvariate(0, 0.5) for _ in range(100)]
    after: list[float] = [one * times * dice.lognormvariate(0, 0.2) for one in before]
    candidate, baseline = (
        arm(passes(100, 100), further={"latency_ms": after}),
        arm(passes(100, 100), further={"latency_ms": before}),
    )
    found = decide(candidate, baseline, Gate(latency=0.2))
    assert found.comparisons[1].verdict == verdict and found.result == result
    assert found.comparisons[1].is_relative
    assert found.comparisons[1].difference == pytest.approx(times - 1, abs=0.05)


def test_cases_that_cost_nothing_have_no_ratio() -> None:
    free = arm(passes(100, 100), further={"cost_nusd": [0.0] * 100})
    assert decide(free, free, Gate()).further == ()
    assert "No case has cost_nusd under both arms" in said(decide(free, free, Gate(cost=0.1)))


def test_a_case_that_fails_what_must_never_fail_blocks() -> None:
    gate = Gate(critical=("no-secrets",))
    leak: Row = [1.0] * 99 + [0.0]
    found = decide(arm(passes(100, 100), further={"no-secrets": leak}), arm(passes(100, 100)), gate)
    assert (found.result, found.breaches[0].case) == ("regression", "99")
    clean = decide(arm(passes(100, 100), further={"no-secrets": [1.0] * 100}), arm(passes(100, 100)), gate)
    assert clean.result == "pass" and "in less than 2.95%" in said(clean)


def test_a_failure_that_does_not_repeat_is_neither_blocked_for_good_nor_passed() -> None:
    gate = Gate(critical=("no-secrets",))

    def asked(failures: int) -> Decision:
        points = [
            point
            for repeat in range(3)
            for point in arm(passes(80, 80), repeat, further={"no-secrets": [1.0] * 79 + [float(repeat >= failures)]})
        ]
        return decide(points, points, gate, repeats=3)

    assert [asked(failures).result for failures in (0, 1, 2, 3)] == ["pass", "inconclusive", "regression", "regression"]


def test_what_must_never_fail_fails_by_its_own_threshold_not_only_with_a_mark_of_0() -> None:
    points = arm(passes(100, 100), further={"safe": [0.4] * 100})
    short = [Point(case=one.case, values=one.values, failed=("safe",) if one.case == "7" else ()) for one in points]
    found = decide(short, points, Gate(critical=("safe",)))
    assert found.result == "regression" and [one.case for one in found.breaches] == ["7"]


def test_a_critical_scorer_that_marked_nothing_is_no_clean_run() -> None:
    found = decide(arm(passes(100, 100)), arm(passes(100, 100)), Gate(critical=("no-sercets",)))
    assert found.result == "unmeasured" and "No case has a mark by no-sercets" in said(found)


@pytest.mark.parametrize(
    ("passed", "of", "result"),
    [(20, 20, "inconclusive"), (100, 100, "pass"), (90, 100, "inconclusive"), (75, 100, "regression")],
)
def test_without_a_baseline_the_least_share_decides(passed: int, of: int, result: str) -> None:
    assert decide(arm(passes(passed, of)), (), Gate(min_pass=0.9)).result == result


def test_where_all_must_pass_all_passing_is_enough() -> None:
    assert decide(arm(passes(20, 20)), (), Gate(min_pass=1.0)).result == "pass"
    assert decide(arm(passes(19, 20)), (), Gate(min_pass=1.0)).result == "regression"


def test_with_nothing_to_hold_it_against_a_run_does_not_pass() -> None:
    found = decide(arm(passes(100, 100)), (), Gate())
    assert found.result == "inconclusive" and "nothing says what would be good enough" in said(found)


def test_nothing_at_all_is_unmeasured() -> None:
    assert decide((), (), Gate()).exit_code == 5
    assert decide((), arm(passes(10, 10)), Gate()).exit_code == 5


def test_too_much_unmeasured_fails_closed_and_says_why() -> None:
    candidate = arm([*passes(190, 190), *[None] * 10])
    found = decide(candidate, arm(passes(200, 200)), Gate(), reasons={"the judge did not answer": 10})
    assert (found.result, found.exit_code) == ("unmeasured", 5)
    assert "5% of the candidate's answers are unmeasured" in said(found) and "the judge did not answer (10)" in said(
        found
    )
    assert found.missing is not None and found.missing.if_failed == pytest.approx(-0.05)


def test_what_is_worse_whatever_the_missing_answers_were_is_a_regression() -> None:
    found = decide(arm([*passes(100, 190), *[None] * 10]), arm(passes(200, 200)), Gate())
    assert found.result == "regression"


def test_few_missing_answers_count_if_only_one_arm_has_them_and_they_could_matter() -> None:
    baseline, gate = arm(passes(400, 400)), Gate(margin=0.02)
    found = decide(arm([*passes(393, 393), *[None] * 7]), baseline, gate)
    assert found.missing is not None and found.missing.candidate < gate.unmeasured
    assert found.result == "unmeasured" and "than chance explains" in said(found)
    assert decide(arm([*passes(393, 393), *[None] * 7]), baseline, Gate(margin=0.1)).result == "pass"


def test_cases_that_were_never_asked_are_missing() -> None:
    assert decide(arm(passes(100, 100)), arm(passes(200, 200)), Gate()).result == "unmeasured"
    assert decide(arm(passes(200, 200)), arm(passes(200, 200)), Gate(), repeats=2).result == "unmeasured"


def test_slices_are_told_the_worst_first_and_do_not_decide() -> None:
    def tagged(points: list[Point]) -> list[Point]:
        return [
            Point(case=one.case, tags=("german" if int(one.case) >= 980 else "english",), values=one.values)
            for one in points
        ]

    found = decide(tagged(arm(passes(988, 1000))), tagged(arm(passes(1000, 1000))), Gate())
    assert [(tag, one.verdict) for tag, one in found.slices] == [("german", "worse"), ("english", "not worse")]
    assert found.result == "pass"


def test_a_case_that_flips_is_named_and_flaky_ones_are_listed() -> None:
    def asked(values: Sequence[Row]) -> list[Point]:
        return [point for repeat, row in enumerate(values) for point in arm(row, repeat)]

    baseline = asked([passes(100, 100)] * 5)
    candidate = asked([[0.0, float(repeat % 2), *[1.0] * 98] for repeat in range(5)])
    found = decide(candidate, baseline, Gate(margin=0.1), repeats=5)
    assert [one.case for one in found.flips] == ["0"] and found.flips[0].p == pytest.approx(1 / 252)
    assert found.flaky == ("1",)
    assert found.passes_all == pytest.approx(0.98) and found.passes_once == pytest.approx(0.99)
    assert found.result == "pass" and "0 (5 of 5, now 0 of 5)" in said(found)


def test_a_later_attempt_needs_more() -> None:
    candidate, baseline = arm(passes(194, 200)), arm(passes(200, 200))
    verdicts = [decide(candidate, baseline, Gate(margin=0.04), attempt=attempt).result for attempt in (0, 1, 2)]
    assert verdicts == ["regression", "regression", "inconclusive"]


def test_outcomes_become_points() -> None:
    outcome = Outcome(
        arm="candidate",
        case="one",
        repeat=2,
        status="failed",
        score=0.4,
        marks=(
            Mark(scorer="tone", status="failed", score=0.4),
            Mark(scorer="facts", status="unmeasured", reason="no judge"),
        ),
        answer=Answer(latency_ms=120.0, cost_nusd=5, cost_status="unpriced"),
    )
    cases = (Case(id="one", tags=("short",), cluster="book", weight=2.0),)
    assert points_of([outcome, Outcome(arm="candidate", case="gone", status="passed")], cases) == (
        Point(
            case="one",
            cluster="book",
            weight=2.0,
            tags=("short",),
            repeat=2,
            values={"passed": 0.0, "score": 0.4, "tone": 0.4, "facts": None, "latency_ms": 120.0},
            failed=("tone",),
        ),
    )


def test_a_critical_scorer_that_fails_with_half_a_score_blocks_a_run_that_was_kept() -> None:
    suite = Suite(feature="f", name="s", cases=(Case(id="one"),))
    half = Outcome(
        arm="candidate",
        case="one",
        status="failed",
        score=0.5,
        marks=(Mark(scorer="safe", status="failed", score=0.5),),
    )
    measured = Measured(suite)
    measured.add(half)
    decision = decide(measured.of("candidate", repeats=1), [], Gate(critical=("safe",)))
    assert decision.result == "regression"


def test_a_mark_that_is_missing_is_not_made_up_for_by_another_of_the_same_name() -> None:
    marks = (Mark(scorer="safe", status="failed", score=0.0), Mark(scorer="safe", status="passed", score=1.0))
    measured = Measured(Suite(feature="f", name="s", cases=(Case(id="one"),)))
    measured.add(Outcome(arm="candidate", case="one", status="failed", score=0.5, marks=marks))
    decision = decide(measured.of("candidate", repeats=1), [], Gate(critical=("safe",)))
    assert decision.result == "regression"


@pytest.mark.parametrize("marks", [(), (Mark(scorer="tone", status="passed", score=1.0, weight=0.0),)])
def test_a_case_that_no_scorer_looks_at_has_not_passed(marks: tuple[Mark, ...]) -> None:
    found = outcome_of("candidate", "one", 0, Answer(text="x"), marks)
    assert (found.status, found.score) == ("unmeasured", None)


def test_before_a_run_it_is_said_what_it_can_show() -> None:
    twenty, thousand = outlook(20, 20, 1, Gate()), outlook(1000, 1000, 1, Gate(), history=History(variance=0.1))
    assert twenty.detectable is not None and twenty.detectable > 0.25 and twenty.is_assumed
    assert "cannot show even without a single loss" in twenty.sentence and "is a guess" in twenty.sentence
    assert thousand.detectable == pytest.approx(0.025, abs=0.001) and thousand.cases_needed == 248
    assert thousand.sentence == (
        "1,000 cases find a drop of 2.5 points or more in four of five runs; to show that nothing is worse by 5 points"
        " takes about 248 (with 10% of the cases changing from one arm to the other, as they have)."
    )
    assert "find no drop, however large" in outlook(3, 3, 1, Gate()).sentence


def test_clusters_and_repeats_change_what_a_run_can_show() -> None:
    alone, clustered, repeated = outlook(200, 200, 1, Gate()), outlook(200, 20, 1, Gate()), outlook(200, 200, 5, Gate())
    assert (repeated.detectable or 0) < (alone.detectable or 0) < (clustered.detectable or 0)
    assert (repeated.cases_needed or 0) < (alone.cases_needed or 0) < (clustered.cases_needed or 0)
    without = outlook(200, 200, 1, Gate(margin=0.0))
    assert without.cases_needed is None and "only what is better passes" in without.sentence
