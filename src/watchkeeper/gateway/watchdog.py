"""Ends attempts whose upstream is silent or takes too long. One ticker looks at all of them; no call has a timer."""

from asyncio import AbstractEventLoop, TimerHandle

from watchkeeper.core.clock import Clock
from watchkeeper.gateway.relay import Relay

TICK_S = 0.1


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
        overdue = [(relay, limit) for relay in self._relays if (limit := relay.overdue(now))]
        for relay, limit in overdue:
            relay.expire(limit)
        self._timer = self._loop.call_later(TICK_S, self._look)
