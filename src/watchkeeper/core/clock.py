"""Time, asked for through a port so that tests can hold it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the program learns the time."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; may jump when the host's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The host's clock."""

    unix_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)
