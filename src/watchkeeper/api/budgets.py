"""Budgets: how their accounts stand, what must be resolved, and what is booked by hand."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.access.roles import ALL
from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.budget_words import Definition, definition_of
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import BudgetUnit, nusd, usd
from watchkeeper.money.budgets import Budget, Mode
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.store.budget_edits import BudgetEditRow
from watchkeeper.store.ledger_rows import AccountUnknown, Kind, LedgerRow, RowState

TOP = 100
TOP_MAX = 10_000
KEY_MAX = 4_000
REASON_MAX = 500
AMOUNT_MAX = Decimal(10**9)
"""In dollars, or a thousand million tokens or calls."""

Unit = Literal["usd", "tokens", "calls"]
Amount = Annotated[
    str,
    Field(description="In the account's unit: an exact decimal in US dollars, or a whole number.", examples=["1.5"]),
]

OF_ALL = "A budget may count calls of any feature, so that budgets cannot be shown for some features only."
READING = [needs("read", because=OF_ALL)]
BOOKING = [needs("money", "operate", somewhere=True)]

router = APIRouter(prefix="/api/v1/budgets", tags=["budgets"])


class AmountUnreadable(CallerError):
    """The amount is none of the account's unit."""

    code = "amount_unreadable"
    http_status = 422


class BudgetDocument(BaseModel):
    """A budget in force, for each holder of its scope."""

    id: str
    scope: Annotated[dict[str, str], Field(description="`*` stands for each value of its own.")]
    unit: Unit
    limit: Amount
    mode: Mode
    window: str


class AccountDocument(BaseModel):
    """How one holder of a budget stands."""

    key: str
    budget: str
    scope: dict[str, str]
    unit: Unit
    mode: Mode
    limit: Amount
    settled: Annotated[Amount, Field(description="Used in the present window.")]
    leased: Annotated[Amount, Field(description="Set aside by the gateway's workers.")]
    unresolved: Annotated[Amount, Field(description="Held by calls of workers that died; see the holds.")]
    left: Annotated[Amount, Field(description="What calls may still use; below zero where more was used than allowed.")]
    used_share: Annotated[float | None, Field(description="1.0 for all of the limit; null where that is 0.")]
    window_start: datetime | None
    window_end: Annotated[datetime | None, Field(description="When it starts anew; null for all time.")]
    refused: Annotated[int, Field(description="Questions of workers that were refused, ever.")]
    would_refuse: Annotated[int, Field(description="Calls that would have been refused in mode `shadow`, ever.")]
    unpriced_calls: Annotated[int, Field(description="Calls counted as nothing, as their price is not known, ever.")]


class BudgetList(BaseModel):
    """Budgets in force and how their accounts stand, the fullest first."""

    budgets: list[BudgetDocument]
    accounts: list[AccountDocument]
    unresolved_holds: int


class RowDocument(BaseModel):
    """A hold that somebody must resolve, or an amount that was booked by hand."""

    id: int
    account: str
    kind: Kind
    unit: Unit
    call: Annotated[str, Field(description="Id of the call that held it; empty for what was booked by hand.")]
    at: datetime
    held: Amount
    settled: Amount | None
    state: RowState
    noted_at: datetime
    closed_at: datetime | None
    by: str
    reason: str


class AccountDetail(BaseModel):
    """How one account stands, and the ledger's own rows about it."""

    account: AccountDocument
    rows: list[RowDocument]


class RowList(BaseModel):
    """Rows, the newest first."""

    holds: list[RowDocument]


class DefinitionDocument(BaseModel):
    """What one budget says."""

    name: str
    definition: Annotated[dict[str, Any], Field(description="In the words of the configuration file.")]
    source: Literal["file", "edited", "added"]
    by: Annotated[str, Field(description="Who edited or added it; empty for the file.")]
    at: datetime | None
    reason: str


class DefinitionList(BaseModel):
    """In the order of the file, then those that were added."""

    budgets: list[DefinitionDocument]


class Difference(BaseModel):
    """An account whose sum is not that of its charges and rows."""

    key: str
    settled: Annotated[int, Field(description="In nano-dollars, tokens or calls.")]
    recorded: int


class Verification(BaseModel):
    """Whether every account's sum is that of the charges of all stored calls and of the ledger's own rows."""

    adds_up: bool
    accounts: Annotated[int, Field(description="How many have charges.")]
    differences: Annotated[
        list[Difference], Field(description="A call that is being stored at this moment shows as one, for a moment.")
    ]


