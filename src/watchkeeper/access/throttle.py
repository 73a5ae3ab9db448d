"""Slows down whoever guesses passwords."""

from collections import OrderedDict

from watchkeeper.core.clock import Clock

FAILURES_ALLOWED = 5
WINDOW_S = 300.0
NAMES_MAX = 10_000
"""Names remembered at once; the longest unchanged is forgotten first."""


class GuessLimit:
    """Counts failed sign-ins by name: after five, the name waits until five minutes have passed since the first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_s(self, name: str) -> float:
        """Return the seconds until the name may be tried again; 0 when it may now."""
        since, count = self._failures.get(name, (0.0, 0))
        left_s = since + WINDOW_S - self._clock.monotonic()
        return left_s if count >= FAILURES_ALLOWED and left_s > 0 else 0.0

    def failed(self, name: str) -> None:
        """Count a failure."""
        now = self._clock.monotonic()
        since, count = self._failures.pop(name, (now, 0))
        if now - since >= WINDOW_S:
            since, count = now, 0
        self._failures[name] = (since, count + 1)
        if len(self._failures) > NAMES_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        self._failures.pop(name, None)
