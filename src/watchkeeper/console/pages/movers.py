"""What moved between two periods, and why: price, volume, mix and efficiency."""

from dataclasses import dataclass

from watchkeeper.api.comparison import OTHER, spends_of, used_of
from watchkeeper.console import figures
from watchkeeper.console.costing import CostView
from watchkeeper.console.query import LABELS
from watchkeeper.money.effects import Effects, added, effects
from watchkeeper.store.cost_rows import CostAnswer

MOVERS_SHOWN = 5
LEAST = 0.01
"""Share of the earlier period's cost from which a difference is a move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """One group whose cost differs; amounts in dollars, with a sign."""

    name: str
    """As the store has it; empty for calls without such a name."""
    label: str
    href: str
    """Its calls in both periods; empty for all groups together."""
    before: str
    after: str
    difference: str
    price: str
    volume: str
    mix: str
    efficiency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverTable:
    """The groups with the largest differences, and the whole difference."""

    movers: tuple[Mover, ...]
    whole: Mover


def mover_table(before: CostAnswer, after: CostAnswer, view: CostView) -> MoverTable | None:
    """Explain the difference; None where there is nothing to compare, or calls are in several groups."""
    if view.by == "tag" or not (before.total.priced_calls and after.total.priced_calls):
        return None
    first, second = spends_of(before), spends_of(after)
    parts = effects(used_of(first), used_of(second))
    least = LEAST * (before.total.cost_nusd or 0)
    order = sorted((names for names in parts if names != OTHER), key=lambda names: -abs(parts[names].difference))
    since = view.scope_before.since

    def mover(names: tuple[str, ...]) -> Mover:
        name = names[0]
        chosen: dict[str, str] = {view.by: name} if name else {"without": view.by}
        spends = [found[names].cost_nusd if names in found else 0 for found in (first, second)]
        return _mover(
            name,
            name or f"(no {LABELS[view.by].lower()})",
            (spends[0], spends[1]),
            parts[names],
            href=view.calls_url(since, view.until, **chosen),
        )

    shown = [names for names in order[:MOVERS_SHOWN] if abs(parts[names].difference) >= max(1, least)]
    whole = added(parts.values())
    spends = (before.total.cost_nusd, after.total.cost_nusd)
    return MoverTable(movers=tuple(map(mover, shown)), whole=_mover("", "All calls", spends, whole, href=""))


def _mover(name: str, label: str, spends: tuple[int | None, int | None], parts: Effects, *, href: str) -> Mover:
    return Mover(
        name=name,
        label=label,
        href=href,
        before=figures.column_amount(spends[0]),
        after=figures.column_amount(spends[1]),
        difference=figures.signed_amount(parts.difference),
        price=figures.signed_amount(parts.price),
        volume=figures.signed_amount(parts.volume),
        mix=figures.signed_amount(parts.mix),
        efficiency=figures.signed_amount(parts.efficiency),
    )
