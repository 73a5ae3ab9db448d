"""The weekly cost review: one sheet for each cost owner, to be signed and printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.burn import burn
from watchkeeper.console.costing import written as instant
from watchkeeper.console.pages.budgets import written
from watchkeeper.console.pages.burn import whose
from watchkeeper.console.pages.economy import STATUS_WORDS
from watchkeeper.console.pages.panels import Change, change_of
from watchkeeper.console.pages.review_figures import BudgetFigures, FeatureFigures, MoverFigures, ReviewFigures
from watchkeeper.console.query import address
from watchkeeper.console.weeks import Week
from watchkeeper.money.units import unit_cost
from watchkeeper.money.units import written as units_written
from watchkeeper.store.cost_reviews import CostReviewRow
from watchkeeper.store.cost_rows import CostAnswer

PATH = "/review"
NO_OWNER = "none"
"""Stands in URLs for features without a cost owner."""
FEATURES_SHOWN = 14
"""So that a sheet stays one page of paper; the rest comes in one sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerLine:
    """One owner in the list of a week."""

    owner: str
    href: str
    features: str
    cost: str
    change: Change | None
    unpriced: str
    signed_by: str
    signed_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureLine:
    """One feature."""

    feature: str
    href: str
    calls: str
    cost: str
    estimated: bool
    before: str
    change: Change | None
    units: str
    per_unit: str
    per_unit_status: str
    waste: str
    unpriced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverLine:
    """One model whose cost moved."""

    model: str
    href: str
    before: str
    cost: str
    difference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """How a budget stood."""

    budget: str
    whose: str
    bar: Markup
    used: str
    limit: str
    share: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signed."""

    by: str
    at: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """The page: the owners of a week, or the sheet of one."""

    week: str
    since: str
    until: str
    before_href: str
    after_href: str
    """Empty where that week has not begun."""
    problems: tuple[str, ...]
    owners: tuple[OwnerLine, ...]
    owner: str
    """Whose sheet it is; empty for the list of owners."""
    owner_key: str
    list_href: str
    cost: str
    before: str
    change: Change | None
    effects: tuple[tuple[str, str, str], ...]
    """Name, amount, and what it means."""
    features: tuple[FeatureLine, ...]
    features_left: str
    movers: tuple[MoverLine, ...]
    budgets: tuple[BudgetLine, ...]
    unpriced: str
    unpriced_href: str
    signed: Signature | None
    earlier: tuple[Signature, ...]
    differs: str
    """How today's figures differ from those that were signed; empty when they agree."""
    can_sign: bool
    seen: str
    """Digest of the figures that are shown: what is signed is what was seen."""
    may_sign: bool = True
    """Whether who looks at it is in charge of the money of all of its features."""


def owner_lines(
    owners: Mapping[str, Sequence[str]],
    answers: tuple[CostAnswer, CostAnswer],
    signed: Sequence[CostReviewRow],
    week: Week,
) -> tuple[OwnerLine, ...]:
    """List the owners of a week, the nameless one last."""
    before, after = ({group.names[0]: group.spend for group in answer.groups} for answer in answers)
    latest = {row.owner: row for row in reversed(signed)}
    lines = []
    for owner, features in owners.items():
        now = [after[name] for name in features if name in after]
        then = [before[name] for name in features if name in before]
        cost, was = (sum(spend.cost_nusd or 0 for spend in spends) for spends in (now, then))
        unpriced, row = sum(spend.unpriced_calls for spend in now), latest.get(owner)
        lines.append(
            OwnerLine(
                owner=owner or "no cost owner",
                href=address(PATH, week=week.name, owner=owner or NO_OWNER),
                features=", ".join(name or "(none)" for name in features),
                cost=figures.column_amount(cost),
                change=change_of(cost, was, better="down"),
                unpriced=figures.count(unpriced) if unpriced else "",
                signed_by=row.signed_by if row else "",
                signed_at=figures.iso(row.at) if row else "",
            )
        )
    return tuple(lines)


