"""Whoever guesses passwords waits; whoever mistypes does not."""

import pytest

from watchkeeper.access.throttle import FAILURES_ALLOWED, NAMES_MAX, WINDOW_S, GuessLimit
from watchkeeper.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limit(clock: FakeClock) -> GuessLimit:
    return GuessLimit(clock)


def fail(limit: GuessLimit, name: str, times: int) -> None:
    for _ in range(times):
        limit.failed(name)


def test_a_few_mistakes_cost_nothing(limit: GuessLimit) -> None:
    fail(limit, "ana", FAILURES_ALLOWED - 1)
    assert limit.wait_s("ana") == 0


def test_after_too_many_the_name_waits_and_others_do_not(limit: GuessLimit, clock: FakeClock) -> None:
    fail(limit, "ana", FAILURES_ALLOWED)
    assert limit.wait_s("ana") == WINDOW_S
    assert limit.wait_s("ben") == 0
    clock.advance(WINDOW_S)
    assert limit.wait_s("ana") == 0


def test_failures_long_ago_do_not_count(limit: GuessLimit, clock: FakeClock) -> None:
    fail(limit, "ana", FAILURES_ALLOWED - 1)
    clock.advance(WINDOW_S)
    limit.failed("ana")
    assert limit.wait_s("ana") == 0


def test_a_right_password_clears_the_count(limit: GuessLimit) -> None:
    fail(limit, "ana", FAILURES_ALLOWED - 1)
    limit.succeeded("ana")
    limit.failed("ana")
    assert limit.wait_s("ana") == 0


def test_many_names_do_not_fill_the_memory_and_the_latest_are_remembered(limit: GuessLimit) -> None:
    fail(limit, "first", FAILURES_ALLOWED)
    for number in range(NAMES_MAX - 1):
        limit.failed(f"name {number}")
    fail(limit, "last", FAILURES_ALLOWED)
    assert limit.wait_s("first") == 0
    assert limit.wait_s("last") > 0
