"""Places of units in a rollout."""

from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.releases.assigning import position
from watchkeeper.releases.standing import Arm, Rollout

UNITS = [f"sub_{number:016x}" for number in range(20_000)]


@given(rollout=st.text(max_size=100), unit=st.text(max_size=200))
def test_a_place_is_below_1_and_always_the_same(rollout: str, unit: str) -> None:
    assert 0 <= position(rollout, unit) < 1
    assert position(rollout, unit) == position(rollout, unit)


def test_half_of_a_character_is_a_unit_too() -> None:
    assert 0 <= position("rollout-1", "\ud800") < 1


def test_places_are_even_and_those_of_two_rollouts_have_nothing_to_do_with_each_other() -> None:
    first, second = ([position(rollout, unit) for unit in UNITS] for rollout in ("rollout-1", "rollout-2"))
    for tenth in range(10):
        inside = [place for place in first if tenth / 10 <= place < (tenth + 1) / 10]
        assert abs(len(inside) / len(UNITS) - 0.1) < 0.01
    both = sum(one < 0.5 and other < 0.5 for one, other in zip(first, second, strict=True))
    assert abs(both / len(UNITS) - 0.25) < 0.02


@given(shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_wider_share_keeps_whom_it_had(shares: tuple[float, float]) -> None:
    narrow, wide = (Rollout("rollout-1", "canary", (Arm("wk1-a", share),)) for share in sorted(shares))
    for unit in UNITS[:300]:
        if narrow.arm_of(unit):
            assert wide.arm_of(unit)


def test_a_place_takes_less_than_2_microseconds() -> None:
    """With room for a busy machine: the least of several tries, and five times as much."""
    tries = []
    for _ in range(5):
        began = perf_counter()
        for unit in UNITS[:5_000]:
            position("rollout-0123456789", unit)
        tries.append((perf_counter() - began) / 5_000)
    assert min(tries) < 10e-6
