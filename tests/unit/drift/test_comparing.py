"""Tests of two samples: right under no change, sure under a real one, and never surer than the exact answer."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.evals.drift.comparing import categories, fisher, kolmogorov, numbers, psi, rates
from watchkeeper.evals.drift.levels import LOOKS_A_MONTH, levels
from watchkeeper.evals.drift.seen import Text
from watchkeeper.evals.drift.topics import Vectors, topics

TRIALS = 600


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_fishers_probability_is_that_of_all_tables_no_likelier(first: int, second: int, data: st.DataObject) -> None:
    met, met_after = data.draw(st.integers(0, first)), data.draw(st.integers(0, second))
    total = met + met_after

    def chance(place: int) -> Fraction:
        return Fraction(comb(first, place) * comb(second, total - place), comb(first + second, total))

    places = range(max(0, total - second), min(first, total) + 1)
    exact = sum((chance(one) for one in places if chance(one) <= chance(met)), Fraction(0))
    assert fisher(met, first, met_after, second) == pytest.approx(float(exact), rel=1e-9)


def test_where_nothing_changed_each_test_is_wrong_as_often_as_it_says() -> None:
    dice = np.random.default_rng(1)
    wrong = np.zeros(3)
    for _ in range(TRIALS):
        wrong[0] += numbers(dice.lognormal(5, 1, 400), dice.lognormal(5, 1, 120)).p < 0.05
        wrong[1] += rates((dice.random(400) < 0.1).tolist(), (dice.random(120) < 0.1).tolist()).p < 0.05
        words = categories(*(list(dice.choice(["a", "b", "c", "d"], size, p=[0.5, 0.3, 0.15, 0.05]))
                             for size in (400, 120)))  # fmt: skip
        wrong[2] += words is not None and words.p < 0.05
    assert (wrong / TRIALS <= 0.07).all(), wrong


def test_psi_is_reported_with_what_chance_alone_makes_of_it() -> None:
    dice = np.random.default_rng(2)
    within = 0
    for _ in range(200):
        found = numbers(dice.normal(100, 10, 500).clip(0), dice.normal(100, 10, 100).clip(0))
        assert found.psi is not None and found.psi_by_chance is not None
        within += found.psi < found.psi_by_chance
    assert within >= 196
    small, large = (psi(np.full(10, size), np.full(10, size))[1] for size in (10.0, 1_000.0))
    assert small == pytest.approx(0.56, abs=0.01) and large == pytest.approx(0.0056, abs=0.0001)


def test_rare_values_are_counted_together_and_single_ones_are_no_category() -> None:
    found = categories(["a"] * 100 + [f"rare {one}" for one in range(20)], ["a"] * 100 + ["new"] * 20)
    assert found is not None and {level.name for level in found.levels} == {"a", "new", "other"}
    assert categories(["a"] * 100, ["a"] * 200) is None


@pytest.mark.parametrize("groups", [1, 3, 20])
def test_the_levels_of_a_month_add_up_to_what_is_allowed(groups: int) -> None:
    spent = sum(levels(window, groups=groups).once * LOOKS_A_MONTH[window] * groups for window in LOOKS_A_MONTH)
    assert spent == pytest.approx(0.5)
    for window in LOOKS_A_MONTH:
        assert levels(window, groups=groups).once <= levels(window, groups=groups).twice <= 0.02


def test_the_distance_of_two_samples_that_share_nothing_is_beyond_chance() -> None:
    assert kolmogorov(1.0, 100, 100) < 1e-40
    assert kolmogorov(0.05, 100, 100) > 0.99


def test_topics_that_come_up_are_found_and_those_that_stay_are_not() -> None:
    dice = np.random.default_rng(3)
    themes = dice.normal(size=(5, 32))

    def embed(texts: Sequence[str]) -> Vectors:
        found = np.stack([themes[int(text)] + 0.4 * dice.normal(size=32) for text in texts])
        made: Vectors = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
        return made

    def said(weights: list[float], count: int) -> list[Text]:
        return [Text(f"call-{one}", str(dice.choice(5, p=weights))) for one in range(count)]

    usual = [0.4, 0.3, 0.2, 0.1, 0.0]
    wrong = 0
    for _ in range(40):
        same = topics(said(usual, 400), said(usual, 150), embed)
        assert same is not None
        wrong += same.p < 0.05
    assert wrong <= 6
    moved = topics(said(usual, 400), said([0.1, 0.1, 0.2, 0.1, 0.5], 150), embed)
    assert moved is not None and moved.p < 1e-6 and moved.effect > 0.2
    assert moved.levels[0].example.startswith("call-")
    assert topics(said(usual, 99), said(usual, 150), embed) is None
