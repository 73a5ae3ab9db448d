"""What one unit of value costs."""

from typing import Literal, NamedTuple

UnitStatus = Literal["measured", "estimated", "incomplete", "unpriced", "no_units"]
"""measured: every call's cost is. estimated: a part of the cost is estimated or disputed. incomplete: calls without a
price are missing from the cost, so that the amount is a lower bound. unpriced: no call has a price. no_units: none were
reported, or no more than were taken back."""

MILLI = 1000


def written(milli: int) -> str:
    """Write thousandths of a unit as an exact decimal: 2500 -> "2.5"."""
    sign = "-" if milli < 0 else ""
    whole, part = divmod(abs(milli), MILLI)
    return f"{sign}{whole}.{part:03d}".rstrip("0").rstrip(".")


class UnitCost(NamedTuple):
    """The cost of one unit."""

    nusd: int | None
    """Rounded half up; None where the status is `unpriced` or `no_units`."""
    status: UnitStatus


def unit_cost(*, cost_nusd: int | None, uncertain_nusd: int, unpriced_calls: int, units_milli: int) -> UnitCost:
    """Divide the cost of a feature's calls by its units of value.

    cost per unit = cost of all calls of the period, failed ones included / units of the period

    (FinOps Framework, unit economics: the whole cost of serving, over what the business counts.)

    Args:
        cost_nusd: Of the priced calls; None when there are calls and none is priced.
        uncertain_nusd: The part of it that is estimated or disputed.
        unpriced_calls: Calls that are missing from it.
        units_milli: Thousandths of a unit.
    """
    if units_milli <= 0:
        return UnitCost(None, "no_units")
    if cost_nusd is None:
        return UnitCost(None, "unpriced")
    nusd = (2 * cost_nusd * MILLI + units_milli) // (2 * units_milli)
    if unpriced_calls:
        return UnitCost(nusd, "incomplete")
    return UnitCost(nusd, "estimated" if uncertain_nusd else "measured")
