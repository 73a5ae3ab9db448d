"""Cost: today, its course, by whom it was caused, what moved, and how far the budgets reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from watchkeeper.api.services import CostBasis
from watchkeeper.api.spend import NOBODY
from watchkeeper.console import figures
from watchkeeper.console.charts.meter import meter
from watchkeeper.console.charts.series import Marker, draw
from watchkeeper.console.costing import DIMENSIONS, PATH, CostView, export_href
from watchkeeper.console.pages.burn import BurnLine
from watchkeeper.console.pages.cost_course import course
from watchkeeper.console.pages.economy import SavedLine, UnitLine, WasteRow
from watchkeeper.console.pages.movers import Mover, MoverTable
from watchkeeper.console.pages.panels import Change, Legend, change_of
from watchkeeper.console.pages.picker import Picker, WindowLink, picker
from watchkeeper.console.query import LABELS, WITHOUT
from watchkeeper.store.cost_rows import CostAnswer, Spend

ROWS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One figure of the strip on top."""

    label: str
    value: str
    exact: str
    note: str = ""
    href: str = ""
    """The calls behind it."""
    change: Change | None = None
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One group of calls."""

    name: str
    href: str
    """Its calls."""
    narrow_href: str
    """This page for it alone; empty when it is narrowed to it already."""
    owner: str
    """Cost owner of a feature; empty where the table is not by feature."""
    has_no_owner: bool
    meter: Markup
    share: str
    calls: str
    tokens: str
    cost: str
    exact: str
    estimated: str
    """Share of the cost that is estimated; empty for none."""
    unpriced: str
    """Calls that are missing from the cost; empty for none."""
    unpriced_href: str
    cost_per_call: str
    change: Change | None
    is_mover: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """Where a row leads, and what stands beside its figures."""

    href: str
    unpriced_href: str
    change: Change | None
    narrow_href: str = ""
    owner: str = ""
    has_no_owner: bool = False
    is_mover: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPage:
    """The page."""

    picker: Picker
    problems: tuple[str, ...]
    chips: tuple[tuple[str, str, str], ...]
    """Label, value, and the link that drops it, for each condition."""
    since: str
    until: str
    length: str
    tz: str
    path: str
    kept: tuple[tuple[str, str], ...]
    """Parameters that the form of the time zone carries along."""
    standings: tuple[Standing, ...]
    svg: Markup
    legend: tuple[Legend, ...]
    step: str
    by: str
    by_label: str
    choices: tuple[WindowLink, ...]
    lines: tuple[CostLine, ...]
    total: CostLine
    others: CostLine | None
    others_count: str
    overlaps: bool
    movers: MoverTable | None
    burn: tuple[BurnLine, ...]
    units: tuple[UnitLine, ...] | None
    """None where units are not known for the calls chosen."""
    waste: tuple[WasteRow, ...]
    saved: tuple[SavedLine, ...]
    prices: str
    """Where the latest price came from; empty when no call was priced."""
    prices_since: str
    exports: tuple[WindowLink, ...]
    has_calls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFound:
    """What the stores answered."""

    today: Spend
    last_week: Spend
    days: tuple[tuple[datetime, datetime], tuple[datetime, datetime]]
    """Today so far, and the same of the week before."""
    now: CostAnswer
    before: CostAnswer
    hourly: CostAnswer
    prices: tuple[str, datetime | None] | None
    markers: Sequence[Marker] = ()
    """Changes that were made in the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTables:
    """The other tables of the page, built already."""

    movers: MoverTable | None
    burn: tuple[BurnLine, ...]
    units: tuple[UnitLine, ...] | None
    waste: tuple[WasteRow, ...]
    saved: tuple[SavedLine, ...]