class ListQuery(Strict):
    """How many accounts."""

    top: Annotated[int, Field(ge=1, le=TOP_MAX, description="Of each budget so many, those that used most.")] = TOP


class KeyQuery(Strict):
    """Which account."""

    key: Annotated[str, Field(min_length=1, max_length=KEY_MAX)]


class HoldQuery(Strict):
    """Which rows."""

    all: Annotated[bool, Field(description="Also those that are resolved, and what was booked by hand.")] = False


class Resolution(Strict):
    """What a call used that was never recorded."""

    amount: Annotated[str, Field(max_length=30, description="In the account's unit; 0 releases the hold.")]
    reason: str = Field(default="", max_length=REASON_MAX)


class TopUp(Strict):
    """An amount by which an account may use more in its present window."""

    key: str = Field(min_length=1, max_length=KEY_MAX)
    amount: Annotated[str, Field(max_length=30, description="In the account's unit; below zero takes it away again.")]
    reason: str = Field(min_length=1, max_length=REASON_MAX)


@router.get("", summary="Budgets and how they stand", dependencies=READING)
async def list_budgets(query: Annotated[ListQuery, Query()], parts: Parts) -> BudgetList:
    """Return the budgets in force, or those that were when the keeper last ran, and their fullest accounts."""
    ledger = parts.control.ledger
    counts = await ledger.counts()
    return BudgetList(
        budgets=[_budget(budget) for budget in await ledger.budgets()],
        accounts=[_account(state) for state in await ledger.states(top=query.top)],
        unresolved_holds=counts["unresolved_holds"],
    )


@router.get("/definitions", summary="What each budget says, and who says so", dependencies=READING)
async def list_definitions(parts: Parts) -> DefinitionList:
    """Return the budgets of the file with the edits that stand in their place, and those that were added."""
    edits = await parts.control.budget_edits.current()
    file = {budget.identity: definition_of(budget) for budget in parts.declared_budgets()}
    found = [_definition(name, definition, edits.get(name)) for name, definition in file.items()]
    found += [_definition(name, {}, edit) for name, edit in edits.items() if edit.is_added and name not in file]
    return DefinitionList(budgets=found)


@router.get("/account", summary="How one account stands", dependencies=SOME)
async def show_account(query: Annotated[KeyQuery, Query()], parts: Parts, by: By) -> AccountDetail:
    """Return one account with the ledger's own rows about it; also one whose budget is gone."""
    state = await _known(query.key, parts)
    await require(parts, by, "read", feature=state.scope.get("feature", ALL))
    rows = await parts.control.ledger.rows(only_open=False, account=query.key)
    return AccountDetail(account=_account(state), rows=[_row(row, state.unit) for row in rows])


@router.get("/holds", summary="Holds that somebody must resolve", dependencies=READING)
async def list_holds(query: Annotated[HoldQuery, Query()], parts: Parts) -> RowList:
    """Return holds of workers that died before their calls were recorded."""
    rows = await parts.control.ledger.rows(only_open=not query.all)
    return RowList(holds=[_row(row, await _unit(row.account, parts)) for row in rows])


@router.post("/holds/{row_id}/resolve", summary="Resolve a hold", dependencies=BOOKING)
async def resolve(row_id: int, wish: Resolution, parts: Parts, by: By) -> RowDocument:
    """Book what the call used, in the window that it was made in; the rest of the hold is available again."""
    rows = {row.id: row for row in await parts.control.ledger.rows()}
    unit = await _unit(rows[row_id].account, parts) if row_id in rows else "nusd"
    await _see_that_it_may_be_booked(rows[row_id].account if row_id in rows else "", parts, by)
    amount = _read(wish.amount, unit, at_least=0)
    row = await parts.control.ledger.resolve(row_id, amount, actor=by.name, reason=wish.reason)
    return _row(row, unit)


@router.post("/top-ups", status_code=201, summary="Allow an account more", dependencies=BOOKING)
async def top_up(wish: TopUp, parts: Parts, by: By) -> AccountDetail:
    """Make room in an account's present window; the next window has its limit again."""
    await _see_that_it_may_be_booked(wish.key, parts, by)
    unit = await _unit(wish.key, parts)
    amount = _read(wish.amount, unit)
    row = await parts.control.ledger.adjust(wish.key, -amount, actor=by.name, reason=wish.reason)
    state = await _known(wish.key, parts)
    return AccountDetail(account=_account(state), rows=[_row(row, unit)])


