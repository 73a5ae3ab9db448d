"""The page about budgets, and the forms on it: each is checked as the configuration is, and noted as a change."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.budgets import BOOKING, OF_ALL, READING, Resolution, TopUp
from watchkeeper.api.budgets import resolve as resolve_hold
from watchkeeper.api.budgets import top_up as allow_more
from watchkeeper.api.permits import needs
from watchkeeper.api.services import Services
from watchkeeper.config.budget_words import BudgetWrong, Definition, definition_of, read_definition
from watchkeeper.console.commands import require_form
from watchkeeper.console.pages.budget_form import FIXED, budget_form, definition_from, typed_of
from watchkeeper.console.pages.budgets import PATH, BudgetsFound, budgets_page, choices_of
from watchkeeper.console.query import DEFAULT_WINDOWS, address, read_query
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.money.ledger_state import AccountState

STYLES = ("money.css",)
REASON_MAX = 500
TEXT_MAX = 400

DEFINING = [needs("money", because=OF_ALL)]

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]
Text = Annotated[str, Form(max_length=4_000)]


class BudgetMissing(CallerError):
    """There is no such budget to edit."""

    code = "budget_not_found"
    http_status = 404


class ReasonMissing(CallerError):
    """What is booked by hand needs a reason."""

    code = "reason_missing"


@router.get("/budgets", dependencies=READING)
async def budgets(request: Request) -> Response:
    """How budgets stand, and what they would refuse."""
    services, pages = services_of(request), pages_of(request)
    now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    parameters = dict(request.query_params)
    window = {name: parameters.get(name, "") for name in ("window", "since", "until")}
    query = read_query(window, now=now, default_window=DEFAULT_WINDOWS[PATH])
    ledger, problems = services.control.ledger, list(query.problems)
    known = await ledger.budgets()
    choice = choices_of(parameters, known, problems)
    since, until, _ = query.window.steps(now)
    states, counts, holds, notes, edits = await asyncio.gather(
        _states(services, choice.account, of=choice.of, find=choice.find, top=int(choice.top)),
        ledger.account_counts(),
        ledger.rows(),
        services.analytics.budget_notes(since, until),
        services.control.budget_edits.current(),
    )
    own = {"find": choice.find, "of": choice.of, "state": choice.state, "account": choice.account}
    own |= {"top": choice.top} if choice.top != "50" else {}
    query = replace(query, problems=tuple(problems), path=PATH, own=own)
    found = BudgetsFound(
        budgets=known, states=states, counts=counts, holds=holds, notes=notes, declared=declared(services), edits=edits
    )
    page = budgets_page(found, query, choice)
    return pages.answer(
        "budgets.html", page, await pages.shell(request, title="Budgets", here="budgets", styles=STYLES)
    )


@router.get("/budgets/new", dependencies=DEFINING)
async def new(request: Request) -> Response:
    """The form for a budget of one's own."""
    typed = {"window": "calendar-month", "mode": "hard", "alerts": "50%, 80%, 100%", "tz": "UTC"}
    return await _form(request, typed | {"scope": request.query_params.get("scope", "")[:TEXT_MAX]})


@router.get("/budgets/edit", dependencies=READING)
async def edit(request: Request, name: str = "") -> Response:
    """The form for a budget that there is."""
    base, _ = await _base(services_of(request), name)
    return await _form(request, typed_of(base), name=name)


@router.post("/budgets/new", dependencies=DEFINING)
async def add(request: Request, by: By) -> Response:
    """Add a budget, if it is right and there is none like it."""
    await require_form(request)
    services, typed = services_of(request), await _typed(request)
    try:
        found = read_definition(definition_from(typed, {}))
        edits = await services.control.budget_edits.current()
        if found.identity in declared(services) or found.identity in edits:
            raise BudgetWrong([(("name",), f"there is a budget {found.identity}; edit that, or give this one a name")])
    except BudgetWrong as wrong:
        return await _form(request, typed, wrong=wrong)
    if not typed["reason"]:
        return await _form(request, typed, reason_problem="is missing and required")
    await services.control.budget_edits.put(
        found.identity, definition_of(found), is_added=True, actor=by.name, reason=typed["reason"]
    )
    services.on_control_change()
    return RedirectResponse("/budgets#definitions", 303)


