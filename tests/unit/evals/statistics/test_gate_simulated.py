"""What a gate promises, tried on runs that are made up: 60 of each shape here, 2,000 with `WK_SOAK=1`."""

import pytest
from tests.unit.evals.statistics.simulated import IS_SOAK, RUNS, Shape, results, runs

from watchkeeper.evals.decision import Comparison
from watchkeeper.evals.gate import decide
from watchkeeper.evals.suite import Gate

SHAPES = {
    "hard cases": Shape(passes=0.5),
    "ordinary cases": Shape(passes=0.9),
    "easy cases": Shape(passes=0.98),
    "answers by chance": Shape(passes=0.9, certainty=0),
    "asked five times": Shape(passes=0.8, cases=100, repeats=5),
    "in clusters": Shape(passes=0.8, in_clusters=4),
    "in clusters, asked twice": Shape(passes=0.8, cases=100, in_clusters=5, repeats=2),
    "scores": Shape(is_score=True),
    "scores in clusters": Shape(is_score=True, in_clusters=8),
    "unequal weights": Shape(passes=0.7, is_weighted=True),
    "twenty": Shape(cases=20, certainty=0),
}


def allowed(share: float, count: int = RUNS) -> float:
    """Return how many of the runs may be wrong where so many are on average: of few runs, chance has its part."""
    return share * count if IS_SOAK else share * count + 3.3 * (share * (1 - share) * count) ** 0.5


def gate_of(shape: Shape) -> Gate:
    return Gate(primary=("score",) if shape.is_score else ("passed",))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_where_nothing_has_changed_at_most_5_per_cent_of_runs_are_blocked(shape: Shape) -> None:
    assert results(shape, gate_of(shape))["regression"] <= allowed(0.05)


def test_many_runs_without_a_change_are_blocked_in_at_most_5_per_cent() -> None:
    """On the shape that comes closest to the limit."""
    count = 2_000 if IS_SOAK else 400
    assert results(Shape(cases=200, passes=0.5, certainty=1.0), Gate(), count=count)["regression"] <= allowed(
        0.05, count
    )


def test_several_primary_metrics_are_together_blocked_in_at_most_5_per_cent() -> None:
    gate = Gate(primary=("passed", "second", "third"))
    blocked = 0
    for (candidate, baseline), (second, other), (third, another) in zip(
        *(runs(Shape(certainty=0, passes=0.8), RUNS, seed) for seed in (1, 2, 3)), strict=True
    ):
        for point, *more in (*zip(candidate, second, third, strict=True), *zip(baseline, other, another, strict=True)):
            for name, source in zip(("second", "third"), more, strict=True):
                point.values[name] = source.values["passed"]
        blocked += decide(candidate, baseline, gate).result == "regression"
    assert blocked <= allowed(0.05)


@pytest.mark.parametrize(
    "shape",
    [Shape(drop=0.1), Shape(drop=0.1, passes=0.7), Shape(drop=0.1, is_score=True), Shape(drop=0.1, repeats=3)],
    ids=["passes", "harder cases", "scores", "asked three times"],
)
def test_a_drop_of_ten_points_on_200_cases_is_blocked_four_times_in_five(shape: Shape) -> None:
    assert results(shape, gate_of(shape))["regression"] >= 0.8 * RUNS


@pytest.mark.parametrize("drop", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("repeats", [1, 5])
def test_twenty_cases_cannot_tell_and_never_pass_as_not_worse(drop: float, repeats: int) -> None:
    found = results(Shape(cases=20, drop=drop, repeats=repeats), Gate())
    assert found["inconclusive"] >= 0.97 * RUNS
    assert found["pass"] <= allowed(0.01)


def test_twenty_cases_find_a_gross_loss() -> None:
    assert results(Shape(cases=20, passes=0.95, drop=0.6), Gate())["regression"] >= 0.9 * RUNS


@pytest.mark.parametrize(
    "shape",
    [
        Shape(drop=0.05, certainty=0),
        Shape(drop=0.05, passes=0.999999, certainty=0, cases=80),
        Shape(drop=0.05, cases=100, repeats=3),
        Shape(drop=0.05, is_score=True),
        Shape(drop=0.05, certainty=0, in_clusters=5),
        Shape(drop=0.05, is_weighted=True, certainty=0),
    ],
    ids=["by chance", "nothing fails before", "asked three times", "scores", "in clusters", "unequal weights"],
)
def test_what_is_worse_by_the_margin_passes_in_at_most_5_per_cent(shape: Shape) -> None:
    assert results(shape, gate_of(shape))["pass"] <= allowed(0.05)


def test_trying_until_it_passes_does_not_help_where_attempts_are_counted() -> None:
    """A release that is worse by the margin, tried up to eight times, stopping at the first pass."""
    shape, passed = Shape(drop=0.05, certainty=0, passes=0.95), 0
    for number in range(RUNS // 4):
        tries = runs(shape, 8, seed=number)
        passed += any(
            decide(candidate, baseline, Gate(), attempt=attempt).result == "pass"
            for attempt, (candidate, baseline) in enumerate(tries, 1)
        )
    assert passed <= allowed(0.05) / 4 + 2


def test_the_drop_that_is_said_to_be_found_is_found_four_times_in_five() -> None:
    shape = Shape(cases=300, certainty=0.5, passes=0.8)
    candidate, baseline = next(runs(shape, 1, 7))
    said: Comparison = decide(candidate, baseline, Gate()).comparisons[0]
    assert said.detectable is not None
    worse = results(Shape(cases=300, certainty=0.5, passes=0.8, drop=said.detectable), Gate())["regression"]
    assert 0.65 * RUNS <= worse <= 0.98 * RUNS


def test_a_share_of_passes_that_just_suffices_is_blocked_in_at_most_5_per_cent() -> None:
    blocked = sum(
        decide(candidate, (), Gate(min_pass=0.9)).result == "regression"
        for candidate, _ in runs(Shape(passes=0.9), RUNS, 3)
    )
    assert blocked <= allowed(0.05)
