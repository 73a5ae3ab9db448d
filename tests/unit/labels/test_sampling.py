"""A sample is drawn with the probabilities that are told, so that what is said of it holds for all."""

import random
from collections import Counter
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.sampling import Drawn, Unit, draw, estimated_mean, probabilities

INTERESTS = st.floats(min_value=0.01, max_value=100)
UNITS = st.lists(st.tuples(st.sampled_from("abc"), INTERESTS), min_size=1, max_size=60)


def units_of(given: list[tuple[str, float]]) -> list[Unit]:
    return [Unit(id=str(place), stratum=stratum, interest=one) for place, (stratum, one) in enumerate(given)]


@given(UNITS, st.integers(1, 80), st.floats(0.01, 1))
def test_probabilities_sum_to_the_sample_and_nothing_is_out_of_reach(
    given: list[tuple[str, float]], count: int, share: float
) -> None:
    units = units_of(given)
    found = probabilities(units, count, random_share=share)
    assert sum(found) == pytest.approx(min(count, len(units)))
    assert all(share * min(count, len(units)) / len(units) <= one * (1 + 1e-9) and one <= 1 for one in found)


@given(UNITS, st.integers(1, 80), st.integers())
def test_a_draw_has_as_many_units_as_were_asked_for_each_once(
    given: list[tuple[str, float]], count: int, seed: int
) -> None:
    units = units_of(given)
    drawn = draw(units, count, random.Random(seed))
    assert len(drawn) == min(count, len(units))
    assert len({one.unit.id for one in drawn}) == len(drawn)


def test_units_are_drawn_as_often_as_their_probability_says() -> None:
    units = units_of([("a", 1.0)] * 12 + [("b", 9.0)] * 4 + [("b", 0.1)] * 14)
    expected = probabilities(units, 8)
    times = Counter(one.unit.id for seed in range(3_000) for one in draw(units, 8, random.Random(seed)))
    for unit, probability in zip(units, expected, strict=True):
        spread = (probability * (1 - probability) / 3_000) ** 0.5
        assert abs(times[unit.id] / 3_000 - probability) < 5 * spread + 1e-9


def test_the_estimate_by_inverse_probabilities_is_unbiased_where_the_plain_mean_is_not() -> None:
    dice = random.Random(7)
    units = units_of([("passed", 1 + 5 * dice.random()) for _ in range(150)] + [("failed", 6.0)] * 50)
    truth = {unit.id: float(unit.stratum == "passed" and unit.interest < 4) for unit in units}
    population_mean = fmean(truth.values())
    estimates, plain = list[float](), list[float]()
    for seed in range(1_200):
        drawn = draw(units, 40, random.Random(seed))
        estimates.append(estimated_mean([(truth[one.unit.id], one.probability) for one in drawn], len(units)))
        plain.append(fmean(truth[one.unit.id] for one in drawn))
    error = stdev(estimates) / len(estimates) ** 0.5
    assert abs(fmean(estimates) - population_mean) < 4 * error
    assert abs(fmean(plain) - population_mean) > 20 * error


def test_strata_share_the_sample_evenly_however_many_units_they_have() -> None:
    units = units_of([("common", 1.0)] * 950 + [("rare", 1.0)] * 50)
    drawn = draw(units, 60, random.Random(1), random_share=0.1)
    assert 26 <= sum(one.unit.stratum == "rare" for one in drawn) <= 30


def test_neighbours_are_drawn_together_as_well() -> None:
    units = units_of([("a", 1.0)] * 10)
    drawn = [{one.unit.id for one in draw(units, 5, random.Random(seed))} for seed in range(60)]
    assert any({"0", "1"} <= one for one in drawn) and any(not {"0", "1"} & one for one in drawn)


def test_the_beginning_of_a_sample_is_a_sample_for_whoever_stops_early() -> None:
    units = units_of([("a", 1.0)] * 100 + [("b", 10.0)] * 100)

    def early(drawn: list[Drawn]) -> float:
        return fmean(one.unit.stratum == "b" for one in drawn[:10])

    assert fmean(early(draw(units, 40, random.Random(seed))) for seed in range(800)) == pytest.approx(0.5, abs=0.03)


def test_who_stops_early_still_gives_an_unbiased_estimate_by_the_share_that_was_labelled() -> None:
    units = units_of([("passed", 1.0)] * 120 + [("failed", 4.0)] * 30)
    truth = {unit.id: float(unit.stratum == "passed") for unit in units}
    estimates = []
    for seed in range(1_000):
        drawn = draw(units, 40, random.Random(seed))
        reached = drawn[:15]
        said = [(truth[one.unit.id], one.probability * len(reached) / len(drawn)) for one in reached]
        estimates.append(estimated_mean(said, len(units)))
    assert abs(fmean(estimates) - fmean(truth.values())) < 4 * stdev(estimates) / len(estimates) ** 0.5


@pytest.mark.parametrize("bad", [{"count": 0}, {"random_share": 0.0}, {"interest": 0.0}, {"interest": float("inf")}])
def test_a_draw_that_could_leave_something_out_of_reach_is_refused(bad: dict[str, float]) -> None:
    unit = Unit(id="1", interest=bad.get("interest", 1.0))
    with pytest.raises(ValueError, match="a sample needs"):
        draw([unit], int(bad.get("count", 1)), random.Random(1), random_share=bad.get("random_share", 0.1))
