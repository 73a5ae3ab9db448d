"""Exact tests, corrections for number, and what a run can find: against tables and counting."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtrc

from watchkeeper.evals.statistics.clusters import clustered
from watchkeeper.evals.statistics.exact import (
    at_most_after_none,
    by_signs,
    fisher,
    fisher_above,
    mcnemar,
    passes_all,
    passes_once,
)
from watchkeeper.evals.statistics.multiplicity import benjamini_hochberg, holm, spent_on
from watchkeeper.evals.statistics.power import (
    cases_for_drop,
    cases_for_margin,
    drop_found,
    fewest_for_margin,
    independent,
    mean_drop_found,
    with_repeats,
)


@pytest.mark.parametrize(
    ("losses", "gains", "p"), [(0, 0, 1.0), (4, 0, 0.0625), (5, 0, 0.03125), (0, 5, 1.0), (8, 2, 0.0546875)]
)
def test_mcnemar_needs_five_losses_one_way(losses: int, gains: int, p: float) -> None:
    assert mcnemar(losses, gains) == pytest.approx(p)


@given(losses=st.integers(1, 400), gains=st.integers(0, 400))
def test_mcnemar_is_a_binomial_tail(losses: int, gains: int) -> None:
    assert mcnemar(losses, gains) == pytest.approx(float(bdtrc(losses - 1, losses + gains, 0.5)), rel=1e-9)


def test_fisher_on_the_lady_who_tasted_tea() -> None:
    assert fisher_above((3, 4), (1, 4)) == pytest.approx(17 / 70)
    assert fisher((3, 4), (1, 4)) == pytest.approx(34 / 70)


@pytest.mark.parametrize(("repeats", "p"), [(3, 0.05), (5, 0.004)])
def test_a_case_that_flips_over_its_repeats(repeats: int, p: float) -> None:
    assert fisher_above((repeats, repeats), (0, repeats)) == pytest.approx(p, abs=0.0001)


@given(first=st.integers(0, 50), second=st.integers(0, 50))
def test_fisher_does_not_mind_which_share_comes_first(first: int, second: int) -> None:
    assert fisher((first, 50), (second, 50)) == pytest.approx(fisher((second, 50), (first, 50)))


def test_few_signs_are_all_counted() -> None:
    values = clustered(np.array([-0.4, -0.3, 0.1, -0.2, 0.0]), np.ones(5))
    sums = [sum(sign * size for sign, size in zip(signs, (0.4, 0.3, 0.1, 0.2), strict=True))
            for signs in product((-1, 1), repeat=4)]  # fmt: skip
    low, high = by_signs(values)
    assert low == sum(one <= -0.8 + 1e-9 for one in sums) / 16
    assert high == sum(one >= -0.8 - 1e-9 for one in sums) / 16


@pytest.mark.parametrize("seed", range(4))
def test_many_signs_are_as_good_as_counted(seed: int) -> None:
    dice = np.random.default_rng(seed)
    values = dice.normal(-0.1, 0.3, 16)
    ways = np.zeros(1)
    for size in np.abs(values):
        ways = np.concatenate((ways - size, ways + size))
    low, _ = by_signs(clustered(values, np.ones(16)))
    assert low == pytest.approx(float((ways <= values.sum() + 1e-9).mean()), rel=0.2, abs=0.002)


@given(losses=st.integers(10, 150), gains=st.integers(10, 150))
def test_signs_of_pairs_say_what_mcnemar_says(losses: int, gains: int) -> None:
    values = clustered(np.array([-1.0] * losses + [1.0] * gains), np.ones(losses + gains))
    low, high = by_signs(values)
    assert low == pytest.approx(mcnemar(losses, gains), abs=0.005)
    assert high == pytest.approx(mcnemar(gains, losses), abs=0.005)


@pytest.mark.parametrize(("asked", "passed", "times"), [(5, 3, 2), (6, 6, 3), (6, 0, 2), (8, 7, 8)])
def test_estimates_over_repeats_are_the_means_over_all_choices(asked: int, passed: int, times: int) -> None:
    chosen = list(combinations([True] * passed + [False] * (asked - passed), times))
    assert passes_all(passed, asked, times) == pytest.approx(sum(map(all, chosen)) / len(chosen))
    assert passes_once(passed, asked, times) == pytest.approx(sum(map(any, chosen)) / len(chosen))


def test_nothing_seen_is_not_never() -> None:
    assert at_most_after_none(60, 0.05) == pytest.approx(0.0487, abs=0.0001)
    assert at_most_after_none(0, 0.05) == 1.0


def test_holm_stops_at_the_first_that_does_not_stand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_and_hochberg_let_more_stand() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@given(chances=st.lists(st.floats(0, 1), max_size=12))
def test_corrections_only_ever_raise_and_keep_the_order(chances: list[float]) -> None:
    for corrected in (holm(chances), benjamini_hochberg(chances)):
        assert all(one <= other + 1e-12 for one, other in zip(chances, corrected, strict=True))
        ordered = [corrected[place] for place in sorted(range(len(chances)), key=lambda place: chances[place])]
        assert ordered == sorted(ordered)


def test_all_attempts_together_spend_no_more_than_alpha() -> None:
    assert sum(spent_on(attempt, 0.05) for attempt in range(1, 60)) <= 0.05
    assert spent_on(0, 0.05) == 0.05


@pytest.mark.parametrize(
    ("drop", "needed"),
    [
        (0.02, {0.05: 771, 0.10: 1544, 0.20: 3090, 0.30: 4635}),
        (0.03, {0.05: 342, 0.10: 685, 0.20: 1372, 0.30: 2059}),
        (0.05, {0.05: 122, 0.10: 246, 0.20: 493, 0.30: 740}),
        (0.10, {0.10: 60, 0.20: 122, 0.30: 184}),
        (0.20, {0.20: 29, 0.30: 45}),
    ],
)
def test_cases_that_show_a_drop(drop: float, needed: dict[float, int]) -> None:
    assert {discordance: cases_for_drop(drop, discordance, 0.05) for discordance in needed} == needed


@pytest.mark.parametrize(
    ("margin", "discordance", "needed"),
    [(0.02, 0.05, 773), (0.02, 0.10, 1546), (0.05, 0.05, 124), (0.05, 0.10, 248), (0.10, 0.05, 31), (0.10, 0.10, 62)],
)
def test_cases_that_show_that_nothing_is_worse(margin: float, discordance: float, needed: int) -> None:
    assert cases_for_margin(margin, discordance, 0.05) == needed


@pytest.mark.parametrize(
    ("cases", "points"),
    [
        (20, (12, 18, 25)),
        (50, (8, 11, 16)),
        (100, (5.6, 7.9, 11)),
        (200, (3.9, 5.6, 7.9)),
        (500, (2.5, 3.5, 5.0)),
        (1000, (1.8, 2.5, 3.5)),
        (2000, (1.2, 1.8, 2.5)),
    ],
)
def test_the_drop_that_so_many_cases_show(cases: int, points: tuple[float, float, float]) -> None:
    found = [100 * mean_drop_found(cases, discordance, 0.05) for discordance in (0.05, 0.10, 0.20)]
    assert found == pytest.approx(points, abs=0.5 if cases < 100 else 0.15)


@pytest.mark.parametrize(("margin", "fewest"), [(0.10, 29), (0.05, 59), (0.03, 99), (0.02, 149), (0.01, 299)])
def test_fewer_clean_cases_than_this_show_nothing(margin: float, fewest: int) -> None:
    assert fewest_for_margin(margin, 0.05) == fewest


def test_a_drop_that_is_found_in_four_of_five_runs_is_found_by_the_exact_test() -> None:
    """20 cases that can only lose: the chance of five losses or more is 0.8."""
    drop = drop_found(20, 0.05, 0.05)
    assert drop is not None
    assert float(bdtrc(4, 20, drop)) == pytest.approx(0.8, abs=0.01)
    assert drop_found(4, 0.05, 0.05) is None


def test_repeats_and_clusters() -> None:
    assert with_repeats(0.2, 0.5, 1) == 0.2
    assert with_repeats(0.2, 0.5, 1_000_000) == pytest.approx(0.1)
    assert independent(200, 200, 0.7) == 200
    assert independent(200, 20, 1.0) == pytest.approx(20)
