"""The pace of a budget: whether it will be used up before its window ends, at the rate of the last day."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from watchkeeper.core.alert import AlertDraft, AlertKind, Findings, Mark, Over
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.watch.budgets import facts
from watchkeeper.watch.wording import amount, calls_link, moment, scope_words, window_words

KIND: AlertKind = "budget_pace"
HOURS = 24
"""Full hours whose median is the rate."""
HOURS_MIN = 12
"""Fewer say nothing of a day."""
SPENDING_HOURS_MIN = 6
"""Of the last day; below it, what is used comes in bursts and has no rate."""
WEEK_HOURS = 168
SEASON_WEEKS_MIN = 4
RELATIVE_GATE = 0.10
"""By so much of the limit the forecast must lie above it."""
ABSOLUTE_GATE_NUSD = 1_000_000_000
LEAD = timedelta(hours=1)
"""An end that comes this shortly before the window's own is no news."""
ARMED_AGAIN = 0.95
"""Below this share of the limit the forecast is taken to fit again."""
_PASSED = frozenset({"pace"})


@dataclass(frozen=True, slots=True)
class HourlyUse:
    """What was used in consecutive full hours."""

    until: datetime
    """End of the last hour, with a zone."""
    used: Sequence[int]
    """In the account's unit, oldest first; an hour without calls is 0."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where an account is heading."""

    at_end: float
    """Used when the window ends, in the account's unit, if nobody stops it."""
    exhausted_at: datetime | None
    """When nothing is left; None when that is after the window."""
    rate: float
    """Median of the last day's hours, in the account's unit."""
    is_seasonal: bool
    """Whether the week's shape was known."""


def forecast(state: AccountState, use: HourlyUse) -> Forecast | None:
    """Carry the last day's rate on to the end of the window; None where the window has no end or there is no rate.

    The rate is the median of the last 24 hourly figures, which one burst does not move. With four weeks of history or
    more, each hour of the week has its weight (its median share of a week), the rate is the median of figure over
    weight, and each hour ahead counts with its own weight: a Sunday night is not a Monday morning.
    """
    end = state.window_end
    figures = np.asarray(use.used, dtype=np.float64)
    day = figures[-HOURS:]
    if end is None or end <= use.until or len(day) < HOURS_MIN or np.count_nonzero(day) < SPENDING_HOURS_MIN:
        return None
    hours_ahead = int(np.ceil((end - use.until) / timedelta(hours=1)))
    weights = _weights(figures)
    if weights is None:
        ahead = np.full(hours_ahead, np.median(day))
    else:
        season = np.resize(np.roll(weights, -(len(figures) % WEEK_HOURS)), hours_ahead)
        behind = np.resize(np.roll(weights, -((len(figures) - len(day)) % WEEK_HOURS)), len(day))
        is_open = behind > 0
        ahead = season * (np.median(day[is_open] / behind[is_open]) if is_open.any() else 0.0)
    total = state.settled + np.cumsum(ahead)
    over = np.flatnonzero(total >= state.limit)
    return Forecast(
        at_end=float(total[-1]),
        exhausted_at=use.until + timedelta(hours=int(over[0]) + 1) if len(over) else None,
        rate=float(np.median(day)),
        is_seasonal=weights is not None,
    )


def _weights(figures: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Median share of each hour of a week, in the order of the figures; None for less than four whole weeks."""
    weeks = len(figures) // WEEK_HOURS
    if weeks < SEASON_WEEKS_MIN:
        return None
    # Aligned to the first figure: place n of a week is every figure whose index is n modulo 168.
    whole = figures[: weeks * WEEK_HOURS].reshape(weeks, WEEK_HOURS)
    typical = np.median(whole, axis=0)
    return typical / typical.sum() if typical.sum() > 0 else None


def look(state: AccountState, use: HourlyUse, mark: Mark | None, *, console: str = "") -> Findings:
    """Say once in a window that a budget will not last, and again only after the forecast had fitted meanwhile.

    Both gates must be passed: at least 10% of the limit too much, and of money at least a dollar. What is used up
    already is no forecast.
    """
    is_new_window = mark is None or mark.window_start != state.window_start
    known = mark or Mark(kind=KIND, key=state.key, window_start=None, window_end=None)
    over = (
        [_over(known, "The window of the budget has ended.", is_told=False)] if is_new_window and known.passed else []
    )
    if is_new_window:
        known = replace(known, window_start=state.window_start, window_end=state.window_end, passed=frozenset())
    ahead = forecast(state, use)
    has_left = state.settled < state.limit
    raised: tuple[AlertDraft, ...] = ()
    passed = known.passed
    if ahead is not None and has_left and not passed and _is_too_fast(state, ahead):
        raised, passed = (_draft(state, known, ahead, console),), _PASSED
    elif passed and has_left and ahead is not None and ahead.at_end < ARMED_AGAIN * state.limit:
        said = f"The forecast is {amount(round(ahead.at_end), state.unit)} of {amount(state.limit, state.unit)} now."
        over.append(_over(known, said, is_told=True))
        passed = frozenset()
    has_changed = passed != (mark.passed if mark else frozenset()) or bool(over)
    return Findings(raised=raised, over=tuple(over), mark=replace(known, passed=passed) if has_changed else None)


def _is_too_fast(state: AccountState, ahead: Forecast) -> bool:
    excess = ahead.at_end - state.limit
    if ahead.exhausted_at is None or state.window_end is None or ahead.exhausted_at > state.window_end - LEAD:
        return False
    is_large = state.unit != "nusd" or excess >= ABSOLUTE_GATE_NUSD
    return is_large and excess >= RELATIVE_GATE * state.limit


def _key(mark: Mark) -> str:
    return f"{mark.key} {mark.window_start.isoformat() if mark.window_start is not None else 'all'}"


def _over(mark: Mark, reason: str, *, is_told: bool) -> Over:
    return Over(kind=KIND, key=_key(mark), reason=reason, is_told=is_told)


def _draft(state: AccountState, mark: Mark, ahead: Forecast, console: str) -> AlertDraft:
    assert ahead.exhausted_at is not None and state.window_end is not None
    whole, at_end = amount(state.limit, state.unit), amount(round(ahead.at_end), state.unit)
    who, when = f"{state.budget} ({scope_words(state.scope)})", moment(ahead.exhausted_at)
    basis = "weighted by the shape of the last weeks" if ahead.is_seasonal else "the median of the last day's hours"
    text = (
        f"The budget {who} will be used up at about {when}, "
        f"before its window ends at {moment(state.window_end)}.\n"
        f"Used: {amount(state.settled, state.unit)} of {whole} settled. Held for calls under way: "
        f"{amount(state.leased, state.unit)}. Rate: {amount(round(ahead.rate), state.unit)} an hour ({basis}). "
        f"Forecast for the window's end: {at_end}; a forecast, estimated from what is settled.\n"
        f"It counts {window_words(state.window_start, state.window_end)}.\n"
        f"What spends: {calls_link(console, state.scope)}\n"
        "What to do: see what has changed; slow it down, move it to a cheaper target, or raise the budget's limit."
    )
    return AlertDraft(
        kind=KIND,
        key=_key(mark),
        severity="warning",
        title=f"Budget {who} will be used up by {when}",
        text=text,
        facts=facts(state)
        | {
            "exhausted_at": ahead.exhausted_at.isoformat(),
            "forecast_at_end": round(ahead.at_end),
            "rate_per_hour": round(ahead.rate),
            "is_seasonal": ahead.is_seasonal,
        },
    )
