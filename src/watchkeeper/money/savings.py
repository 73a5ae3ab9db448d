"""What choosing a cheaper target has saved: an estimate, at list prices, against the route's dearest target."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import astuple

from watchkeeper.core.usage import Usage

ListPrice = Callable[[str, Usage, int], int | None]
"""What one call costs that uses so much at a target (`provider/model`) at a Unix time (ns); None when not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Calls of one day that one target has answered."""

    target: str
    at_ns: int
    calls: int
    usage: Usage
    """Of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSaving:
    """An estimate."""

    nusd: int = 0
    calls: int = 0
    """Calls that went to a cheaper target than the route's dearest."""
    uncompared_calls: int = 0
    """Calls whose target, or all of whose alternatives, have no known price."""


def routing_saving(answered: Iterable[Routing], targets: Sequence[str], list_price: ListPrice) -> RoutingSaving:
    """Compare what calls cost with what they would have cost at the dearest of their route's targets.

    saving = calls * (list price at the dearest target - list price at the target that answered), of the average call

    The same number of tokens is assumed everywhere, though targets count differently; thresholds of a price are those
    of the average call. That is why it is an estimate. A target that is dearer than every target of the route, such as
    a fallback, saves nothing and loses nothing here.
    """
    nusd = calls = uncompared = 0
    for group in answered:
        if not group.calls:
            continue
        average = Usage(*((2 * units + group.calls) // (2 * group.calls) for units in astuple(group.usage)))
        paid = list_price(group.target, average, group.at_ns)
        others = [list_price(target, average, group.at_ns) for target in targets if target != group.target]
        known = [price for price in others if price is not None]
        if paid is None or (others and not known):
            uncompared += group.calls
        elif known and max(known) > paid:
            nusd += group.calls * (max(known) - paid)
            calls += group.calls
    return RoutingSaving(nusd=nusd, calls=calls, uncompared_calls=uncompared)
