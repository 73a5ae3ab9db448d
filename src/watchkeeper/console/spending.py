"""The page about cost: what is asked of the stores for it."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import SOME
from watchkeeper.api.services import Services
from watchkeeper.api.sight import scope_seen
from watchkeeper.console.changing import markers_of
from watchkeeper.console.costing import CostView, read_view, today
from watchkeeper.console.pages.burn import BurnLine, burn_line
from watchkeeper.console.pages.cost import CostFound, CostTables, cost_page
from watchkeeper.console.pages.economy import UnitLine, unit_lines, waste_rows
from watchkeeper.console.pages.movers import mover_table
from watchkeeper.console.render import pages_of
from watchkeeper.money.budgets import Budget
from watchkeeper.money.forecast import WEEKS_MOST
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.store.cost import GROUPS_MAX
from watchkeeper.store.cost_rows import CostAnswer, CostScope, Named
from watchkeeper.store.value import OF_EVENTS

GROUPS_COMPARED = 1_000
"""Of each period; beyond them nobody looks for what moved."""
BURN_SHOWN = 8
STYLES = ("money.css",)

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


@router.get("/cost", dependencies=SOME)
async def cost(request: Request, by: By) -> Response:
    """What is being spent, by whom, why it moved, and whether the budgets last."""
    services, pages = services_of(request), pages_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    view = _with_pseudonym(read_view(dict(request.query_params), now=now), services)
    view = replace(view, where=(await scope_seen(view.scope, services, by)).where)
    found = await _found(services, view, now)
    named = dict(view.where).get("feature", "")
    found = replace(found, markers=await markers_of(services, by, view.since, view.until, feature=named))
    basis, questions = services.cost_basis(), services.analytics.waste
    by_feature = found.now if view.by == "feature" else None
    wasted, cached, routed, units, burn = await asyncio.gather(
        questions.waste(view.scope, ttl_s=basis.cache_ttl_s),
        questions.saved_by_cache(view.scope),
        questions.routed(view.scope, routes=list(basis.targets)),
        _units(services, view, by_feature),
        _burn(services, now, by),
    )
    waste, saved = waste_rows(wasted, (cached, routed), basis, view, found.now.total.cost_nusd)
    tables = CostTables(
        movers=mover_table(found.before, found.now, view), burn=burn, units=units, waste=waste, saved=saved
    )
    page = cost_page(found, view, basis, tables)
    shell = await pages.shell(request, title="Cost", here="cost", scripts=("charts.js",), styles=STYLES)
    return pages.answer("cost.html", page, shell)


async def _found(services: Services, view: CostView, now: datetime) -> CostFound:
    questions, days = services.analytics.cost, today(now, view.tz)
    day, week_ago, after, before, hourly, prices = await asyncio.gather(
        questions.total(view.scope_of(*days[0])),
        questions.total(view.scope_of(*days[1])),
        questions.by(view.scope, view.by, limit=GROUPS_COMPARED),
        questions.by(view.scope_before, view.by, limit=GROUPS_COMPARED),
        questions.by(view.scope, "hour", limit=GROUPS_MAX),
        services.analytics.price_in_use(view.since),
    )
    zone = ZoneInfo(view.tz)
    return CostFound(
        today=day,
        last_week=week_ago,
        days=((days[0][0].astimezone(zone), days[0][1].astimezone(zone)), days[1]),
        now=after,
        before=before,
        hourly=hourly,
        prices=prices,
    )


async def _units(services: Services, view: CostView, by_feature: CostAnswer | None) -> tuple[UnitLine, ...] | None:
    if not OF_EVENTS.issuperset(name for name, _ in view.where):
        return None
    units = await services.analytics.value.units(view.scope)
    found = by_feature or await services.analytics.cost.by(view.scope, "feature", limit=GROUPS_COMPARED)
    spends = {group.names[0]: group.spend for group in found.groups}
    return unit_lines(spends, units, services.cost_basis(), view)


async def _burn(services: Services, now: datetime, by: Operator) -> tuple[BurnLine, ...]:
    if not by.rights.may("read"):  # a budget may count calls of any feature
        return ()
    ledger = services.control.ledger
    budgets = {budget.id: budget for budget in await ledger.budgets() if budget.unit == "nusd"}
    states = await ledger.fullest(most=BURN_SHOWN, only=list(budgets)) if budgets else []
    of_budget: dict[str, list[AccountState]] = {}
    for state in states:
        of_budget.setdefault(state.budget, []).append(state)
    found = await asyncio.gather(*(_daily(services, budgets[name], some) for name, some in of_budget.items()))
    past = {key: daily for one in found for key, daily in one.items()}
    return tuple(burn_line(state, budgets[state.budget], past.get(state.key, {}), now=now) for state in states)


async def _daily(services: Services, budget: Budget, states: list[AccountState]) -> dict[str, dict[date, int]]:
    """Return what the days of the weeks before their window cost, by account; one question for all of a budget.

    The last of the days is there even if it cost nothing, so that weeks are cut from it backwards.
    """
    window = budget.window
    until = states[0].window_start
    if window.kind != "calendar" or window.calendar in ("hour", "day") or until is None:
        return {}
    kinds = tuple(name for name in _NAMED if name in states[0].scope)
    where = tuple((name, state.scope[name]) for name in kinds for state in states)
    scope = CostScope(since=until - timedelta(weeks=WEEKS_MOST), until=until, where=where)
    found = await services.analytics.cost.by(scope, "day", *kinds, tz=window.zone)
    last = until.astimezone(ZoneInfo(window.zone)).date() - timedelta(days=1)
    past: dict[tuple[str, ...], dict[date, int]] = {}
    for group in found.groups:
        day, *names = group.names
        past.setdefault(tuple(names), {last: 0})[date.fromisoformat(day)] = group.spend.cost_nusd or 0
    return {state.key: past.get(tuple(state.scope[name] for name in kinds), {}) for state in states}


_NAMED: tuple[Named, ...] = ("tenant", "feature", "key", "subject", "tag", "session")
"""Kinds of scope by which calls are named."""


def _with_pseudonym(view: CostView, services: Services) -> CostView:
    """A person's name becomes the pseudonym that is stored."""
    tenant = dict(view.where).get("tenant", "")
    where = tuple(
        (name, services.pseudonyms.of(tenant, value) if name == "subject" and not is_pseudonym(value) else value)
        for name, value in view.where
    )
    return replace(view, where=where)
