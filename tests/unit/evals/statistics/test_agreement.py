"""Agreement, against published examples and what is worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.calibration import judge_card
from watchkeeper.evals.statistics.agreement import gwet_ac1, kappa, krippendorff, position_bias, wilson

grades = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=5, max_size=60)

KRIPPENDORFF_2011: list[list[float | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def graded(both: int, first: int, second: int, neither: int) -> tuple[list[float], list[float]]:
    """Marks of two: so many that both passed, that one of them did, that neither did."""
    pairs = [(1.0, 1.0)] * both + [(1.0, 0.0)] * first + [(0.0, 1.0)] * second + [(0.0, 0.0)] * neither
    return [one for one, _ in pairs], [other for _, other in pairs]


def test_kappa_by_hand() -> None:
    """They agree on 35 of 50; by chance they would on half: (0.7 - 0.5) / (1 - 0.5)."""
    assert kappa(*graded(20, 5, 10, 15)).value == pytest.approx(0.4)


def test_kappa_weighted_by_hand() -> None:
    """Three grades, one disagreement by one step and one by two, of six."""
    first, second = [1.0, 1, 2, 2, 3, 3], [1.0, 2, 2, 2, 3, 1]
    seen, chance = (
        1 - (1 * 0.5 + 1 * 1.0) / 6,
        1 - (2 * 3 * 0.5 + 2 * 1 * 1 + 2 * 2 * 0.5 + 2 * 1 * 0.5 + 2 * 2 * 1 + 2 * 3 * 0.5) / 36,
    )
    assert kappa(first, second, weighting="linear").value == pytest.approx((seen - chance) / (1 - chance))


def test_the_interval_of_kappa_is_as_wide_as_leaving_one_out_says() -> None:
    first, second = graded(40, 8, 12, 40)
    found = kappa(first, second)
    left_out = [
        kappa(first[:place] + first[place + 1 :], second[:place] + second[place + 1 :]).value
        for place in range(len(first))
    ]
    error = math.sqrt((len(first) - 1) / len(first) * sum((one - np.mean(left_out)) ** 2 for one in left_out))
    assert (found.upper - found.lower) / 2 / 1.96 == pytest.approx(error, rel=0.03)


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example(level: str, alpha: float) -> None:
    assert krippendorff(KRIPPENDORFF_2011, level=level) == pytest.approx(alpha, abs=0.0005)  # type: ignore[arg-type]


def test_where_nearly_all_pass_kappa_collapses_and_ac1_does_not() -> None:
    """K. Gwet, 2008: 118 of 125 agreed to pass, none to fail."""
    first, second = graded(118, 5, 2, 0)
    assert kappa(first, second).value == pytest.approx(-0.0234, abs=0.0001)
    assert gwet_ac1(first, second) == pytest.approx(0.9408, abs=0.0001)


@given(grades)
def test_agreement_does_not_mind_who_comes_first(pairs: list[tuple[int, int]]) -> None:
    first, second = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
    for one, other in (
        (kappa(first, second, weighting="quadratic").value, kappa(second, first, weighting="quadratic").value),
        (gwet_ac1(first, second), gwet_ac1(second, first)),
        (krippendorff([first, second], level="ordinal"), krippendorff([second, first], level="ordinal")),
    ):
        assert one == pytest.approx(other, nan_ok=True)
        assert math.isnan(one) or one <= 1 + 1e-12


@given(st.lists(st.integers(1, 4), min_size=2, max_size=40).filter(lambda values: len(set(values)) > 1))
def test_who_agrees_throughout_agrees_fully(values: list[int]) -> None:
    marks = [float(value) for value in values]
    assert kappa(marks, marks).value == pytest.approx(1)
    assert krippendorff([marks, marks]) == pytest.approx(1)


def test_marks_that_are_all_alike_tell_nothing() -> None:
    assert math.isnan(kappa([1.0, 1.0], [1.0, 1.0]).value)
    assert math.isnan(kappa([1.0] * 110, [1.0] * 110).value)
    assert math.isnan(krippendorff([[1.0, None], [None, 1.0]]))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 10, 0.0, 0.278), (8, 10, 0.490, 0.943), (81, 263, 0.255, 0.366)]
)
def test_wilson_against_published_intervals(hits: int, of: int, low: float, high: float) -> None:
    found = wilson(hits, of)
    assert (found.lower, found.upper) == pytest.approx((low, high), abs=0.001)


def test_a_judge_that_prefers_what_comes_first_is_found_out() -> None:
    """30 pairs: 12 with the same winner in both orders, 16 for whatever came first, 2 for the second."""
    found = position_bias([(1.0, 0.0)] * 12 + [(1.0, 1.0)] * 16 + [(0.0, 0.0)] * 2)
    assert (found.pairs, found.first, found.second, found.consistent.value) == (30, 16, 2, 0.4)
    assert found.p < 0.01


def test_a_judge_that_agrees_well_enough_may_decide() -> None:
    card = judge_card(*graded(55, 5, 5, 55))
    assert card.is_eligible and card.reasons == ()
    assert card.sensitivity.value == pytest.approx(55 / 60)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ((40, 20, 20, 40), "Kappa is 0.33"),
        ((90, 5, 1, 4), "Only 5 labelled answers are bad"),
        ((12, 0, 2, 12), ""),
        ((60, 30, 0, 60), "It recognises 66.7% of good answers"),
        ((20, 0, 0, 0), "Kappa is not known"),
    ],
)
def test_a_judge_that_does_not_is_advice(table: tuple[int, int, int, int], said: str) -> None:
    labels, marks = graded(*table)
    card = judge_card(labels, marks)
    assert card.is_eligible == (said == "")
    assert said in " ".join(card.reasons)


def test_a_card_without_any_label_says_that_nothing_is_known() -> None:
    card = judge_card([], [])
    assert not card.is_eligible and card.kappa.value is None and card.labels_saved is None


def test_answers_that_count_twice_are_as_if_they_were_there_twice() -> None:
    first, second = [1.0, 1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0, 1.0]
    twice = [*first, *first[:2]], [*second, *second[:2]]
    counts = [2.0, 2.0, 1.0, 1.0, 1.0]
    assert kappa(first, second, counts=counts).value == pytest.approx(kappa(*twice).value)
    assert gwet_ac1(first, second, counts=counts) == pytest.approx(gwet_ac1(*twice))
    assert kappa(first, second, counts=[3.0] * 5) == kappa(first, second)