@router.post("/budgets/edit", dependencies=DEFINING)
async def change(request: Request, by: By) -> Response:
    """Change what a budget allows, how, and when it alerts."""
    await require_form(request)
    services, typed = services_of(request), await _typed(request)
    name = typed["identity"]
    base, is_added = await _base(services, name)
    # Which budget it is cannot change, whatever a form says.
    typed |= {field: typed_of(base).get(field, "") for field in FIXED}
    try:
        found = read_definition(definition_from(typed, base))
    except BudgetWrong as wrong:
        return await _form(request, typed, name=name, wrong=wrong)
    if not typed["reason"]:
        return await _form(request, typed, name=name, reason_problem="is missing and required")
    await services.control.budget_edits.put(
        name, definition_of(found), is_added=is_added, actor=by.name, reason=typed["reason"], before=base
    )
    services.on_control_change()
    return RedirectResponse("/budgets#definitions", 303)


@router.post("/budgets/take-back", dependencies=DEFINING)
async def take_back(request: Request, by: By, identity: Text, reason: Text = "") -> Response:
    """Have a budget be as the file says; one that was added here is gone."""
    await require_form(request)
    services = services_of(request)
    said = declared(services).get(identity)
    await services.control.budget_edits.take_back(identity, actor=by.name, reason=reason[:REASON_MAX], after=said)
    services.on_control_change()
    return RedirectResponse("/budgets#definitions", 303)


@router.post("/budgets/holds/{row_id}/resolve", dependencies=BOOKING)
async def resolve(request: Request, row_id: int, by: By, amount: Text = "0", reason: Text = "") -> Response:
    """Book what a call used that was never recorded; 0 releases the hold."""
    await require_form(request)
    wish = Resolution(amount=amount.strip()[:30] or "0", reason=reason[:REASON_MAX])
    await resolve_hold(row_id, wish, services_of(request), by)
    return RedirectResponse("/budgets#holds", 303)


@router.post("/budgets/top-up", dependencies=BOOKING)
async def top_up(request: Request, by: By, key: Text, amount: Text, reason: Text = "") -> Response:
    """Let an account use more in its present window."""
    await require_form(request)
    if not reason.strip():
        raise ReasonMissing("A top-up needs a reason; nothing was booked. Go back and fill it in.")
    await allow_more(
        TopUp(key=key, amount=amount.strip()[:30], reason=reason.strip()[:REASON_MAX]), services_of(request), by
    )
    return RedirectResponse(address(PATH, account=key), 303)


def declared(services: Services) -> dict[str, Definition]:
    """Return what the file says of budgets, by identity."""
    return {budget.identity: definition_of(budget) for budget in services.declared_budgets()}


async def _states(services: Services, account: str, *, of: str, find: str, top: int) -> list[AccountState]:
    ledger = services.control.ledger
    if account:
        state = await ledger.state(account)
        return [state] if state is not None else []
    return await ledger.fullest(most=top, only=[of] if of else [], containing=find)


async def _base(services: Services, name: str) -> tuple[Definition, bool]:
    """Return a budget as it is in force, and whether it was added here.

    Raises:
        BudgetMissing: there is none.
    """
    edits, file = await services.control.budget_edits.current(), declared(services)
    if name in edits and (edits[name].is_added or name in file):
        return edits[name].definition, edits[name].is_added and name not in file
    if name not in file:
        raise BudgetMissing(f"There is no budget {name[:80]!r} to edit; nothing was changed.")
    return file[name], False


async def _typed(request: Request) -> dict[str, str]:
    form = await request.form()
    found = {name: str(value)[:TEXT_MAX].strip() for name, value in form.items() if isinstance(value, str)}
    return {"reason": "", "identity": ""} | found


async def _form(
    request: Request,
    typed: dict[str, str],
    *,
    name: str = "",
    wrong: BudgetWrong | None = None,
    reason_problem: str = "",
) -> Response:
    pages = pages_of(request)
    file = declared(services_of(request)).get(name)
    form = budget_form(typed, name=name, declared=file, wrong=wrong, reason_problem=reason_problem)
    shell = await pages.shell(request, title=form.title, here="budgets", styles=STYLES)
    return pages.answer("budget_edit.html", form, shell, status=422 if wrong or reason_problem else 200)
