"""What a window will have cost when it ends, from what it has cost so far.

    forecast = spent + rate * (weight of the time that is left)
    rate     = spent / (weight of the time that has passed)

A day weighs what the same weekday has cost on average over the whole weeks before, a part of a day in proportion. This
is the seasonal naive forecast scaled to the level of the present window (Hyndman and Athanasopoulos, "Forecasting:
Principles and Practice", 3rd ed., sections 5.2 and 5.7). With fewer than two whole weeks of history every day weighs
the same, which is the plain pace. The interval is what the past has shown and no more: the time that is left, times the
smallest and the largest ratio of one past week's cost to their mean; it takes four weeks, and is absent before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

WEEKS_LEAST = 2
"""Of history, for a profile of weekdays."""
WEEKS_FOR_INTERVAL = 4
WEEKS_MOST = 8
"""Are looked at; older ones tell of another product."""
PASSED_LEAST = 0.02
"""Before this share of a window has passed, nothing is foretold."""
DAYS_MOST = 400
"""Of one window; a year and what a time zone adds."""

Basis = Literal["weekdays", "pace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Of one window, at its end. Amounts in nano-dollars."""

    nusd: int
    low_nusd: int | None
    """None where the past is too short to say."""
    high_nusd: int | None
    basis: Basis
    passed: float
    """Share of the window that has passed, by weight."""
    exhausted_at: datetime | None
    """When the limit is reached at this rate; None when not before the window's end."""


def forecast(
    spent_nusd: int,
    *,
    window: tuple[datetime, datetime],
    now: datetime,
    daily_nusd: Mapping[date, int],
    limit_nusd: int | None = None,
) -> Forecast | None:
    """Tell what a window will have cost at its end.

    Args:
        spent_nusd: From the window's start until now.
        window: Start and end, in the time zone in which its days are counted.
        now: Within the window, in any zone.
        daily_nusd: What whole days before the window's start have cost, in that zone; a day that is missing between the
            first and the last cost nothing.
        limit_nusd: Of the budget.

    Returns:
        None where too little of the window has passed, or the days that have passed weigh nothing.
    """
    since, until = window
    zone = since.tzinfo
    if not since < until or not since <= now <= until or until - since > timedelta(days=DAYS_MOST):
        return None
    weeks = _weeks(daily_nusd)
    weights = _profile(weeks)
    passed, left = _weigh(since, now.astimezone(zone), weights), _weigh(now.astimezone(zone), until, weights)
    elapsed = (now - since) / (until - since)
    if elapsed < PASSED_LEAST or passed <= 0:
        return None
    rest = spent_nusd * left / passed
    low, high = _ratios(weeks)
    return Forecast(
        nusd=spent_nusd + round(rest),
        low_nusd=None if low is None else spent_nusd + round(rest * low),
        high_nusd=None if high is None else spent_nusd + round(rest * high),
        basis="weekdays" if len(weeks) >= WEEKS_LEAST else "pace",
        passed=passed / (passed + left),
        exhausted_at=_exhausted(spent_nusd, limit_nusd, (now.astimezone(zone), until), weights, spent_nusd / passed),
    )


def _weeks(daily_nusd: Mapping[date, int]) -> list[list[int]]:
    """Cut the past into whole weeks that end with its last day, newest first; seven costs each, by weekday."""
    if not daily_nusd:
        return []
    first, last = min(daily_nusd), max(daily_nusd)
    found = []
    for number in range(min(WEEKS_MOST, ((last - first).days + 1) // 7)):
        days = [last - timedelta(days=7 * number + back) for back in range(7)]
        found.append([daily_nusd.get(day, 0) for day in sorted(days, key=lambda day: day.weekday())])
    return found


def _profile(weeks: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """What each weekday weighs, Monday first."""
    if len(weeks) < WEEKS_LEAST or not any(map(sum, weeks)):
        return (1.0,) * 7
    return tuple(sum(week[weekday] for week in weeks) / len(weeks) for weekday in range(7))


def _ratios(weeks: Sequence[Sequence[int]]) -> tuple[float | None, float | None]:
    totals = [sum(week) for week in weeks]
    if len(totals) < WEEKS_FOR_INTERVAL or not sum(totals):
        return None, None
    mean = sum(totals) / len(totals)
    return min(totals) / mean, max(totals) / mean


def _days(since: datetime, until: datetime) -> list[tuple[datetime, float]]:
    """Cut a stretch at midnights: where each part begins, and its length in days, which the clocks may change."""
    parts: list[tuple[datetime, float]] = []
    at = since
    while at < until and len(parts) <= DAYS_MOST:
        midnight = datetime.combine(at.date() + timedelta(days=1), time(), at.tzinfo)
        end = min(midnight, until)
        parts.append((at, (end.timestamp() - at.timestamp()) / 86_400))
        at = end
    return parts


def _weigh(since: datetime, until: datetime, weights: Sequence[float]) -> float:
    return sum(weights[at.weekday()] * length for at, length in _days(since, until))


def _exhausted(
    spent: int, limit: int | None, rest: tuple[datetime, datetime], weights: Sequence[float], rate: float
) -> datetime | None:
    if limit is None:
        return None
    if spent >= limit:
        return rest[0]
    left = float(limit - spent)
    for at, length in _days(*rest):
        cost = rate * weights[at.weekday()] * length
        if cost and cost >= left:
            return at + timedelta(days=length * left / cost)
        left -= cost
    return None
