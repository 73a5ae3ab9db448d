"""The cost of a unit of value, and what routing to a cheaper target saves."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from watchkeeper.core.usage import Usage
from watchkeeper.money.savings import Routing, RoutingSaving, routing_saving
from watchkeeper.money.units import unit_cost, written

PRICES = {"a/dear": 10, "a/cheap": 3, "b/other": 7}


def cost_of(nusd: int | None, milli: int, *, uncertain: int = 0, unpriced: int = 0) -> tuple[int | None, str]:
    return unit_cost(cost_nusd=nusd, uncertain_nusd=uncertain, unpriced_calls=unpriced, units_milli=milli)


@given(some.integers(0, 10**18), some.integers(1, 10**12))
def test_the_cost_of_a_unit_is_off_by_half_a_nano_dollar_at_most(nusd: int, milli: int) -> None:
    found, status = cost_of(nusd, milli)
    assert status == "measured"
    assert found is not None
    assert abs(Fraction(nusd * 1000, milli) - found) <= Fraction(1, 2)


def test_without_units_the_cost_of_one_is_not_known() -> None:
    assert cost_of(5, 0) == (None, "no_units")
    assert cost_of(5, -1000) == (None, "no_units")
    assert cost_of(None, 0) == (None, "no_units")


def test_the_status_says_what_is_missing() -> None:
    assert cost_of(None, 1000, unpriced=3) == (None, "unpriced")
    assert cost_of(6, 2000, unpriced=1, uncertain=6) == (3, "incomplete")
    assert cost_of(6, 2000, uncertain=1) == (3, "estimated")
    assert cost_of(5, 2000) == (3, "measured")


@pytest.mark.parametrize(("milli", "text"), [(0, "0"), (1000, "1"), (2500, "2.5"), (1, "0.001"), (-1500, "-1.5")])
def test_units_are_written_exactly(milli: int, text: str) -> None:
    assert written(milli) == text


def price(target: str, usage: Usage, at_ns: int) -> int | None:
    rate = PRICES.get(target)
    return None if rate is None else rate * (usage.input_tokens + usage.output_tokens)


def routed(target: str, calls: int, tokens: int) -> Routing:
    return Routing(target=target, at_ns=0, calls=calls, usage=Usage(tokens))


def test_calls_at_the_cheaper_target_save_the_difference_to_the_dearest() -> None:
    answered = [routed("a/cheap", 4, 400), routed("a/dear", 9, 900), routed("b/other", 1, 10)]
    found = routing_saving(answered, ["a/dear", "a/cheap", "b/other"], price)
    assert found == RoutingSaving(nusd=4 * 100 * 7 + 10 * 3, calls=5)


def test_what_has_no_price_is_not_compared_and_does_not_count_as_free() -> None:
    assert routing_saving([routed("x/new", 4, 400)], ["a/dear", "x/new"], price) == RoutingSaving(uncompared_calls=4)
    assert routing_saving([routed("a/cheap", 4, 400)], ["x/new"], price) == RoutingSaving(uncompared_calls=4)


def test_a_route_of_one_target_and_a_dear_fallback_save_nothing() -> None:
    assert routing_saving([routed("a/dear", 4, 400)], ["a/dear"], price) == RoutingSaving()
    assert routing_saving([routed("a/dear", 4, 400)], ["a/cheap"], price) == RoutingSaving()
    assert routing_saving([routed("a/cheap", 0, 0)], ["a/dear"], price) == RoutingSaving()
