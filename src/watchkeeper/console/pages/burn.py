"""How fast budgets of money are being used: used against the limit, with what the window will have cost at its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.burn import burn
from watchkeeper.console.query import address
from watchkeeper.money.budgets import Budget
from watchkeeper.money.forecast import Forecast, forecast
from watchkeeper.money.ledger_state import AccountState


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnLine:
    """One account of a budget of money."""

    budget: str
    whose: str
    href: str
    """The account on the page of budgets."""
    bar: Markup
    used: str
    limit: str
    share: str
    forecast: str
    """At the window's end; empty where nothing is foretold."""
    interval: str
    basis: str
    """How it was foretold, in words; why not, where it was not."""
    ends_at: str
    exhausted_at: str
    """When the limit is reached at this rate; empty when not before the window's end."""
    is_over: bool


def burn_line(state: AccountState, budget: Budget, daily_nusd: Mapping[date, int], *, now: datetime) -> BurnLine:
    """Build one row.

    Args:
        state: Of an account of money.
        budget: Its budget.
        daily_nusd: What the days before its window cost.
        now: The present.
    """
    found = _forecast(state, budget, daily_nusd, now=now)
    share = state.settled / state.limit if state.limit else 0.0
    ahead = found.nusd / state.limit if found and state.limit else None
    return BurnLine(
        budget=state.budget,
        whose=whose(state.scope),
        href=address("/budgets", account=state.key),
        bar=burn(share, ahead),
        used=figures.money(state.settled),
        limit=figures.money(state.limit),
        share=figures.share(state.settled, state.limit),
        forecast=figures.money(found.nusd) if found else "",
        interval=f"{figures.money(found.low_nusd)} to {figures.money(found.high_nusd)}"
        if found and found.low_nusd is not None
        else "",
        basis=_basis(found, budget),
        ends_at=figures.iso(state.window_end) if state.window_end and budget.window.kind == "calendar" else "",
        exhausted_at=figures.iso(found.exhausted_at) if found and found.exhausted_at else "",
        is_over=bool(ahead and ahead > 1) or share >= 1,
    )


def whose(scope: Mapping[str, str]) -> str:
    """Say whose account it is: `tenant acme, feature support`; the organisation's is everybody's."""
    pairs = [kind if kind in ("organisation", "request") else f"{kind} {value}" for kind, value in scope.items()]
    return ", ".join(pairs)


def _forecast(state: AccountState, budget: Budget, daily_nusd: Mapping[date, int], *, now: datetime) -> Forecast | None:
    if budget.window.kind != "calendar" or state.window_start is None or state.window_end is None:
        return None
    zone = ZoneInfo(budget.window.zone)
    window = (state.window_start.astimezone(zone), state.window_end.astimezone(zone))
    return forecast(state.settled, window=window, now=now, daily_nusd=daily_nusd, limit_nusd=state.limit)


def _basis(found: Forecast | None, budget: Budget) -> str:
    if budget.window.kind != "calendar":
        return f"{budget.window.words}: no end to foretell"
    if found is None:
        return "too early to foretell"
    if found.basis == "pace":
        return "at the pace so far: less than two weeks of history"
    return "by the weekdays of the weeks before"
