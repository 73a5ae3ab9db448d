"""How much of what they could have used calls really use."""

from math import ceil, log2

STEPS_PER_HALVING = 4
BUCKETS = 20 * STEPS_PER_HALVING
LEAST_SEEN = 100
"""Calls that must have been seen before the spread says anything."""
LOOK_AFTER = 50
"""Calls between two looks at the spread."""
SEEN_MAX = 5_000
"""Calls after which half of what was seen is forgotten, so that the figure follows a change."""


class Spread:
    """The share of the most possible that 99 of 100 calls stay below, in classes a quarter of a halving wide."""

    __slots__ = ("_counts", "_fresh", "_seen", "p99")

    def __init__(self) -> None:
        self._counts = [0] * (BUCKETS + 1)
        self._seen = 0
        self._fresh = 0
        self.p99 = 1.0
        """1 until enough has been seen."""

    def observe(self, used: int, most: int) -> None:
        """Take in one call."""
        if most <= 0:
            return
        share = min(1.0, used / most)
        bucket = BUCKETS if share <= 0 else min(BUCKETS, int(-log2(share) * STEPS_PER_HALVING))
        self._counts[bucket] += 1
        self._seen += 1
        self._fresh += 1
        if self._fresh >= LOOK_AFTER and self._seen >= LEAST_SEEN:
            self._look()

    def _look(self) -> None:
        self._fresh = 0
        above = self._seen // 100
        for bucket, count in enumerate(self._counts):
            above -= count
            if above < 0:
                self.p99 = float(2 ** (-bucket / STEPS_PER_HALVING))
                break
        if self._seen >= SEEN_MAX:
            self._counts = [count // 2 for count in self._counts]
            self._seen = sum(self._counts)


def share_of(amount: int, share: float) -> int:
    """Return a share of an amount, rounded up."""
    return amount if share >= 1.0 else min(amount, ceil(amount * share))