def review_page(
    week: Week,
    *,
    now: datetime,
    owners: Sequence[OwnerLine] = (),
    owner: str | None = None,
    found: ReviewFigures | None = None,
    signed: Sequence[CostReviewRow] = (),
    kept: ReviewFigures | None = None,
    problems: Sequence[str] = (),
) -> ReviewPage:
    """Build the page.

    Args:
        week: The week.
        now: The present.
        owners: For the list.
        owner: Whose sheet; None for the list, empty for features without a cost owner.
        found: Today's figures.
        signed: Sign-offs of this owner and week, the latest first.
        kept: The figures of the latest of them, which are shown in the place of today's.
        problems: What could not be done.
    """
    shown = kept or found
    signatures = tuple(Signature(by=row.signed_by, at=figures.iso(row.at), note=row.note) for row in signed)
    differs = differences(kept, found) if kept and found else ""
    lines = tuple(_feature_line(one, week) for one in shown.features) if shown else ()
    unpriced = shown.unpriced_calls if shown else 0
    return ReviewPage(
        week=week.name,
        since=figures.iso(week.since),
        until=figures.iso(week.until - timedelta(milliseconds=1)),
        before_href=_href(week.before, owner),
        after_href=_href(week.after, owner) if week.until <= now else "",
        problems=tuple(problems),
        owners=tuple(owners),
        owner=(owner or "no cost owner") if owner is not None else "",
        owner_key=(owner or NO_OWNER) if owner is not None else "",
        list_href=address(PATH, week=week.name),
        cost=figures.money(shown.nusd) if shown else "",
        before=figures.money(shown.before_nusd) if shown else "",
        change=change_of(shown.nusd, shown.before_nusd, better="down") if shown else None,
        effects=_effects(shown) if shown else (),
        features=lines[:FEATURES_SHOWN],
        features_left=_left(shown) if shown and len(lines) > FEATURES_SHOWN else "",
        movers=tuple(_mover_line(one, week) for one in shown.movers) if shown else (),
        budgets=tuple(map(_budget_line, shown.budgets)) if shown else (),
        unpriced=figures.count(unpriced) if unpriced else "",
        unpriced_href=_calls(week, cost="unpriced"),
        signed=signatures[0] if signatures else None,
        earlier=signatures[1:],
        differs=differs,
        can_sign=week.is_over and found is not None and (not signatures or bool(differs)),
        seen=found.digest if found else "",
    )


def differences(signed: ReviewFigures, today: ReviewFigures) -> str:
    """Say how today's figures differ from those that were signed; empty when they agree."""
    if signed.digest == today.digest:
        return ""
    parts = []
    if signed.nusd != today.nusd:
        parts.append(f"the cost is {figures.exact_money(today.nusd)} instead of {figures.exact_money(signed.nusd)}")
    if signed.unpriced_calls != today.unpriced_calls:
        parts.append(f"{today.unpriced_calls:,} calls are unpriced instead of {signed.unpriced_calls:,}")
    then = {one.feature: one for one in signed.features}
    changed = [one.feature for one in today.features if then.get(one.feature) != one]
    changed += [name for name in then if name not in {one.feature for one in today.features}]
    if changed:
        listed = ", ".join(name or "(none)" for name in changed[:5])
        parts.append(f"in {listed}{' and others' if len(changed) > 5 else ''}")
    return "; ".join(parts) or "units, models or the week before"


def _href(week: str, owner: str | None) -> str:
    return address(PATH, week=week, owner="" if owner is None else owner or NO_OWNER)


def _calls(week: Week, **filters: str) -> str:
    return address("/calls", since=instant(week.since), until=instant(week.until), **filters)


def _effects(shown: ReviewFigures) -> tuple[tuple[str, str, str], ...]:
    one = shown.effects
    return (
        ("Price", figures.signed_amount(one.price), "the same tokens at other prices"),
        ("Volume", figures.signed_amount(one.volume), "more or fewer calls"),
        ("Mix", figures.signed_amount(one.mix), "calls that moved between models"),
        ("Efficiency", figures.signed_amount(one.efficiency), "tokens for each call"),
    )


def _feature_line(one: FeatureFigures, week: Week) -> FeatureLine:
    per_unit = unit_cost(
        cost_nusd=one.nusd,
        uncertain_nusd=one.estimated_nusd,
        unpriced_calls=one.unpriced_calls,
        units_milli=one.units_milli,
    )
    return FeatureLine(
        feature=one.feature or "(no feature)",
        href=_calls(week, **({"feature": one.feature} if one.feature else {"without": "feature"})),
        calls=figures.count(one.calls),
        cost=figures.column_amount(one.nusd),
        estimated=bool(one.estimated_nusd),
        before=figures.column_amount(one.before_nusd),
        change=change_of(one.nusd, one.before_nusd, better="down"),
        units=f"{units_written(one.units_milli)} {one.unit}".strip() if one.unit or one.units_milli else "",
        per_unit=figures.amount(per_unit.nusd) if per_unit.nusd is not None else "",
        per_unit_status=STATUS_WORDS[per_unit.status] if one.unit or one.units_milli else "",
        waste=figures.column_amount(one.waste_nusd),
        unpriced=figures.count(one.unpriced_calls) if one.unpriced_calls else "",
    )


def _left(shown: ReviewFigures) -> str:
    rest = shown.features[FEATURES_SHOWN:]
    return f"{len(rest)} more features: {figures.money(sum(one.nusd or 0 for one in rest))}"


def _mover_line(one: MoverFigures, week: Week) -> MoverLine:
    return MoverLine(
        model=one.model or "(no model)",
        href=_calls(week, **({"model": one.model} if one.model else {"without": "model"})),
        before=figures.column_amount(one.before_nusd),
        cost=figures.column_amount(one.nusd),
        difference=figures.signed_amount((one.nusd or 0) - (one.before_nusd or 0)),
    )


def _budget_line(one: BudgetFigures) -> BudgetLine:
    share = one.used / one.limit if one.limit else 0.0
    return BudgetLine(
        budget=one.budget,
        whose=whose(one.scope),
        bar=burn(share, None),
        used=written(one.used, one.unit),
        limit=written(one.limit, one.unit),
        share=figures.share(one.used, one.limit),
        mode=one.mode,
    )
