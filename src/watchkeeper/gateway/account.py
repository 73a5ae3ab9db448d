"""One holder's account with a budget or limit, as far as this worker knows it."""

from msgspec import Struct

from watchkeeper.gateway.wire.runs import Signal
from watchkeeper.money.budgets import Budget, Limit, Rule
from watchkeeper.money.leases import Account as Told

IDLE_S = 2.0
"""A lease that no call has touched for so long is given back."""
REFUSAL_KEPT_S = 0.1
"""How long the ledger's no is repeated without asking again; what calls give back meanwhile is used all the same."""
STALE_S = 1.0
"""What was told of a budget that decides where calls go is asked anew after this."""
GROWTH = 2
SMALLEST_LIKE = 16
"""So many times what one call needs is asked for at first; as long as it does not last, twice as much each time."""
EVEN = 5
"""Per cent of the limit: with less left, the most that a call could cost is held, not what calls mostly cost."""
WORST_CASES = 20
"""Of a call must fit beside each other, else the same."""


class Account(Struct, eq=False, gc=False):
    """What is leased, what of it is held by calls under way, and what the ledger last said."""

    key: str
    rule: Rule
    values: tuple[str, ...]
    left: int = 0
    """Leased and held by no call."""
    held: int = 0
    """By calls under way."""
    drawn: int = 0
    """Spent here since the ledger last told; it does not know of it yet."""
    told: Told | None = None
    told_at: float = 0.0
    """Monotonic time, as all others here."""
    used_at: float = 0.0
    """When a call last touched it."""
    liked: int = 0
    """What was asked for last."""
    asked_at: float = 0.0
    asked: int = 0
    """Questions under way."""
    doubt_until: float = 0.0
    """The ledger has not answered, and is not waited for until then."""
    waiting: list[Signal] | None = None
    """Calls that wait for the question under way; None when there is none."""
    no_room_until: float = 0.0
    no_room_for: int = 0
    """What was refused."""

    @property
    def is_at_rest(self) -> bool:
        """Nothing is leased, held or asked here."""
        return self.left <= 0 and not self.held and not self.asked

    @property
    def is_shadow(self) -> bool:
        """Calls go on without it."""
        return isinstance(self.rule, Budget) and self.rule.mode == "shadow"

    @property
    def is_tight(self) -> bool:
        """The ledger grants no more than calls need at once."""
        return self.told is not None and self.told.granted < self.liked

    def take_in(self, told: Told, now: float) -> None:
        """Take in what the ledger says, and what it grants."""
        self.left += told.granted
        self.told = told
        self.told_at = now
        self.drawn = 0

    def refuse(self, need: int, now: float) -> None:
        """Remember for a moment that there is no room for so much."""
        self.no_room_until = now + REFUSAL_KEPT_S
        self.no_room_for = need

    def was_refused(self, need: int, now: float) -> bool:
        """Tell whether the ledger has just refused as little as this, and the lease has not got it either."""
        return now < self.no_room_until and need >= self.no_room_for and self.left < need

    def like(self, need: int, now: float) -> int:
        """Return how much to ask for, so that the next questions are spared."""
        lasted_s = now - self.asked_at
        grown = self.liked * GROWTH if lasted_s < 1.0 else self.liked // GROWTH
        self.liked = max(need, min(self.rule.limit, max(need * SMALLEST_LIKE, grown)))
        self.asked_at = now
        return self.liked

    def used_share(self, unix_s: float) -> float:
        """Return how much of the limit is used, as far as is known here."""
        told = self.told
        if told is None or not told.limit:
            return 0.0
        used = told.used if unix_s < told.resets_s else 0
        return (used + self.drawn) / told.limit

    def is_ample(self, worst: int) -> bool:
        """Tell whether there is so much room that calls need not hold the most that they could cost."""
        told = self.told
        if told is None:
            return False
        room = told.limit - told.used - told.held + self.left
        return room >= worst * WORST_CASES and room * 100 >= told.limit * EVEN

    def lapse(self, unix_s: float) -> None:
        """Let go of a lease whose window is over, as the ledger does."""
        told = self.told
        if told is not None and isinstance(self.rule, Limit) and self.rule.per_s and unix_s >= told.resets_s:
            self.left = 0
            self.told = None
