"""What one worker knows of a target's health: how quick it is, how busy, and whether it may be tried again."""

import math

from watchkeeper.gateway.breaker import Breaker, BreakerTable

MEMORY_S = 10.0
"""After this time without a new measurement, an old one counts for a third."""
RETRIES_SAVED_MAX = 10.0
RETRIES_EARNED = 0.2
"""By each call: when a target fails for everybody, retries add a fifth to its load and not a multiple."""
TARGETS_MAX = 10_000


class Health:
    """One target's."""

    __slots__ = ("_retries", "_seen_at", "breaker", "calls_under_way", "first_token_ms")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.calls_under_way = 0
        self.first_token_ms = 0.0
        """Peak EWMA: a slower answer counts at once and in full, quicker ones wear it off. 0 until there is one."""
        self._seen_at = 0.0
        self._retries = RETRIES_SAVED_MAX

    def forget(self) -> None:
        """Begin anew."""
        self.first_token_ms = 0.0
        self._seen_at = 0.0
        self._retries = RETRIES_SAVED_MAX

    def observe(self, first_token_ms: float, now: float) -> None:
        """Take in a measurement."""
        if first_token_ms >= self.first_token_ms:
            self.first_token_ms = first_token_ms
        else:
            old = math.exp((self._seen_at - now) / MEMORY_S)
            self.first_token_ms = self.first_token_ms * old + first_token_ms * (1.0 - old)
        self._seen_at = now

    @property
    def expected_ms(self) -> float:
        """What a further call may expect, the calls under way counted in."""
        return self.first_token_ms * (self.calls_under_way + 1)

    def earn_retries(self) -> None:
        """A call is made for the first time."""
        if self._retries < RETRIES_SAVED_MAX:
            self._retries += RETRIES_EARNED

    def spend_retry(self) -> bool:
        """Ask for a retry; False when too many were made of late."""
        if self._retries < 1.0:
            return False
        self._retries -= 1.0
        return True


class HealthBook:
    """The health of every target that this worker has met; kept over changes of the configuration."""

    def __init__(self, table: BreakerTable) -> None:
        self._table = table
        self._healths: dict[str, Health] = {}

    def of(self, target: str) -> Health:
        """Find or make a target's."""
        health = self._healths.get(target)
        if health is None:
            if len(self._healths) >= TARGETS_MAX:
                self._healths.clear()
            health = self._healths[target] = Health(self._table.of(target))
        return health

    def clear(self) -> None:
        """Forget what is known of every target."""
        self._table.clear()
        for health in self._healths.values():
            health.forget()

    def states(self, now: float) -> dict[str, dict[str, float | str]]:
        """Describe all of them."""
        return {name: health.breaker.state(now) for name, health in sorted(self._healths.items())}
