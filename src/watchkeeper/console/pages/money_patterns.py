"""The components of the pages about money, with ordinary data, with none, with too much, with hostile data."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec

from watchkeeper.api.services import CostBasis, Ownership
from watchkeeper.config.budget_words import BudgetWrong
from watchkeeper.console.costing import CostView, read_view
from watchkeeper.console.pages.budget_form import BudgetForm, budget_form
from watchkeeper.console.pages.budgets import BudgetsFound, BudgetsPage, Choice, budgets_page
from watchkeeper.console.pages.burn import BurnLine, burn_line
from watchkeeper.console.pages.cost import CostFound, CostPage, CostTables, cost_page
from watchkeeper.console.pages.economy import unit_lines, waste_rows
from watchkeeper.console.pages.movers import mover_table
from watchkeeper.console.pages.review import ReviewPage, owner_lines, review_page
from watchkeeper.console.pages.review_figures import gather
from watchkeeper.console.weeks import read_week
from watchkeeper.money.budgets import Budget
from watchkeeper.money.ledger_state import AccountState
from watchkeeper.money.windows import Window
from watchkeeper.store.budget_edits import BudgetEditRow
from watchkeeper.store.cost_reviews import CostReviewRow
from watchkeeper.store.cost_rows import NO_SPEND, CostAnswer, CostGroup, Spend
from watchkeeper.store.ledger_rows import LedgerRow
from watchkeeper.store.value import Units
from watchkeeper.store.waste import Waste

_AT = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
_MONTH = Budget("tenant=*:calendar-month", (("tenant", "*"),), "nusd", 20 * 10**9, Window("calendar", "month"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyPatterns:
    """What the page of patterns shows of money."""

    cost: CostPage
    empty_cost: CostPage
    budgets: BudgetsPage
    form: BudgetForm
    sheet: ReviewPage
    owners: ReviewPage


def money_patterns(*, hostile: str, long: str) -> MoneyPatterns:
    """Build them; they ask nothing of any store and are always the same."""
    view = read_view({"window": "24h"}, now=_AT)
    spends = {"support": 12_400_000_000, hostile: 31_000_000, long: 4_000_000_000, "": 1}
    now = _answer("feature", {name: _spend(nusd) for name, nusd in spends.items()} | {"local": _unpriced()})
    before = _answer("feature", {"support": _spend(9_000_000_000), hostile: _spend(62_000_000), long: _spend(1)})
    basis = CostBasis(
        features={
            "support": Ownership(cost_owner="finance@example.com", unit_of_value="accepted answer"),
            hostile: Ownership(cost_owner=hostile, unit_of_value=hostile),
        }
    )
    signed = CostReviewRow(week="2026-W04", owner=hostile, signed_by=hostile, at=_AT, note=hostile, figures={})
    week, _ = read_week("2026-W04", _AT)
    features = ["support", hostile, long]
    figures = gather(features, (before, now), (before, now), (_units(), _waste(), _states(hostile, long)), basis)
    today = msgspec.structs.replace(figures, features=figures.features[1:])
    return MoneyPatterns(
        cost=_cost(view, now, before, basis, hostile, long),
        empty_cost=_cost(view, _answer("feature", {}), _answer("feature", {}), CostBasis(), "", ""),
        budgets=_budgets(hostile, long),
        form=budget_form(
            {"name": hostile, "scope": long, "limit": "500", "mode": "soft"},
            wrong=BudgetWrong([(("limit",), "must be an amount with its currency"), ((), hostile)]),
            reason_problem="is missing and required",
        ),
        sheet=review_page(week, now=_AT, owner=hostile, found=today, signed=[signed, signed], kept=figures),
        owners=review_page(
            week,
            now=_AT,
            owners=owner_lines({"finance@example.com": ["support"], "": [hostile, long]}, (before, now), [], week),
        ),
    )


def _cost(view: CostView, now: CostAnswer, before: CostAnswer, basis: CostBasis, hostile: str, long: str) -> CostPage:
    spends = {group.names[0]: group.spend for group in now.groups}
    waste, saved = waste_rows(_waste() if spends else (), ((), ()), basis, view, now.total.cost_nusd)
    hours = {(view.since + timedelta(hours=place)).isoformat(): _spend(10**8 * (1 + place % 7)) for place in range(24)}
    found = CostFound(
        today=now.total,
        last_week=before.total,
        days=((view.since, view.until), (view.since - timedelta(7), view.until - timedelta(7))),
        now=now,
        before=before,
        hourly=_answer("hour", hours if spends else {}),
        prices=("genai-prices 0.0.30", _AT) if spends else None,
    )
    tables = CostTables(
        movers=mover_table(before, now, view),
        burn=_burn(hostile, long) if spends else (),
        units=unit_lines(spends, _units(), basis, view) if spends else (),
        waste=waste,
        saved=saved,
    )
    return cost_page(found, view, basis, tables)


def _budgets(hostile: str, long: str) -> BudgetsPage:
    edit = BudgetEditRow(
        name="b", definition={"scope": {"tenant": "*"}, "limit": "30 USD"}, is_added=False, is_removed=False,
        at=_AT, by=hostile, reason=long,
    )  # fmt: skip
    hold = LedgerRow(
        id=1, account=f"{_MONTH.id}|{hostile}", kind="expired", call_id="01FAKE", at=_AT, amount=12_000_000,
        settled=None, state="open", noted_at=_AT, closed_at=None, actor="", reason="",
    )  # fmt: skip
    found = BudgetsFound(
        budgets=[_MONTH],
        states=_states(hostile, long),
        counts={_MONTH.id: 4},
        holds=[hold],
        notes={f"would_refuse {_MONTH.id}": 12, f"refused {hostile}": 3, "degraded b": 1},
        declared={"b": {"scope": {"tenant": "*"}, "limit": "20 USD"}},
        edits={"b": edit, hostile: replace(edit, name=hostile, is_added=True), "gone": replace(edit, name="gone")},
    )
    return budgets_page(found, read_view({}, now=_AT).query, Choice())


def _states(hostile: str, long: str) -> list[AccountState]:
    def state(tenant: str, settled: int, mode: str = "hard") -> AccountState:
        return AccountState(
            key=f"{_MONTH.id}|{tenant}", budget=_MONTH.id, scope={"tenant": tenant, "feature": "support"}, unit="nusd",
            mode="shadow" if mode == "shadow" else "hard", limit=_MONTH.limit, settled=settled, leased=10**8,
            window_start=_AT.replace(day=1, hour=0, minute=0), window_end=datetime(2026, 2, 1, tzinfo=UTC),
            expired=10**7 if tenant == hostile else 0, unpriced_calls=3 if tenant == long else 0,
        )  # fmt: skip

    return [state("acme", 21 * 10**9), state(hostile, 17 * 10**9), state(long, 3 * 10**9), state("x", 1, "shadow")]


def _burn(hostile: str, long: str) -> tuple[BurnLine, ...]:
    early = _AT.replace(day=11)
    return tuple(burn_line(state, _MONTH, {}, now=early) for state in _states(hostile, long))


def _units() -> dict[str, Units]:
    return {"support": Units(said_milli=412_000, reported_milli=500)}


def _waste() -> tuple[Waste, ...]:
    return (
        Waste(kind="failed", feature="support", calls=41, nusd=120_000_000, uncertain_nusd=0, unpriced_calls=2),
        Waste(kind="repeats", feature="support", calls=9, nusd=1_000_000, uncertain_nusd=0, unpriced_calls=0),
    )


def _spend(nusd: int) -> Spend:
    return replace(
        NO_SPEND, calls=900, input_tokens=1_200_000, output_tokens=90_000, cost_nusd=nusd, estimated_nusd=nusd // 20,
        estimated_calls=30, priced_tokens=1_290_000,
    )  # fmt: skip


def _unpriced() -> Spend:
    return replace(NO_SPEND, calls=12, unpriced_calls=12, cost_nusd=None)


def _answer(by: str, spends: dict[str, Spend]) -> CostAnswer:
    groups = tuple(CostGroup(names=(name,), spend=spend) for name, spend in spends.items())
    total = NO_SPEND
    for spend in spends.values():
        names = Spend.__dataclass_fields__
        total = Spend(**{name: (getattr(total, name) or 0) + (getattr(spend, name) or 0) for name in names})
    return CostAnswer(
        by=("hour" if by == "hour" else "feature",), total=total, groups=groups, other=None, other_groups=0
    )
