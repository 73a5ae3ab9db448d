"""Money: integer nano-dollars (nUSD, 10^-9 US dollars) with a status beside every amount."""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

CostStatus = Literal["measured", "estimated", "unpriced", "disputed"]
"""How far an amount can be relied on.

measured: the upstream's own token counts times a dated price. estimated: we counted, because the
upstream did not say, or it named a service tier that has no price of its own and the ordinary one
was taken. unpriced: no price is known, and the amount is None, never 0. disputed: the upstream's
bill says otherwise.
"""

COST_STATUSES: tuple[CostStatus, ...] = ("measured", "estimated", "disputed", "unpriced")
"""The most reliable first; a sum is as reliable as the least reliable of its parts."""
NUSD_PER_USD = 1_000_000_000


def usd(nusd: int) -> str:
    """Write nano-dollars as an exact decimal string in dollars, without an exponent: 1500 -> "0.0000015"."""
    sign = "-" if nusd < 0 else ""
    whole, part = divmod(abs(nusd), NUSD_PER_USD)
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


def nusd(dollars: str | int | Decimal) -> int:
    """Read an amount in dollars as nano-dollars, rounded half to even.

    Raises:
        decimal.InvalidOperation: the text is not a number.
    """
    return int((Decimal(dollars) * NUSD_PER_USD).to_integral_value())


BudgetUnit = Literal["nusd", "tokens", "calls"]
"""What a budget counts."""


class Charge(Struct, array_like=True, gc=False):
    """What one call takes from one account. Part of the record of a call: add fields at the end, with a default."""

    key: str
    """See `money.budgets.account_key`."""
    rule: str
    """Id of the budget."""
    unit: BudgetUnit
    held: int
    """What was set aside before the call; 0 where nothing was."""
    drawn: int
    """What the worker took for it out of its lease."""
    amount: int | None
    """What it used as far as the worker knows; None for money that nobody can price."""
    at_ns: int = 0
    """Unix time of the hold, by which its window is chosen; 0 for the call's start."""
