"""A breaker opens on failures, lets exactly one call try, comes back by steps, and is shared by processes."""

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.gateway.breaker import Breaker, BreakerTable
from watchkeeper.gateway.snapshot import BreakerSettings

SETTINGS = BreakerSettings(failures=10, open_s=5, open_max_s=15, ramp_s=10)


def breaker() -> Breaker:
    return BreakerTable(roll=lambda: 0.0).of("p/m")


def fail(found: Breaker, times: int, at: float = 0.0) -> None:
    for _ in range(times):
        found.failed(at, SETTINGS, is_trial=False)


def test_it_opens_at_the_tenth_failure_in_a_row() -> None:
    found = breaker()
    fail(found, 9)
    assert found.gate(0.0, SETTINGS).why_not == ""
    fail(found, 1)
    assert found.gate(4.9, SETTINGS).why_not == "open"


@pytest.mark.parametrize(("successes", "opens"), [(1, True), (2, False)])
def test_a_target_that_fails_more_than_every_third_call_opens_in_the_end(successes: int, opens: bool) -> None:
    found = breaker()
    for _ in range(100):
        fail(found, 1)
        for _ in range(successes):
            found.succeeded(0.0, is_trial=False)
    assert (found.gate(0.0, SETTINGS).why_not == "open") is opens


def test_one_call_tries_and_a_failed_trial_reopens_it_for_longer_up_to_a_limit() -> None:
    found = breaker()
    fail(found, 10)
    now, waits = 0.0, []
    for _ in range(4):
        waits.append(found.gate(now, SETTINGS).again_in_s)
        now += waits[-1] + 0.01
        assert found.gate(now, SETTINGS).is_trial
        assert found.gate(now, SETTINGS).why_not == "on_trial"
        found.failed(now, SETTINGS, is_trial=True)
    assert waits == pytest.approx([5, 10, 15, 15])


def test_a_good_trial_lets_the_target_back_by_steps() -> None:
    share = 0.5
    found = BreakerTable(roll=lambda: share).of("p/m")
    fail(found, 10)
    assert found.gate(6.0, SETTINGS).is_trial
    found.succeeded(6.0, is_trial=True)
    assert found.gate(7.0, SETTINGS).why_not == "ramp"
    assert found.gate(12.0, SETTINGS).why_not == ""
    assert found.gate(16.1, SETTINGS).why_not == ""
    assert not found.is_troubled


def test_a_failure_on_the_way_back_opens_it_again() -> None:
    found = breaker()
    fail(found, 10)
    assert found.gate(6.0, SETTINGS).is_trial
    found.succeeded(6.0, is_trial=True)
    fail(found, 1, at=8.0)
    assert found.gate(8.1, SETTINGS).why_not == "open"


def test_a_trial_that_nobody_reports_on_is_given_to_another_call() -> None:
    found = breaker()
    fail(found, 10)
    assert found.gate(6.0, SETTINGS).is_trial
    found.gave_up(is_trial=True)
    assert found.gate(6.0, SETTINGS).is_trial


def test_calls_under_way_when_it_opened_change_nothing() -> None:
    found = breaker()
    fail(found, 500)
    assert found.gate(0.0, SETTINGS).again_in_s == pytest.approx(5)
    found.succeeded(1.0, is_trial=False)
    assert found.gate(1.0, SETTINGS).why_not == "open"


def test_a_target_that_asks_for_a_pause_gets_it_and_is_healthy_after_it() -> None:
    found = breaker()
    found.cool(3.0)
    found.cool(2.0)
    assert found.gate(2.5, SETTINGS).why_not == "rate_limited"
    assert found.gate(3.1, SETTINGS).why_not == ""
    assert not found.is_troubled


def _fail_elsewhere(path: str, times: int) -> None:
    found = BreakerTable(Path(path)).of("p/m")
    fail(found, times)


def test_all_workers_of_a_host_know_the_same(tmp_path: Path) -> None:
    path = tmp_path / "breakers"
    here = BreakerTable(path).of("p/m")
    others = [
        multiprocessing.get_context("spawn").Process(target=_fail_elsewhere, args=(str(path), times))
        for times in (4, 5)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert here.state(0.0)["failures"] == 9
    assert not BreakerTable(path).of("p/other").is_troubled
    fail(here, 1)
    assert BreakerTable(path).of("p/m").gate(0.0, SETTINGS).why_not == "open"


@given(st.lists(st.sampled_from(["fail", "answer", "gate", "leave", "wait"]), max_size=200))
def test_whatever_happens_no_more_than_one_call_tries_at_a_time(steps: list[str]) -> None:
    found, now, trials = breaker(), 0.0, 0
    for step in steps:
        match step:
            case "fail":
                found.failed(now, SETTINGS, is_trial=trials > 0)
                trials = 0
            case "answer":
                found.succeeded(now, is_trial=trials > 0)
                trials = 0
            case "leave":
                found.gave_up(is_trial=trials > 0)
                trials = 0
            case "wait":
                now += 3.0
            case _:
                trials += found.gate(now, SETTINGS).is_trial
        assert trials <= 1
