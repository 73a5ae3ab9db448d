"""Budgets: how the accounts stand, what would be refused, what must be resolved, and where each budget comes from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from watchkeeper.config.budget_words import Definition
from watchkeeper.console import figures
from watchkeeper.console.charts.burn import burn
from watchkeeper.console.pages.burn import whose
from watchkeeper.console.pages.picker import Picker, WindowLink, picker
from watchkeeper.console.query import CallQuery, address
from watchkeeper.core.money import BudgetUnit
from watchkeeper.money.budgets import Budget
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.store.budget_edits import BudgetEditRow
from watchkeeper.store.ledger_rows import LedgerRow

PATH = "/budgets"
TOPS = ("50", "200", "1000")
NEAR = 0.8
"""Share of the limit from which an account is near it."""
STATES = ("exhausted", "near", "ok", "shadow")
DEFINITIONS_SHOWN = 200
REFUSALS_SHOWN = 50
HOLDS_SHOWN = 50
_SHAPES = {"exhausted": "critical", "over": "critical", "near": "warning", "ok": "ok", "shadow": "shadow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """How one holder of a budget stands."""

    key: str
    state: str
    """`exhausted`, `over` (nothing is refused), `near`, `ok` or `shadow`."""
    shape: str
    budget: str
    href: str
    """This account alone."""
    whose: str
    mode: str
    bar: Markup
    used: str
    share: str
    limit: str
    held: str
    """By calls under way."""
    unresolved: str
    """By calls of workers that died; empty for nothing."""
    headroom: str
    is_overdrawn: bool
    window: str
    resets_at: str
    """Empty where it never does, or goes on rolling."""
    unpriced: str
    unit: str
    """What an amount is typed in: `US dollars`, `tokens`, `calls`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLine:
    """A hold that somebody must resolve."""

    id: int
    account: str
    call: str
    call_href: str
    at: str
    held: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalLine:
    """What one budget refused, would have refused, and let go to a cheaper tier in the window."""

    budget: str
    mode: str
    refused: str
    refused_href: str
    would_refuse: str
    would_refuse_href: str
    degraded: str
    degraded_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionLine:
    """One budget as it is in force."""

    name: str
    scope: str
    limits: str
    window: str
    mode: str
    alerts: str
    source: str
    """`file`, `edited`, `added` or `idle`: an edit of what the file no longer has."""
    was: str
    """What the file says of the limits, where it was edited."""
    by: str
    at: str
    reason: str
    edit_href: str
    accounts_href: str
    can_take_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetsPage:
    """The page."""

    picker: Picker
    problems: tuple[str, ...]
    find: str
    kept: tuple[tuple[str, str], ...]
    choices: tuple[str, ...]
    """Ids of budgets, to choose one from."""
    chosen: str
    account: str
    """The one account that is looked at; empty for all."""
    states: tuple[WindowLink, ...]
    tops: tuple[WindowLink, ...]
    lines: tuple[AccountLine, ...]
    shown: str
    clear_href: str
    holds: tuple[HoldLine, ...]
    holds_count: str
    refusals: tuple[RefusalLine, ...]
    definitions: tuple[DefinitionLine, ...]
    definitions_left: str
    """How many more there are; empty for none."""
    rows: tuple[HoldLine, ...]
    has_budgets: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which accounts the URL asks for."""

    find: str = ""
    of: str = ""
    """Id of a budget."""
    state: str = ""
    top: str = TOPS[0]
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetsFound:
    """What the stores answered."""

    budgets: Sequence[Budget]
    states: Sequence[AccountState]
    counts: Mapping[str, int]
    """Accounts of each budget."""
    holds: Sequence[LedgerRow]
    notes: Mapping[str, int]
    """Calls of the window, by what budgets did to them."""
    declared: Mapping[str, Definition]
    """Of the file, by identity."""
    edits: Mapping[str, BudgetEditRow] = field(default_factory=dict[str, BudgetEditRow])


def budgets_page(found: BudgetsFound, query: CallQuery, choice: Choice) -> BudgetsPage:
    """Build the page."""
    known = {budget.id: budget for budget in found.budgets}
    lines = [account_line(state, known.get(state.budget)) for state in found.states]
    lines = [line for line in lines if not choice.state or _is_of(line, choice.state)]
    every = definition_lines(found.declared, found.edits)
    counted = sum(found.counts.get(budget, 0) for budget in ([choice.of] if choice.of else known))
    units = {budget.id: budget.unit for budget in found.budgets}
    return BudgetsPage(
        picker=picker(query, PATH),
        problems=query.problems,
        find=choice.find,
        kept=tuple((query.window.parameters() | {"state": choice.state, "top": choice.top}).items()),
        choices=tuple(sorted(known)),
        chosen=choice.of,
        account=choice.account,
        states=(
            WindowLink("all", query.url(PATH, state=""), not choice.state),
            *(WindowLink(name, query.url(PATH, state=name), name == choice.state) for name in STATES),
        ),
        tops=tuple(WindowLink(top, query.url(PATH, top=top), top == choice.top) for top in TOPS),
        lines=tuple(lines),
        shown=f"{figures.count(len(lines))} of {figures.count(counted)} accounts",
        clear_href=address(PATH),
        holds=tuple(hold_line(row, _unit_of(row.account, units)) for row in found.holds[:HOLDS_SHOWN]),
        holds_count=figures.count(len(found.holds)) if found.holds else "",
        refusals=_refusals(found.notes, known, query),
        definitions=tuple(every[:DEFINITIONS_SHOWN]),
        definitions_left=figures.count(len(every) - DEFINITIONS_SHOWN) if len(every) > DEFINITIONS_SHOWN else "",
        rows=(),
        has_budgets=bool(every or known),
    )


def account_line(state: AccountState, budget: Budget | None) -> AccountLine:
    """Build one row."""
    share = state.settled / state.limit if state.limit else float(state.settled > 0)
    name, unit = _state(share, state.mode), state.unit
    left = state.limit - state.settled - state.leased - state.expired
    ends = state.window_end if budget is not None and budget.window.kind == "calendar" else None
    return AccountLine(
        key=state.key,
        state=name,
        shape=_SHAPES[name],
        budget=state.budget,
        href=address(PATH, account=state.key),
        whose=whose(state.scope),
        mode=state.mode,
        bar=burn(share, None),
        used=written(state.settled, unit),
        share=figures.share(state.settled, state.limit),
        limit=written(state.limit, unit),
        held=written(state.leased, unit) if state.leased else "",
        unresolved=written(state.expired, unit) if state.expired else "",
        headroom=written(left, unit),
        is_overdrawn=left < 0,
        window=budget.window.words if budget is not None else "",
        resets_at=figures.iso(ends) if ends else "",
        unpriced=figures.count(state.unpriced_calls) if state.unpriced_calls else "",
        unit=_TYPED[unit],
    )


def written(amount: int, unit: BudgetUnit) -> str:
    """Write an amount with its unit: "$1.20", "412k tokens", "12 calls", "−$2.50"."""
    if amount < 0:
        return f"−{written(-amount, unit)}"
    if unit == "nusd":
        return figures.money(amount)
    word = unit.removesuffix("s") if amount == 1 else unit
    return f"{figures.short_count(amount)} {word}"


def hold_line(row: LedgerRow, unit: BudgetUnit) -> HoldLine:
    """Build one row."""
    return HoldLine(
        id=row.id,
        account=row.account,
        call=row.call_id,
        call_href=f"/calls/{row.call_id}" if row.call_id else "",
        at=figures.iso(row.at),
        held=written(row.amount, unit),
        unit=_TYPED[unit],
    )


def definition_lines(declared: Mapping[str, Definition], edits: Mapping[str, BudgetEditRow]) -> list[DefinitionLine]:
    """List budgets in the order of the file, then those that were added, then edits that do nothing any more."""
    lines = [_definition(name, definition, edits.get(name), is_declared=True) for name, definition in declared.items()]
    rest = [row for name, row in edits.items() if name not in declared]
    return lines + [_definition(row.name, row.definition, row, is_declared=False) for row in rest]


_TYPED: dict[BudgetUnit, str] = {"nusd": "US dollars", "tokens": "tokens", "calls": "calls"}


def _state(share: float, mode: str) -> str:
    if mode == "shadow":
        return "shadow"
    if share >= 1:
        return "over" if mode == "soft" else "exhausted"
    return "near" if share >= NEAR else "ok"


def _is_of(line: AccountLine, state: str) -> bool:
    return line.state == state or (state == "exhausted" and line.state == "over")


def _unit_of(account: str, units: Mapping[str, BudgetUnit]) -> BudgetUnit:
    name = account
    while name and name not in units:
        name = name.rpartition("|")[0]
    return units.get(name, "nusd")


def _refusals(notes: Mapping[str, int], known: Mapping[str, Budget], query: CallQuery) -> tuple[RefusalLine, ...]:
    by_budget: dict[str, dict[str, int]] = {}
    for note, calls in notes.items():
        what, _, budget = note.partition(" ")
        by_budget.setdefault(budget, {})[what] = calls
    order = sorted(by_budget, key=lambda name: (-sum(by_budget[name].values()), name))

    def cell(budget: str, what: str) -> tuple[str, str]:
        calls = by_budget[budget].get(what, 0)
        href = query.url("/calls", budget=f"{what} {budget}", q="") if calls else ""
        return figures.count(calls), href

    lines = []
    for budget in order[:REFUSALS_SHOWN]:
        refused, would, degraded = (cell(budget, what) for what in ("refused", "would_refuse", "degraded"))
        lines.append(
            RefusalLine(
                budget=budget,
                mode=known[budget].mode if budget in known else "no longer there",
                refused=refused[0],
                refused_href=refused[1],
                would_refuse=would[0],
                would_refuse_href=would[1],
                degraded=degraded[0],
                degraded_href=degraded[1],
            )
        )
    return tuple(lines)


def _definition(name: str, definition: Definition, edit: BudgetEditRow | None, *, is_declared: bool) -> DefinitionLine:
    held = edit.definition if edit is not None else definition
    source = "file" if edit is None else "edited" if is_declared else "added" if edit.is_added else "idle"
    return DefinitionLine(
        name=name,
        scope=", ".join(f"{kind} {value}" for kind, value in held.get("scope", {}).items()),
        limits=limits_in_words(held),
        window=held.get("window", "calendar-month") + (f" ({held['tz']})" if "tz" in held else ""),
        mode=held.get("mode", "hard"),
        alerts=", ".join(held.get("alerts", ["50%", "80%", "100%"])) or "none",
        source=source,
        was=limits_in_words(definition) if source == "edited" else "",
        by=edit.by if edit is not None else "",
        at=figures.iso(edit.at) if edit is not None else "",
        reason=edit.reason if edit is not None else "",
        edit_href=address(f"{PATH}/edit", name=name) if source != "idle" else "",
        accounts_href=address(PATH, find=name),
        can_take_back=edit is not None,
    )


def limits_in_words(definition: Definition) -> str:
    """Say what a budget allows: `500 USD, 2,000,000 tokens`."""
    parts = [str(definition["limit"])] if "limit" in definition else []
    return ", ".join(parts + [f"{definition[unit]:,} {unit}" for unit in ("tokens", "calls") if unit in definition])


def choices_of(parameters: Mapping[str, str], budgets: Iterable[Budget], problems: list[str]) -> Choice:
    """Read what the URL asks for; what cannot be is named in `problems` and left out."""
    known = {budget.id for budget in budgets}
    given = {name: parameters.get(name, "").strip() for name in ("find", "of", "state", "top", "account")}
    if given["of"] and given["of"] not in known:
        problems.append(f"There is no budget “{given['of'][:80]}”; the accounts of all are shown.")
        given["of"] = ""
    if given["state"] and given["state"] not in STATES:
        problems.append(f"There is no state “{given['state'][:40]}”; there are {', '.join(STATES)}.")
        given["state"] = ""
    if given["top"] not in TOPS:
        given["top"] = TOPS[0]
    return Choice(**given)
