"""Compiles the configuration's budgets, limits and guard into the rules that workers and the ledger go by."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from watchkeeper.config import budgets as configured
from watchkeeper.config.budget_words import BudgetWrong, Edit, read_definition, with_edits
from watchkeeper.config.durations import seconds_of
from watchkeeper.config.schema import Config
from watchkeeper.core.money import BudgetUnit
from watchkeeper.gateway.snapshot import Runaway
from watchkeeper.money.budgets import SCOPE_KINDS, Budget, Limit, RateUnit, Scope
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.money.windows import Calendar, Window
from watchkeeper.store.budget_edits import BudgetEditRow
from watchkeeper.store.ledger import Ledger
from watchkeeper.watch.guards import OpenHold

_log = logging.getLogger("watchkeeper.keeper")

RUNAWAY_ID = "runaway:session_calls"
_CALENDARS: dict[str, Calendar] = {
    "calendar-hour": "hour",
    "calendar-day": "day",
    "calendar-week": "week",
    "calendar-month": "month",
    "calendar-quarter": "quarter",
    "calendar-year": "year",
}


def compile_budgets(config: Config) -> tuple[Budget, ...]:
    """Compile budgets; the guard against long sessions is one too. Of two with one id, the later one holds."""
    found = {rule.id: rule for budget in config.budgets for rule in _rules(budget)}
    steps = config.runaway.session_calls
    if steps is not None:
        scope: Scope = (("session", "*"),)
        found[RUNAWAY_ID] = Budget(RUNAWAY_ID, scope, "calls", steps, Window("lifetime"))
    return tuple(found.values())


def edited(config: Config, edits: Mapping[str, BudgetEditRow]) -> Config:
    """Return the configuration with the budgets that people have edited; an edit that cannot be read is left out."""
    read: dict[str, Edit] = {}
    for name, row in edits.items():
        try:
            read[name] = Edit(budget=read_definition(row.definition), is_added=row.is_added)
        except BudgetWrong as error:
            _log.error("the edit of the budget %s by %s is left out: %s", name, row.by, error)
    return config.model_copy(update={"budgets": with_edits(config.budgets, read)})


def compile_limits(config: Config) -> tuple[Limit, ...]:
    """Compile limits; of two with one id, the later one holds."""
    found: dict[str, Limit] = {}
    for limit in config.limits:
        scope = scope_of(limit.scope)
        units: dict[RateUnit, int | None] = {
            "requests": limit.requests,
            "tokens": limit.tokens,
            "concurrent": limit.concurrent,
        }
        for unit, most in units.items():
            if most is not None:
                per_s = 0 if unit == "concurrent" else int(limit.per)
                rule_id = f"{limit.name or _words(scope)}:{unit}" + (f"/{per_s}s" if per_s else "")
                found[rule_id] = Limit(rule_id, scope, unit, most, per_s, limit.if_unsure)
    return tuple(found.values())


def compile_runaway(config: Config) -> Runaway:
    """Compile what the guard looks at in each call."""
    return Runaway(config.runaway.same_tool_call, config.runaway.call_tokens)


def alert_shares(config: Config) -> dict[str, Sequence[Decimal]]:
    """Return at which shares of its limit an alert is raised, by id of the budget."""
    return {
        rule.id: [Decimal(str(share)) for share in budget.alerts]
        for budget in config.budgets
        if "request" not in budget.scope
        for rule in _rules(budget)
    }


async def watched_accounts(ledger: Ledger) -> list[AccountState]:
    """Return how accounts stand; of a window that rolls, there is no end at which it would start anew."""
    rolling = {budget.id for budget in await ledger.budgets() if budget.window.kind == "rolling"}
    return [replace(state, window_end=None) if state.budget in rolling else state for state in await ledger.states()]


async def open_holds(ledger: Ledger) -> list[OpenHold]:
    """Return the holds that somebody must resolve."""
    rows = await ledger.rows(only_open=True)
    units = {state.key: state.unit for state in await ledger.states()} if rows else {}
    return [OpenHold(row.account, units.get(row.account, "nusd"), row.amount, row.at) for row in rows]


def scope_of(scope: dict[configured.ScopeName, str]) -> Scope:
    """Put the pairs of a scope into the order of their kinds."""
    return tuple((kind, scope[kind]) for kind in SCOPE_KINDS if kind in scope)


def window_of(budget: configured.Budget) -> Window:
    """Read a budget's window."""
    if budget.window == "lifetime":
        return Window("lifetime")
    if budget.window in _CALENDARS:
        return Window("calendar", _CALENDARS[budget.window], budget.tz)
    return Window("rolling", length_s=int(seconds_of(budget.window.removeprefix("rolling "))))


def _rules(budget: configured.Budget) -> Iterator[Budget]:
    scope, window, degrade = scope_of(budget.scope), window_of(budget), budget.degrade
    limits: dict[BudgetUnit, int | None] = {"nusd": budget.limit, "tokens": budget.tokens, "calls": budget.calls}
    for unit, limit in limits.items():
        if limit is None:
            continue
        name = budget.identity
        yield Budget(
            id=name if unit == "nusd" else f"{name}:{unit}",
            scope=scope,
            unit=unit,
            limit=limit,
            window=window,
            mode=budget.mode,
            degrade_at=degrade.at if degrade is not None else 1.0,
            degrade_tier=(degrade.tier or "") if degrade is not None else "",
            cache_only_at=(degrade.cache_only_at or 1.0) if degrade is not None else 1.0,
            if_unsure=budget.if_unsure,
            if_unpriced=budget.if_unpriced,
            holds_worst_case=budget.holds == "worst_case",
        )


def _words(scope: Scope) -> str:
    return ",".join(f"{kind}={value}" for kind, value in scope)
