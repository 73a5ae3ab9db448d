"""What a window will have cost at its end: exact where the past repeats, and silent where nothing is known."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.money.forecast import WEEKS_FOR_INTERVAL, WEEKS_LEAST, forecast

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
COSTS = st.lists(st.integers(0, 10**12), min_size=7, max_size=7)


def history(*weeks: list[int]) -> dict[date, int]:
    """Weeks of daily costs, Monday first, the last of which ends before `MONDAY`."""
    first = MONDAY - len(weeks) * WEEK
    days = [cost for week in weeks for cost in week]
    return {(first + timedelta(days=place)).date(): cost for place, cost in enumerate(days)}


@given(COSTS.filter(lambda week: sum(week[:3]) > 0), st.integers(WEEKS_LEAST, 6), st.sampled_from([1, 2, 5]))
def test_a_week_like_all_weeks_before_is_foretold_exactly(week: list[int], weeks: int, scale: int) -> None:
    found = forecast(
        scale * sum(week[:3]),
        window=(MONDAY, MONDAY + WEEK),
        now=MONDAY + timedelta(days=3),
        daily_nusd=history(*[week] * weeks),
    )
    assert found is not None
    assert found.basis == "weekdays"
    assert abs(found.nusd - scale * sum(week)) <= 1 + scale * sum(week) // 10**12


@given(st.integers(0, 10**12), st.integers(1, 29))
def test_without_two_weeks_of_history_the_pace_goes_on(spent: int, day: int) -> None:
    window = (MONDAY, MONDAY + timedelta(days=30))
    found = forecast(spent, window=window, now=MONDAY + timedelta(days=day), daily_nusd=history([1] * 7))
    assert found is not None
    assert (found.basis, found.low_nusd, found.high_nusd) == ("pace", None, None)
    assert abs(found.nusd - spent * 30 / day) <= 2


@given(st.lists(COSTS, min_size=0, max_size=8), st.integers(0, 10**12), st.floats(0, 1))
def test_a_forecast_is_never_below_what_was_spent_and_lies_in_its_interval(
    weeks: list[list[int]], spent: int, passed: float
) -> None:
    found = forecast(spent, window=(MONDAY, MONDAY + WEEK), now=MONDAY + passed * WEEK, daily_nusd=history(*weeks))
    if found is not None:
        assert found.nusd >= spent
        assert (found.low_nusd is None) == (found.high_nusd is None)
        if found.low_nusd is not None and found.high_nusd is not None:
            assert len(weeks) >= WEEKS_FOR_INTERVAL
            assert spent <= found.low_nusd <= found.nusd + 1 and found.nusd <= found.high_nusd + 1


def test_nothing_is_foretold_right_after_the_start_or_outside_the_window() -> None:
    window = (MONDAY, MONDAY + WEEK)
    for now in (MONDAY, MONDAY + timedelta(hours=3), MONDAY - WEEK, MONDAY + 2 * WEEK):
        assert forecast(100, window=window, now=now, daily_nusd={}) is None


def test_nothing_is_foretold_from_days_that_never_cost_anything() -> None:
    quiet_then_busy = [0, 0, 5, 5, 5, 5, 5]
    found = forecast(
        0, window=(MONDAY, MONDAY + WEEK), now=MONDAY + timedelta(days=1), daily_nusd=history(*[quiet_then_busy] * 3)
    )
    assert found is None


def test_the_limit_is_reached_when_the_rest_of_it_is_spent() -> None:
    found = forecast(300, window=(MONDAY, MONDAY + WEEK), now=MONDAY + timedelta(days=3), daily_nusd={}, limit_nusd=500)
    assert found is not None
    assert (found.nusd, found.exhausted_at) == (700, MONDAY + timedelta(days=5))


def test_a_limit_that_holds_until_the_end_is_never_reached() -> None:
    found = forecast(300, window=(MONDAY, MONDAY + WEEK), now=MONDAY + timedelta(days=3), daily_nusd={}, limit_nusd=701)
    assert found is not None
    assert found.exhausted_at is None


def test_a_day_of_25_hours_weighs_more() -> None:
    zone = ZoneInfo("Europe/Berlin")
    since = datetime(2026, 10, 24, tzinfo=zone)
    found = forecast(
        48, window=(since, datetime(2026, 10, 26, tzinfo=zone)), now=datetime(2026, 10, 25, tzinfo=zone), daily_nusd={}
    )
    assert found is not None
    assert found.nusd == 48 + 50
