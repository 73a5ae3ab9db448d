"""The parts of a difference in cost add up to it, whatever the periods hold, and each says what it is named for."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from watchkeeper.money.effects import Effects, Used, added, effects

NUSD_MAX = 10**18


@some.composite
def used(draw: some.DrawFn) -> Used:
    calls = draw(some.integers(0, 10**7))
    if not calls:
        return Used()
    tokens = draw(some.one_of(some.just(0), some.integers(0, 10**12)))
    return Used(calls=calls, tokens=tokens, nusd=draw(some.one_of(some.just(0), some.integers(0, NUSD_MAX))))


periods = some.dictionaries(some.sampled_from("abcdefg"), used(), max_size=7)


@given(periods, periods)
def test_nothing_is_left_over_in_any_group(first: dict[str, Used], second: dict[str, Used]) -> None:
    found = effects(first, second)
    for name, parts in found.items():
        assert parts.difference == second.get(name, Used()).nusd - first.get(name, Used()).nusd
    whole = sum(used.nusd for used in second.values()) - sum(used.nusd for used in first.values())
    assert added(found.values()).difference == whole


@given(periods)
def test_between_a_period_and_itself_there_is_no_effect(period: dict[str, Used]) -> None:
    assert set(effects(period, period).values()) <= {Effects()}


@given(periods, some.integers(2, 50))
def test_the_same_calls_more_often_is_volume_alone(period: dict[str, Used], times: int) -> None:
    more = {
        name: Used(calls=one.calls * times, tokens=one.tokens * times, nusd=one.nusd * times)
        for name, one in period.items()
    }
    for name, parts in effects(period, more).items():
        assert parts == Effects(volume=period[name].nusd * (times - 1))


@given(periods, some.integers(2, 50))
def test_the_same_calls_at_other_prices_is_price_alone(period: dict[str, Used], times: int) -> None:
    dearer = {name: Used(calls=one.calls, tokens=one.tokens, nusd=one.nusd * times) for name, one in period.items()}
    for name, parts in effects(period, dearer).items():
        assert parts == Effects(price=period[name].nusd * (times - 1))


@given(periods)
def test_beside_a_period_without_calls_everything_is_volume(period: dict[str, Used]) -> None:
    for name, parts in effects({}, period).items():
        assert parts == Effects(volume=period[name].nusd)
    for name, parts in effects(period, {}).items():
        assert parts == Effects(volume=-period[name].nusd)


def test_a_worked_example() -> None:
    """100 calls of 10 tokens at 2; then 200 calls of which half moved to a model at 1, and use 12 tokens."""
    first = {"big": Used(calls=100, tokens=1_000, nusd=2_000)}
    second = {"big": Used(calls=100, tokens=1_200, nusd=2_400), "small": Used(calls=100, tokens=1_200, nusd=1_200)}
    assert effects(first, second) == {
        "big": Effects(volume=2_000, mix=-2_000, efficiency=400),
        "small": Effects(mix=1_200),
    }


def test_a_price_that_rose_is_charged_on_the_tokens_of_before() -> None:
    first, second = {"m": Used(calls=10, tokens=100, nusd=100)}, {"m": Used(calls=20, tokens=200, nusd=400)}
    assert effects(first, second) == {"m": Effects(price=100, volume=200)}


def test_a_fee_for_each_request_is_measured_in_calls() -> None:
    first, second = {"m": Used(calls=10, nusd=50)}, {"m": Used(calls=30, nusd=180)}
    assert effects(first, second) == {"m": Effects(price=10, volume=120)}


@pytest.mark.parametrize("wrong", [Used(nusd=1), Used(tokens=1), Used(calls=-1)])
def test_a_group_that_costs_something_without_a_call_is_refused(wrong: Used) -> None:
    with pytest.raises(ValueError, match="without calls"):
        effects({"m": wrong}, {})
