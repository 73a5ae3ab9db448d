"""Hours that cost more than such hours do: what stands out, what does not, and how often chance makes an alarm.

Chance has ten weeks here, forty with `WK_SOAK=1`.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from watchkeeper.watch.anomalies import (
    BUCKETS,
    CONSISTENCY,
    ORDINARY_EXCEEDS,
    Basis,
    CostSeries,
    Floats,
    Judgement,
    is_confirmed,
    is_over,
    judge,
    limit_for,
)

BERLIN = ZoneInfo("Europe/Berlin")
UNTIL = datetime(2026, 11, 18, 15, tzinfo=UTC)
"""A Wednesday, 16:00 in Berlin."""
WEEKS = 40 if os.environ.get("WK_SOAK") else 10


def series(usd: Floats, *, until: datetime = UNTIL, age: timedelta | None = None) -> CostSeries:
    hours = len(usd)
    excluded = np.zeros(hours, dtype=np.bool_)
    return CostSeries(name="a", until=until, usd=usd, is_excluded=excluded, age=age or timedelta(hours=hours))


def working_week(hours: int, *, until: datetime = UNTIL, zone: ZoneInfo = BERLIN) -> Floats:
    """Between 7 and 20 dollars in an hour by the time of day, half of it at weekends; without chance."""
    local = [(until - timedelta(hours=hours - place)).astimezone(zone) for place in range(hours)]
    of_day = np.array([at.hour for at in local])
    of_week = np.array([at.weekday() for at in local])
    shape: Floats = 20 * (0.35 + 0.65 * np.exp(-(((of_day - 14) / 5) ** 2))) * np.where(of_week >= 5, 0.5, 1.0)
    return shape


def noisy(hours: int, sigma: float, seed: int, **more: object) -> Floats:
    chance = np.random.default_rng(seed).standard_normal(hours)
    return working_week(hours, **more) * np.exp(sigma * chance)  # type: ignore[arg-type]


def last(usd: Floats, **more: object) -> Judgement:
    return judge(series(usd, **more), BERLIN)[-1]  # type: ignore[arg-type]


# What stands out


@pytest.mark.parametrize("factor", [2, 3])
def test_two_hours_that_cost_a_multiple_are_confirmed(factor: int) -> None:
    usd = noisy(56 * 24, 0.05, seed=1)
    assert not is_confirmed(judge(series(usd), BERLIN))
    usd[-1] *= factor
    assert not is_confirmed(judge(series(usd), BERLIN)), "one hour alone"
    usd[-2] *= factor
    assert is_confirmed(judge(series(usd), BERLIN))


def test_two_of_three_hours_are_enough() -> None:
    usd = noisy(56 * 24, 0.05, seed=1)
    usd[[-3, -1]] *= 3
    judged = judge(series(usd), BERLIN)
    assert [one.stands_out for one in judged] == [True, False, True]
    assert is_confirmed(judged) and not is_over(judged)


def test_what_costs_less_than_it_does_is_no_alarm() -> None:
    usd = noisy(56 * 24, 0.05, seed=1)
    usd[-3:] /= 10
    assert is_over(judge(series(usd), BERLIN))


def test_an_excess_must_be_a_quarter_and_a_dollar() -> None:
    steady = np.full(56 * 24, 10.0)
    for cost, stands_out in ((12.4, False), (12.6, True)):
        assert last(np.append(steady, cost)).stands_out == stands_out
    for cost, stands_out in ((0.6, False), (0.99, False), (1.11, True)):
        assert last(np.append(steady / 100, cost)).stands_out == stands_out


def test_a_steady_series_has_a_spread_all_the_same() -> None:
    judged = last(np.append(np.full(56 * 24, 10.0), 10.1))
    assert np.isfinite(judged.score) and judged.score < judged.limit


def test_a_feature_that_runs_now_and_then_is_compared_with_when_it_ran() -> None:
    usd = np.zeros(56 * 24)
    for weeks_ago in (2, 4, 6):
        usd[-2 - weeks_ago * 168] = 40.0
    for cost, stands_out in ((30.0, False), (90.0, True)):
        usd[-3:] = cost
        assert is_confirmed(judge(series(usd), BERLIN)) == stands_out


def test_a_week_in_which_everything_broke_does_not_move_the_baseline() -> None:
    usd = noisy(56 * 24, 0.05, seed=2)
    usual = last(usd).baseline_usd
    usd[-14 * 24 : -7 * 24] *= 20
    assert last(usd).baseline_usd == pytest.approx(usual, rel=0.1)


def test_hours_of_a_drill_are_neither_judged_nor_compared_with() -> None:
    usd = noisy(56 * 24, 0.05, seed=3)
    usd[-2:] *= 3
    drilled = np.zeros(len(usd), dtype=np.bool_)
    drilled[-2:] = True
    assert not is_confirmed(judge(replace(series(usd), is_excluded=drilled), BERLIN))
    usual = judge(series(usd), BERLIN)[-1]
    drilled = np.zeros(len(usd), dtype=np.bool_)
    drilled[: 7 * 24] = True
    without = judge(replace(series(usd), is_excluded=drilled), BERLIN)[-1]
    assert (usual.compared_with, without.compared_with) == (21, 18)


# What an hour is compared with


@pytest.mark.parametrize(
    ("days", "basis", "least"),
    [(2.9, None, 0), (3.2, Basis.HOUR_OF_DAY, 6), (20.9, Basis.HOUR_OF_DAY, 60), (21.2, Basis.KIND_OF_DAY, 18),
     (48, Basis.HOUR_OF_WEEK, 18), (56, Basis.HOUR_OF_WEEK, 21)],
)  # fmt: skip
def test_the_older_a_series_the_more_alike_are_the_hours_compared(days: float, basis: Basis | None, least: int) -> None:
    judged = judge(series(noisy(round(days * 24), 0.1, seed=4)), BERLIN)
    assert [one.basis for one in judged] == ([basis] * BUCKETS if basis else [])
    assert all(one.compared_with >= least for one in judged)


def test_a_monday_morning_is_not_compared_with_a_sunday() -> None:
    """At weekends it costs half: a Sunday like a working day stands out, a working day does not."""
    sunday = datetime(2026, 11, 15, 15, tzinfo=UTC)
    usd = working_week(56 * 24, until=sunday)
    usd[-2:] *= 2
    assert is_confirmed(judge(series(usd, until=sunday), BERLIN))
    assert not is_confirmed(judge(series(working_week(56 * 24)), BERLIN))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("changed", [datetime(2026, 10, 25, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)])
def test_a_clock_change_alarms_nobody(zone: str, changed: datetime) -> None:
    """A job of ten dollars at nine on the local clock: counted in UTC it would be an hour off for weeks."""
    place, hours = ZoneInfo(zone), 56 * 24
    for days in range(4):
        for hour in (6, 7, 8, 9, 10, 11):
            until = changed.replace(hour=hour) + timedelta(days=days)
            local = [(until - timedelta(hours=hours - at)).astimezone(place) for at in range(hours)]
            usd = np.array([50.0 if at.hour == 9 else 5.0 for at in local])
            judged = judge(series(usd, until=until), place)
            assert judged and not is_confirmed(judged)


# How often chance makes an alarm


@pytest.mark.parametrize("size", [9, 18, 24, 72])
def test_an_ordinary_hour_exceeds_its_limit_once_in_so_many(size: int) -> None:
    """The limits by hours of baseline, drawn again: normal values, median and MAD of so many of them."""
    dice = np.random.default_rng(size)
    draws = 60_000
    baseline = dice.standard_normal((draws, size))
    middle = np.median(baseline, axis=1)
    spread = np.median(np.abs(baseline - middle[:, None]), axis=1)
    score = CONSISTENCY * (dice.standard_normal((draws, 8)) - middle[:, None]) / spread[:, None]
    assert np.mean(score > limit_for(size)) * ORDINARY_EXCEEDS == pytest.approx(1, abs=0.2)


def test_between_the_sizes_that_were_drawn_limits_fall_with_more_hours() -> None:
    limits = [limit_for(size) for size in range(1, 500)]
    assert limits == sorted(limits, reverse=True)
    assert limit_for(1) == limit_for(6)


@pytest.mark.parametrize("sigma", [0.2, 0.6])
def test_chance_alone_makes_few_alarms(sigma: float) -> None:
    """A log-normal week by hour for each of so many features with eight weeks of history: forty are ten months."""
    alarms = 0
    week = 168
    for seed in range(WEEKS):
        usd = noisy(56 * 24 + week, sigma, seed=seed)
        was = False
        for end in range(56 * 24, 56 * 24 + week, BUCKETS):
            until = UNTIL - timedelta(hours=len(usd) - end)
            judged = judge(series(usd[:end], until=until), BERLIN)
            alarms += is_confirmed(judged) and not was
            was = is_confirmed(judged)
    assert alarms <= WEEKS / 20


@pytest.mark.parametrize(("sigma", "factor", "least"), [(0.1, 2, 0.95), (0.2, 2, 0.8), (0.2, 3, 0.95), (0.3, 3, 0.85)])
def test_a_step_is_found_within_a_day(sigma: float, factor: int, least: float) -> None:
    tries, found = 25, 0
    for seed in range(tries):
        usd = noisy(57 * 24, sigma, seed=1000 + seed)
        usd[-24:] *= factor
        found += any(
            is_confirmed(judge(series(usd[: len(usd) - left], until=UNTIL - timedelta(hours=left)), BERLIN))
            for left in range(23, -1, -1)
        )
    assert found / tries >= least
