"""Rate limits as the keeper counts them: in memory, a window that slides, or slots of calls at a time.

A sliding window is estimated from two fixed ones: what the present one has counted, and of the one before the share
that the sliding window still covers (Cloudflare, "How we built rate limiting capable of scaling to millions of
domains", blog.cloudflare.com/counting-things-a-lot-of-different-things; they measured 0.003 % wrong decisions in 400
million). What is granted counts as used at once; a lease of a window lapses when the window ends, on both sides.
"""

from dataclasses import dataclass, field

from watchkeeper.money.budgets import Limit
from watchkeeper.money.granting import Standing
from watchkeeper.money.windows import NEVER_S

ACCOUNTS_MAX = 1_000_000
"""Remembered at a time; with one more, those with nothing to count are forgotten, then the oldest."""


@dataclass(slots=True)
class _Counted:
    """One holder of one limit."""

    per_s: int
    window: int = 0
    """Number of the present window."""
    present: int = 0
    previous: int = 0
    leased: dict[str, int] = field(default_factory=dict[str, int])
    """By worker: in the present window, or of slots."""

    def turn(self, now_s: float) -> None:
        """Go on to the window of this time."""
        if not self.per_s:
            return
        window = int(now_s // self.per_s)
        if window != self.window:
            self.previous = self.present if window == self.window + 1 else 0
            self.window, self.present = window, 0
            self.leased.clear()

    def is_idle(self, now_s: float) -> bool:
        """Tell whether forgetting it changes nothing."""
        self.turn(now_s)
        return not (self.present or self.previous or self.leased)


class Rates:
    """Counts what limits allow, for one thread."""

    def __init__(self, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._accounts_max = accounts_max
        self._counted: dict[str, _Counted] = {}

    def standing(self, limit: Limit, key: str, now_s: float) -> Standing:
        """Return how an account stands; what is done with the answer changes nothing here."""
        counted = self._counted.get(key)
        resets_s = (int(now_s // limit.per_s) + 1) * limit.per_s if limit.per_s else NEVER_S
        if counted is None or counted.per_s != limit.per_s:
            return Standing(limit.limit, 0, 0, resets_s)
        counted.turn(now_s)
        if not limit.per_s:
            return Standing(limit.limit, 0, sum(counted.leased.values()), resets_s)
        # Seconds as a whole number of milliseconds, rounded so that never too little counts.
        left_ms = limit.per_s * 1000 - int(now_s % limit.per_s * 1000)
        before = -(-counted.previous * left_ms // (limit.per_s * 1000))
        return Standing(limit.limit, before + counted.present, 0, resets_s)

    def take(self, limit: Limit, key: str, holder: str, amount: int, now_s: float) -> None:
        """Count what is granted to a worker."""
        counted = self._counted.get(key)
        if counted is None or counted.per_s != limit.per_s:
            self._make_room(now_s)
            counted = self._counted[key] = _Counted(limit.per_s, int(now_s // limit.per_s) if limit.per_s else 0)
        counted.turn(now_s)
        counted.present += amount if limit.per_s else 0
        counted.leased[holder] = counted.leased.get(holder, 0) + amount

    def believe(self, limit: Limit, key: str, holder: str, amount: int, now_s: float) -> None:
        """Count what a worker says it has, as far as that is not counted yet."""
        counted = self._counted.get(key)
        if counted is not None and counted.per_s == limit.per_s:
            counted.turn(now_s)
            amount -= counted.leased.get(holder, 0)
        if amount > 0:
            self.take(limit, key, holder, amount, now_s)

    def give(self, key: str, holder: str, amount: int, now_s: float) -> bool:
        """Take back what a worker does not need, of its lease in the present window; False for no such account."""
        counted = self._counted.get(key)
        if counted is None:
            return False
        counted.turn(now_s)
        returned = min(amount, counted.leased.get(holder, 0))
        if returned > 0:
            counted.leased[holder] -= returned
            counted.present -= returned if counted.per_s else 0
            if not counted.leased[holder]:
                del counted.leased[holder]
        return True

    def leave(self, holder: str) -> None:
        """Free the slots of a worker whose connection has ended."""
        for counted in self._counted.values():
            if not counted.per_s:
                counted.leased.pop(holder, None)

    def lessees(self, keys: set[str]) -> dict[str, set[str]]:
        """Return who holds a lease of which of these accounts: keys by worker."""
        found: dict[str, set[str]] = {}
        for key in keys & self._counted.keys():
            for holder in self._counted[key].leased:
                found.setdefault(holder, set()).add(key)
        return found

    def _make_room(self, now_s: float) -> None:
        if len(self._counted) < self._accounts_max:
            return
        for key in [key for key, counted in self._counted.items() if counted.is_idle(now_s)]:
            del self._counted[key]
        while len(self._counted) >= self._accounts_max:
            del self._counted[next(iter(self._counted))]
