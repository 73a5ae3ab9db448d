"""What a unit of value costs by feature; what was wasted and saved, in short."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.api.economy import waste_document
from watchkeeper.api.services import CostBasis
from watchkeeper.api.spend import NOBODY
from watchkeeper.console import figures
from watchkeeper.console.costing import CostView
from watchkeeper.core.money import nusd
from watchkeeper.money.units import UnitCost, unit_cost, written
from watchkeeper.store.cost_rows import NO_SPEND, Spend
from watchkeeper.store.value import Units
from watchkeeper.store.waste import CacheSaving, Routed, Waste, WasteKind

UNITS_SHOWN = 30
_WASTE_WORDS: dict[WasteKind, str] = {
    "retries": "Retries paid for",
    "failed": "Failed calls paid for",
    "abandoned": "Abandoned calls",
    "repeats": "Repeats that a cache could answer",
}
_WASTE_FILTERS: dict[WasteKind, dict[str, str]] = {
    "retries": {}, "failed": {"status": "error"}, "abandoned": {"status": "cancelled"}, "repeats": {},
}  # fmt: skip
STATUS_WORDS = {
    "measured": "",
    "estimated": "est.",
    "incomplete": "at least",
    "unpriced": "unpriced",
    "no_units": "no unit reported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLine:
    """One feature's cost of a unit of value."""

    feature: str
    href: str
    owner: str
    """Who pays for it; empty when nobody is named."""
    unit: str
    units: str
    cost: str
    per_unit: str
    exact: str
    status: str
    """What must be said of the amount; empty when it is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WasteRow:
    """One kind of waste."""

    about: str
    calls: str
    cost: str
    exact: str
    share: str
    """Of the cost of all calls."""
    href: str
    """The calls; empty where the list of calls cannot choose them."""
    unpriced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLine:
    """One kind of saving."""

    about: str
    calls: str
    saved: str
    exact: str
    status: str
    href: str


def unit_lines(
    spends: Mapping[str, Spend], units: Mapping[str, Units], basis: CostBasis, view: CostView
) -> tuple[UnitLine, ...]:
    """Build the rows: features with a unit or units, dearest first."""
    names = [name for name in spends if name in units or basis.features.get(name, NOBODY).unit_of_value]
    names += [name for name in units if name not in spends]
    return tuple(
        _unit_line(name, spends.get(name, NO_SPEND), units.get(name, Units()), basis, view)
        for name in names[:UNITS_SHOWN]
    )


def unit_cost_of(spend: Spend, units: Units) -> UnitCost:
    """Divide."""
    return unit_cost(
        cost_nusd=spend.cost_nusd if spend.calls else 0,
        uncertain_nusd=spend.estimated_nusd + spend.disputed_nusd,
        unpriced_calls=spend.unpriced_calls,
        units_milli=units.milli,
    )


def _unit_line(name: str, spend: Spend, units: Units, basis: CostBasis, view: CostView) -> UnitLine:
    owned, cost = basis.features.get(name, NOBODY), unit_cost_of(spend, units)
    return UnitLine(
        feature=name or "(no feature)",
        href=view.calls_url(view.since, view.until, **({"feature": name} if name else {"without": "feature"})),
        owner=owned.cost_owner,
        unit=owned.unit_of_value,
        units=written(units.milli),
        cost=figures.column_amount(spend.cost_nusd),
        per_unit=figures.amount(cost.nusd),
        exact=figures.exact_money(cost.nusd) if cost.nusd is not None else "",
        status=STATUS_WORDS[cost.status],
    )


def waste_rows(
    wasted: Iterable[Waste],
    saved: tuple[Sequence[CacheSaving], Sequence[Routed]],
    basis: CostBasis,
    view: CostView,
    total_nusd: int | None,
) -> tuple[tuple[WasteRow, ...], tuple[SavedLine, ...]]:
    """Build both tables."""
    found = waste_document(view.scope, wasted, saved, basis)
    rows = []
    for line in found.waste:
        cost, filters = nusd(line.total.cost_usd), _WASTE_FILTERS[line.kind]
        rows.append(
            WasteRow(
                about=_WASTE_WORDS[line.kind],
                calls=figures.count(line.total.calls),
                cost=figures.column_amount(cost),
                exact=figures.exact_money(cost),
                share=figures.share(cost, total_nusd or 0),
                href=view.calls_url(view.since, view.until, **filters) if filters and line.total.calls else "",
                unpriced=figures.count(line.total.unpriced_calls) if line.total.unpriced_calls else "",
            )
        )
    cache, routing = found.savings.cache, found.savings.routing
    return tuple(rows), (
        SavedLine(
            about="Answers from the cache",
            calls=figures.count(cache.calls),
            saved=figures.column_amount(nusd(cache.saved_usd)),
            exact=figures.exact_money(nusd(cache.saved_usd)),
            status="",
            href=view.calls_url(view.since, view.until, served="cache") if cache.calls else "",
        ),
        SavedLine(
            about="Cheaper targets chosen",
            calls=figures.count(routing.calls),
            saved=figures.column_amount(nusd(routing.saved_usd)),
            exact=figures.exact_money(nusd(routing.saved_usd)),
            status="est.",
            href="",
        ),
    )