def cost_page(found: CostFound, view: CostView, basis: CostBasis, tables: CostTables) -> CostPage:
    """Build the page from what the stores found."""
    query = view.query
    drawn = course(found.hourly, view, found.markers)
    movers = {mover.name for mover in tables.movers.movers} if tables.movers else set[str]()
    before = {group.names[0]: group.spend for group in found.before.groups}
    known_before = before if found.before.other is None else None
    total, other = found.now.total, found.now.other
    shown = found.now.groups[:ROWS_SHOWN]
    hidden = len(found.now.groups) - len(shown) + found.now.other_groups
    return CostPage(
        picker=picker(query, PATH),
        problems=query.problems,
        chips=tuple((LABELS[name], value, view.url(**{name: ""})) for name, value in query.chosen.items()),
        since=figures.iso(view.since),
        until=figures.iso(view.until),
        length=figures.span(view.until - view.since),
        tz=view.tz,
        path=PATH,
        kept=tuple((query.chosen | query.window.parameters() | {"by": view.by}).items()),
        standings=_standings(found, view),
        svg=draw(drawn.chart, height=168),
        legend=drawn.legend,
        step=drawn.step,
        by=view.by,
        by_label=LABELS[view.by],
        choices=tuple(WindowLink(LABELS[name], view.url(by=name), name == view.by) for name in DIMENSIONS),
        lines=tuple(
            _line(group.names[0], group.spend, total, (before, known_before), view, basis, movers) for group in shown
        ),
        total=_sum_line("All calls", total, total, found.before.total, view),
        others=_sum_line("", _rest(total, [one.spend for one in shown]), total, None, view)
        if hidden and view.by != "tag"
        else None,
        others_count=figures.count(hidden) if hidden else "",
        overlaps=view.by == "tag",
        movers=tables.movers,
        burn=tables.burn,
        units=tables.units,
        waste=tables.waste,
        saved=tables.saved,
        prices=found.prices[0] if found.prices else "",
        prices_since=figures.iso(found.prices[1]) if found.prices and found.prices[1] else "",
        exports=_exports(view),
        has_calls=bool(total.calls or found.before.total.calls or found.today.calls or other),
    )


def name_filter(name: str, value: str) -> dict[str, str]:
    """Return the URL parameters that choose the calls of a group; of the nameless one, those that lack the name."""
    return {name: value} if value else {"without": name} if name in WITHOUT else {}


def _standings(found: CostFound, view: CostView) -> tuple[Standing, ...]:
    (since, until), (then_since, then_until) = found.days
    day, total = f"{then_since.astimezone(until.tzinfo):%A}", found.now.total
    href = view.calls_url(view.since, view.until, cost="unpriced")
    known = [
        Standing(
            label="Today so far",
            value=figures.money(found.today.cost_nusd),
            exact=figures.exact_money(found.today.cost_nusd),
            note=f"{figures.count(found.today.calls)} calls",
            href=view.calls_url(since, until),
            change=change_of(found.today.cost_nusd, found.last_week.cost_nusd, better="down"),
        ),
        Standing(
            label=f"Last {day} by this time",
            value=figures.money(found.last_week.cost_nusd),
            exact=figures.exact_money(found.last_week.cost_nusd),
            note=f"{figures.count(found.last_week.calls)} calls",
            href=view.calls_url(then_since, then_until),
        ),
        Standing(
            label=f"Last {figures.span(view.until - view.since)}",
            value=figures.money(total.cost_nusd),
            exact=figures.exact_money(total.cost_nusd),
            note=f"{figures.count(total.calls)} calls",
            href=view.calls_url(view.since, view.until),
            change=change_of(total.cost_nusd, found.before.total.cost_nusd, better="down"),
        ),
        Standing(
            label="Measured",
            value=figures.money(total.measured_nusd),
            exact=figures.exact_money(total.measured_nusd),
            note=f"{figures.count(total.priced_calls - total.estimated_calls)} calls",
            href=view.calls_url(view.since, view.until, cost="measured"),
        ),
        Standing(
            label="Estimated",
            value=figures.money(total.estimated_nusd),
            exact=figures.exact_money(total.estimated_nusd),
            note=f"{figures.count(total.estimated_calls)} calls",
            href=view.calls_url(view.since, view.until, cost="estimated"),
        ),
    ]
    if total.disputed_nusd:
        known.append(
            Standing(
                label="Disputed",
                value=figures.money(total.disputed_nusd),
                exact=figures.exact_money(total.disputed_nusd),
                href=view.calls_url(view.since, view.until, cost="disputed"),
            )
        )
    unpriced = Standing(
        label="Unpriced",
        value=figures.count(total.unpriced_calls),
        exact="Calls whose price nobody knows; they are missing from every sum",
        note="calls, in no sum" if total.unpriced_calls else "calls",
        href=href if total.unpriced_calls else "",
        is_warning=bool(total.unpriced_calls),
    )
    return (*known, unpriced)


