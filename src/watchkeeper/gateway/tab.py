"""What one call counts against, and what is held for it."""

from msgspec import Struct

from watchkeeper.gateway.account import Account
from watchkeeper.money.budgets import Budget, Limit

NO_SLOT = -1


class Worth(Struct, frozen=True, gc=False):
    """What one call can use at its most."""

    tokens: int
    nusd: int | None
    """None when one of the targets cannot be priced."""


UNKNOWN = Worth(0, None)


class Scopes(Struct, frozen=True):
    """The accounts of one caller; the same for each of its calls."""

    budgets: tuple[tuple[Account, Budget], ...] = ()
    """That calls draw on."""
    counted: tuple[tuple[Account, Budget], ...] = ()
    """That are only added up."""
    limits: tuple[tuple[Account, Limit], ...] = ()
    single: tuple[Budget, ...] = ()
    """About each call by itself."""
    judged: tuple[tuple[Account, Budget], ...] = ()
    """Those of the budgets whose use decides where calls go."""

    @property
    def is_empty(self) -> bool:
        """Nothing is counted."""
        return not (self.budgets or self.limits or self.counted or self.single)


class Tab(Struct, eq=False):
    """Of one call."""

    scopes: Scopes
    output_tokens: int
    """How long its answers may become."""
    holds: list[tuple[Account, int]] = []
    passes: list[tuple[Account, int]] = []
    """What it takes of limits."""
    held_ns: int = 0
    """Unix time of the hold; 0 where there is none."""
    slot: int = NO_SLOT
    """In the book of holds; `NO_SLOT` where it is not in it."""
    worth: Worth = UNKNOWN
    counts: bool = True
    """Whether the call is charged; not where a budget refuses it."""
    learns_tokens: bool = False
    """Whether its tokens are compared with the most they could have been."""
    tier: str = ""
    """Where budgets send the call; empty where the route decides."""
    cache_only: Account | None = None
    """The budget because of which only the cache may answer."""
    headers: bytes = b""
    """`x-ratelimit-*`."""

    def used_share(self, unix_s: float) -> float:
        """Return the share that is used of the most used budget."""
        return max((account.used_share(unix_s) for account, _ in self.scopes.budgets), default=0.0)
