"""Intervals that hold however often one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rollout.simulated import surely_dearer, surely_more

from watchkeeper.releases.sequential import Interval, Sums, difference_of_means, difference_of_shares

ALPHA = 0.05 / 12


def hits(count: int, total: float) -> Sums:
    """Independent calls, of which so many are hits."""
    return Sums(count, count, total, total, count, total)


def values(found: list[float]) -> Sums:
    """Independent observations."""
    total = math.fsum(found)
    return Sums(len(found), len(found), total, math.fsum(one**2 for one in found), len(found), total)


counts = st.integers(1, 50_000).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count)))


@given(first=counts, second=counts)
def test_an_interval_of_shares_holds_the_estimate_and_no_impossible_difference(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    found = difference_of_shares(hits(*first), hits(*second), ALPHA)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert found.estimate == pytest.approx(second[1] / second[0] - first[1] / first[0])


@given(first=counts, second=counts)
def test_exchanging_the_arms_turns_the_interval_round(first: tuple[int, int], second: tuple[int, int]) -> None:
    there = difference_of_shares(hits(*first), hits(*second), ALPHA)
    back = difference_of_shares(hits(*second), hits(*first), ALPHA)
    assert back.low == pytest.approx(-there.high, abs=1e-9)
    assert back.high == pytest.approx(-there.low, abs=1e-9)


@given(first=counts, second=counts, alphas=st.tuples(st.floats(1e-6, 0.2), st.floats(1e-6, 0.2)))
def test_less_error_makes_a_wider_interval(
    first: tuple[int, int], second: tuple[int, int], alphas: tuple[float, float]
) -> None:
    sure, unsure = (difference_of_shares(hits(*first), hits(*second), alpha) for alpha in sorted(alphas))
    assert sure.low <= unsure.low + 1e-12 and unsure.high <= sure.high + 1e-12


@given(first=counts, second=counts)
def test_the_interval_lies_above_0_exactly_where_the_wealth_against_equal_shares_is_large_enough(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    """What the simulation computes for all runs at once is what this computes for one."""
    found = difference_of_shares(hits(*first), hits(*second), ALPHA)
    count = tuple(np.array([float(arm[0])]) for arm in (first, second))
    total = tuple(np.array([float(arm[1])]) for arm in (first, second))
    is_more = bool(surely_more((count[0], count[1]), (total[0], total[1]), None, ALPHA)[0])
    assert is_more == (found.low > 0) or abs(found.low) < 1e-6


@given(
    first=st.lists(st.floats(0, 1e9), min_size=2, max_size=50),
    second=st.lists(st.floats(0, 1e9), min_size=2, max_size=50),
)
def test_means_are_compared_as_the_simulation_does(first: list[float], second: list[float]) -> None:
    arms = values(first), values(second)
    found = difference_of_means(*arms, ALPHA)
    count, total, squares = (
        (np.array([float(getattr(arms[0], name))]), np.array([float(getattr(arms[1], name))]))
        for name in ("count", "total", "squared_totals")
    )
    is_more = bool(surely_dearer(count, total, squares, ALPHA)[0])
    assert is_more == (found.low > 0) or abs(found.low) < 1


def test_without_calls_nothing_is_known() -> None:
    assert difference_of_shares(hits(1_000, 20), Sums(), ALPHA) == Interval(-1.0, 0.0, 1.0)
    assert difference_of_means(values([1.0, 2.0]), values([5.0]), ALPHA).low == -math.inf


def test_intervals_become_narrower_with_more_calls() -> None:
    reaches = []
    for size in (100, 1_000, 10_000, 100_000):
        found = difference_of_shares(hits(size, size * 0.02), hits(size, size * 0.02), ALPHA)
        reaches.append(found.high - found.low)
    assert reaches == sorted(reaches, reverse=True)


def test_a_candidate_that_always_fails_is_known_after_30_calls() -> None:
    assert difference_of_shares(hits(600, 0), hits(30, 30), ALPHA).low > 0.3


def clustered(people: int, calls: int, total: float) -> Sums:
    """Of so many people each one makes so many calls, which all fail or all succeed."""
    failing = total / calls
    return Sums(people, people * calls, total, failing * calls**2, people * calls**2, failing * calls**2)


def test_fifty_calls_of_one_person_that_all_fail_are_one_observation() -> None:
    alone = difference_of_shares(hits(20_000, 400), hits(1_000, 60), ALPHA)
    together = difference_of_shares(clustered(400, 50, 400), clustered(20, 50, 50), ALPHA)
    assert alone.low > 0
    assert together.low < -0.05 and together.high > 0.1


def test_people_who_all_make_the_same_calls_cost_nothing() -> None:
    """Where calls of one person differ as calls of all do, grouping them changes nothing worth a word."""
    dice = np.random.default_rng(7)
    found = []
    for people in (500, 50):
        outcome = dice.random((people, 20)) < 0.05
        sums = outcome.sum(axis=1)
        found.append(
            Sums(people, outcome.size, float(sums.sum()), float((sums**2).sum()), people * 400, 20.0 * sums.sum())
        )
    first, second = found
    grouped = difference_of_shares(first, second, ALPHA)
    plain = difference_of_shares(hits(first.count, first.total), hits(second.count, second.total), ALPHA)
    assert grouped.high - grouped.low < 1.5 * (plain.high - plain.low)


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_a_looked_at_interval_of_means_misses_the_truth_less_often_than_it_says(spread: float) -> None:
    """Long-tailed costs, looked at after every call from the hundredth of the smaller arm on."""
    dice, runs, calls, alpha = np.random.default_rng(11), 400, 4_000, 0.05
    found = np.exp(spread * dice.standard_normal((2, runs, calls)))
    count = np.broadcast_to(np.arange(1, calls + 1, dtype=float), (runs, calls))
    total, squares = np.cumsum(found, axis=2), np.cumsum(found**2, axis=2)
    ever = np.zeros(runs, dtype=bool)
    for one, other in ((0, 1), (1, 0)):
        is_more = surely_dearer((count, count), (total[one], total[other]), (squares[one], squares[other]), alpha)
        ever |= is_more[:, 100:].any(axis=1)
    assert ever.mean() < alpha


def test_shares_between_0_and_1_count_like_parts_of_hits() -> None:
    whole = difference_of_shares(hits(500, 50), hits(500, 50.0), ALPHA)
    parts = difference_of_shares(hits(500, 50), Sums(500, 500, 50.0, 10.0, 500, 50.0), ALPHA)
    assert parts.low == pytest.approx(whole.low) and parts.high == pytest.approx(whole.high)