@router.get("/verify", summary="Whether the ledger adds up", dependencies=READING)
async def verify(parts: Parts) -> Verification:
    """Compare each account's sum with its charges and rows: one pass over all charges that are stored."""
    charged = await parts.analytics.charge_sums()
    found = await parts.control.ledger.verify(charged)
    return Verification(
        adds_up=not found,
        accounts=len(charged),
        differences=[
            Difference(key=key, settled=settled, recorded=recorded) for key, (settled, recorded) in found.items()
        ],
    )


async def _known(key: str, parts: Services) -> AccountState:
    state = await parts.control.ledger.state(key)
    if state is None:
        raise AccountUnknown(
            f"There is no account {key[:200]!r}. An account begins with its first call; "
            "`watchkeeper budgets list --json` has the keys of those there are."
        )
    return state


async def _see_that_it_may_be_booked(key: str, parts: Services, by: Operator) -> None:
    """Money of an account of one feature is booked by who is in charge of it, any other by who is of everything."""
    state = await parts.control.ledger.state(key)
    await require(parts, by, "money", "operate", feature=(state.scope if state is not None else {}).get("feature", ALL))


async def _unit(key: str, parts: Services) -> BudgetUnit:
    """Of the budget that an account belongs to; money where nobody knows it."""
    budgets = {budget.id: budget for budget in await parts.control.ledger.budgets(gone_too=True)}
    name = key
    while name and name not in budgets:
        name = name.rpartition("|")[0]
    return budgets[name].unit if name else "nusd"


def _read(text: str, unit: BudgetUnit, *, at_least: int | None = None) -> int:
    try:
        given = Decimal(text.strip())
        if not given.is_finite() or abs(given) > AMOUNT_MAX:
            raise InvalidOperation
        amount = nusd(given) if unit == "nusd" else int(given)
        is_exact = Decimal(usd(amount)) == given if unit == "nusd" else given == amount
    except InvalidOperation:
        is_exact, amount = False, 0
    if not is_exact or (at_least is not None and amount < at_least):
        meant = "an amount in US dollars such as 1.50" if unit == "nusd" else f"a whole number of {unit}"
        raise AmountUnreadable(f"The amount is {text[:40]!r}, which is not {meant}; nothing was booked.")
    return amount


def _written(amount: int, unit: BudgetUnit) -> str:
    return usd(amount) if unit == "nusd" else str(amount)


def _unit_name(unit: BudgetUnit) -> Unit:
    return "usd" if unit == "nusd" else unit


def _budget(budget: Budget) -> BudgetDocument:
    return BudgetDocument(
        id=budget.id,
        scope=dict(budget.scope),
        unit=_unit_name(budget.unit),
        limit=_written(budget.limit, budget.unit),
        mode=budget.mode,
        window=budget.window.words,
    )


def _definition(name: str, declared: Definition, edit: BudgetEditRow | None) -> DefinitionDocument:
    if edit is None:
        return DefinitionDocument(name=name, definition=declared, source="file", by="", at=None, reason="")
    source: Literal["edited", "added"] = "edited" if declared else "added"
    return DefinitionDocument(
        name=name, definition=edit.definition, source=source, by=edit.by, at=edit.at, reason=edit.reason
    )


def _account(state: AccountState) -> AccountDocument:
    unit = state.unit
    return AccountDocument(
        key=state.key,
        budget=state.budget,
        scope=state.scope,
        unit=_unit_name(unit),
        mode=state.mode,
        limit=_written(state.limit, unit),
        settled=_written(state.settled, unit),
        leased=_written(state.leased, unit),
        unresolved=_written(state.expired, unit),
        left=_written(state.limit - state.settled - state.leased - state.expired, unit),
        used_share=round(state.settled / state.limit, 6) if state.limit else None,
        window_start=state.window_start,
        window_end=state.window_end,
        refused=state.refused,
        would_refuse=state.would_refuse,
        unpriced_calls=state.unpriced_calls,
    )


def _row(row: LedgerRow, unit: BudgetUnit) -> RowDocument:
    return RowDocument(
        id=row.id,
        account=row.account,
        kind=row.kind,
        unit=_unit_name(unit),
        call=row.call_id,
        at=row.at,
        held=_written(row.amount, unit),
        settled=None if row.settled is None else _written(row.settled, unit),
        state=row.state,
        noted_at=row.noted_at,
        closed_at=row.closed_at,
        by=row.actor,
        reason=row.reason,
    )
