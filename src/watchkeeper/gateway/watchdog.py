"""Ends attempts whose upstream is silent or takes too long. One ticker looks at all of them; no call has a timer."""

from asyncio import AbstractEventLoop, TimerHandle

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.relay import Relay

TICK_S = 0.25
FIRST_BYTE_TIMEOUT_S = 300.0
"""Large models and cold local ones may think for minutes before the first byte."""
IDLE_TIMEOUT_S = 120.0
TOTAL_TIMEOUT_S = 1800.0


class Watchdog:
    """Watches the attempts under way in one worker."""

    def __init__(self, loop: AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._now = clock.monotonic
        self._relays: set[Relay] = set()
        self._timer: TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return len(self._relays)

    def start(self) -> None:
        """Begin to look, once per tick."""
        self._timer = self._loop.call_later(TICK_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def watch(self, relay: Relay) -> None:
        """Put an attempt under watch."""
        self._relays.add(relay)

    def forget(self, relay: Relay) -> None:
        """Its end has come otherwise."""
        self._relays.discard(relay)

    def _look(self) -> None:
        now = self._now()
        for relay in [relay for relay in self._relays if _is_overdue(relay, now)]:
            relay.expire()
        self._timer = self._loop.call_later(TICK_S, self._look)


def _is_overdue(relay: Relay, now: float) -> bool:
    if relay.is_paused:
        return now - relay.sent_at > TOTAL_TIMEOUT_S
    silent_s = now - relay.heard_at
    limit_s = IDLE_TIMEOUT_S if relay.first_byte_at else FIRST_BYTE_TIMEOUT_S
    return silent_s > limit_s or now - relay.sent_at > TOTAL_TIMEOUT_S
