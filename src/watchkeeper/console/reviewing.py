"""The weekly cost review: what is asked of the stores for it, and its signature."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.access.roles import ALL
from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.console.commands import require_form
from watchkeeper.console.pages.review import NO_OWNER, PATH, ReviewPage, owner_lines, review_page
from watchkeeper.console.pages.review_figures import BUDGETS, ReviewFigures, gather, owned, read_figures
from watchkeeper.console.query import address
from watchkeeper.console.render import pages_of
from watchkeeper.console.weeks import WEEK, Week, read_week
from watchkeeper.core.errors import CallerError
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.store.cost import GROUPS_MAX
from watchkeeper.store.cost_rows import CostAnswer, CostScope, Named

STYLES = ("money.css",)
NOTE_MAX = 1_000

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Text = Annotated[str, Form(max_length=4_000)]


class WeekNotOver(CallerError):
    """A week is signed when it has ended."""

    code = "week_not_over"
    http_status = 409


@router.get("/review", dependencies=SOME)
async def review(request: Request, week: str = "", owner: str | None = None) -> Response:
    """The owners of a week, or the sheet of one."""
    return await _answer(request, week, owner, [])


@router.post("/review", dependencies=[needs("money", somewhere=True)])
async def sign(request: Request, by: By, week: Text, owner: Text, seen: Text = "", note: Text = "") -> Response:
    """Sign what was seen; figures that have changed since the page was made are shown again instead."""
    await require_form(request)
    services = services_of(request)
    chosen, problems = read_week(week, _now(services))
    if problems or not chosen.is_over:
        raise WeekNotOver(f"The week {week[:20]} is not over, or is none; nothing was signed.")
    features, _, found = await _sheet(services, chosen, _owner(owner))
    for feature in features or [ALL]:
        await require(services, by, "money", feature=feature)
    if found.digest != seen:
        told = "The figures have changed since this page was made; nothing was signed. Look at them again."
        return await _answer(request, week, owner, [told], status=409)
    await services.control.cost_reviews.sign(
        chosen.name, _owner(owner), found.kept(), actor=by.name, remark=note.strip()[:NOTE_MAX]
    )
    return RedirectResponse(address(PATH, week=chosen.name, owner=owner), 303)


async def _answer(request: Request, week: str, owner: str | None, told: list[str], *, status: int = 200) -> Response:
    services, pages = services_of(request), pages_of(request)
    now = _now(services)
    chosen, problems = read_week(week, now)
    by = await require_operator(request)
    if owner is None:
        page = await _owners(services, chosen, now, by, problems + told)
    else:
        page = await _sheet_page(services, chosen, _owner(owner), by, problems + told)
    shell = await pages.shell(request, title=f"Review {page.week}", here="review", styles=STYLES)
    return pages.answer("review.html", page, shell, status=status)


async def _owners(services: Services, week: Week, now: datetime, by: Operator, problems: list[str]) -> ReviewPage:
    """The owners all of whose features may be seen: a sheet sums them up."""
    answers, signed = await asyncio.gather(_by_feature(services, week), services.control.cost_reviews.of(week.name))
    owners = {
        owner: features
        for owner, features in owned(answers, services.cost_basis()).items()
        if all(by.rights.may("read", feature) for feature in features)
    }
    lines = owner_lines(owners, answers, signed, week)
    return review_page(week, now=now, owners=lines, problems=problems)


async def _sheet_page(services: Services, week: Week, owner: str, by: Operator, problems: list[str]) -> ReviewPage:
    signed, (features, _, found) = await asyncio.gather(
        services.control.cost_reviews.of(week.name, owner), _sheet(services, week, owner)
    )
    for feature in features or [ALL]:
        await require(services, by, "read", feature=feature)
    if not features and not signed:
        problems = [*problems, f"Nobody called “{owner[:80]}” pays for a feature."]
    kept = read_figures(signed[0].figures) if signed else None
    page = review_page(week, now=_now(services), owner=owner, found=found, signed=signed, kept=kept, problems=problems)
    return replace(page, may_sign=all(by.rights.may("money", feature) for feature in features or [ALL]))


async def _sheet(services: Services, week: Week, owner: str) -> tuple[list[str], CostScope, ReviewFigures]:
    answers, basis = await _by_feature(services, week), services.cost_basis()
    features = owned(answers, basis).get(owner, [])
    where: tuple[tuple[Named, str], ...] = tuple(("feature", name) for name in features)
    scope = CostScope(since=week.since, until=week.until, where=where)
    scope_before = CostScope(since=week.since - WEEK, until=week.since, where=scope.where)
    if not features:
        nothing = await services.analytics.cost.by(CostScope(since=week.since, until=week.since), "model")
        return [], scope, gather([], answers, (nothing, nothing), ({}, (), ()), basis)
    cost = services.analytics.cost
    before, after, units, waste, states = await asyncio.gather(
        cost.by(scope_before, "model", limit=GROUPS_MAX),
        cost.by(scope, "model", limit=GROUPS_MAX),
        services.analytics.value.units(scope),
        services.analytics.waste.waste(scope, ttl_s=basis.cache_ttl_s),
        _states(services, features),
    )
    return features, scope, gather(features, answers, (before, after), (units, waste, states), basis)


async def _states(services: Services, features: list[str]) -> list[AccountState]:
    ledger = services.control.ledger
    about = [budget.id for budget in await ledger.budgets() if dict(budget.scope).get("feature") in (*features, "*")]
    states = await ledger.fullest(most=4 * BUDGETS, only=about) if about else []
    return [state for state in states if state.scope.get("feature") in features]


async def _by_feature(services: Services, week: Week) -> tuple[CostAnswer, CostAnswer]:
    cost = services.analytics.cost
    before, after = await asyncio.gather(
        cost.by(CostScope(since=week.since - WEEK, until=week.since), "feature", limit=GROUPS_MAX),
        cost.by(CostScope(since=week.since, until=week.until), "feature", limit=GROUPS_MAX),
    )
    return before, after


def _owner(text: str) -> str:
    return "" if text == NO_OWNER else text


def _now(services: Services) -> datetime:
    return datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