def _line(
    name: str,
    spend: Spend,
    total: Spend,
    before: tuple[Mapping[str, Spend], Mapping[str, Spend] | None],
    view: CostView,
    basis: CostBasis,
    movers: set[str],
) -> CostLine:
    earlier, all_earlier = before
    was = earlier.get(name)
    change = change_of(spend.cost_nusd, was.cost_nusd, better="down") if was else None
    if was is None and all_earlier is not None:
        change = Change("new")
    owned = basis.features.get(name, NOBODY) if view.by == "feature" else NOBODY
    chosen = name_filter(view.by, name)
    marks = _Marks(
        href=view.calls_url(view.since, view.until, **chosen) if chosen else "",
        unpriced_href=view.calls_url(view.since, view.until, **chosen, cost="unpriced"),
        narrow_href=view.url(**{view.by: name}) if name and view.query.chosen.get(view.by) != name else "",
        owner=owned.cost_owner,
        has_no_owner=view.by == "feature" and not owned.cost_owner,
        change=change,
        is_mover=name in movers,
    )
    return _with(name or f"(no {LABELS[view.by].lower()})", spend, total, marks)


def _sum_line(name: str, spend: Spend, total: Spend, before: Spend | None, view: CostView) -> CostLine:
    marks = _Marks(
        href=view.calls_url(view.since, view.until) if name else "",
        unpriced_href=view.calls_url(view.since, view.until, cost="unpriced"),
        change=change_of(spend.cost_nusd, before.cost_nusd, better="down") if before else None,
    )
    return _with(name, spend, total, marks)


def _with(name: str, spend: Spend, total: Spend, marks: _Marks) -> CostLine:
    cost, whole = spend.cost_nusd, total.cost_nusd or 0
    tokens = spend.input_tokens + spend.output_tokens
    per_call = None if cost is None or not spend.priced_calls else round(cost / spend.priced_calls)
    return CostLine(
        name=name,
        href=marks.href,
        narrow_href=marks.narrow_href,
        owner=marks.owner,
        has_no_owner=marks.has_no_owner,
        meter=meter((cost or 0) / whole if whole else 0.0),
        share=figures.share(cost or 0, whole),
        calls=figures.count(spend.calls),
        tokens=figures.short_count(tokens),
        cost=figures.column_amount(cost),
        exact=figures.exact_money(cost),
        estimated=figures.share(spend.estimated_nusd, cost) if cost and spend.estimated_nusd else "",
        unpriced=figures.short_count(spend.unpriced_calls) if spend.unpriced_calls else "",
        unpriced_href=marks.unpriced_href,
        cost_per_call=figures.column_amount(per_call),
        change=marks.change,
        is_mover=marks.is_mover,
    )


def _rest(total: Spend, shown: Sequence[Spend]) -> Spend:
    def left(name: str) -> int:
        return (getattr(total, name) or 0) - sum(getattr(one, name) or 0 for one in shown)

    names = [name for name in Spend.__dataclass_fields__ if name != "cost_nusd"]
    calls, unpriced = left("calls"), left("unpriced_calls")
    return Spend(cost_nusd=left("cost_nusd") if calls > unpriced else None, **{name: left(name) for name in names})


def _exports(view: CostView) -> tuple[WindowLink, ...]:
    """Links to the tables; they take the same calls of the same time."""
    found = []
    for form, label in (("csv", "CSV"), ("parquet", "Parquet")):
        for by, what in ((view.by, f"by {LABELS[view.by].lower()}"), ("", "one row a call")):
            found.append(WindowLink(f"{label}, {what}", export_href(view.scope, form=form, by=by), False))
    return tuple(found)


__all__ = ["CostFound", "CostLine", "CostPage", "CostTables", "Mover", "Standing", "cost_page", "name_filter"]
