"""What one call counts against, and what is held for it."""

from typing import NamedTuple

from msgspec import Struct

from watchkeeper.gateway.account import Account
from watchkeeper.money.budgets import Budget

NO_SLOT = -1


class Worth(NamedTuple):
    """What one call can use at its most."""

    tokens: int
    nusd: int | None
    """None when one of the targets cannot be priced."""


UNKNOWN = Worth(0, None)


class Scopes(NamedTuple):
    """The accounts of one caller; the same for each of its calls."""

    budgets: tuple[Account, ...]
    """That calls draw on."""
    counted: tuple[Account, ...]
    """That are only added up."""
    limits: tuple[Account, ...]
    single: tuple[Budget, ...]
    """About each call by itself."""

    @property
    def is_empty(self) -> bool:
        """Nothing is counted."""
        return not (self.budgets or self.counted or self.limits or self.single)


class Tab(Struct, eq=False):
    """Of one call."""

    scopes: Scopes
    holds: list[tuple[Account, int]] = []
    slot: int = NO_SLOT
    """In the book of holds; `NO_SLOT` where it is not in it."""
    worth: Worth = UNKNOWN
    counts: bool = True
    """Whether the call is charged; not where a budget refuses it."""
    tier: str = ""
    """Where budgets send the call; empty where the route decides."""
    cache_only: Account | None = None
    """The budget because of which only the cache may answer."""
    used_share: float = 0.0
    """Of the most used budget."""
    headers: bytes = b""
    """`x-ratelimit-*`."""
