"""A clock that moves only when told to."""

START_UNIX_NS = 1_767_225_600_000_000_000
"""2026-01-01 00:00 UTC."""


class FakeClock:
    """A `core.clock.Clock` for tests: both of its times stand still until `advance` or `set_unix_ns`."""

    def __init__(self, unix_ns: int = START_UNIX_NS) -> None:
        self._unix_ns = unix_ns
        self._monotonic_ns = 0

    def unix_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return self._unix_ns

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._monotonic_ns / 1e9

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative; time goes back only for the host's clock, see `set_unix_ns`.
        """
        if seconds < 0:
            raise ValueError("time does not pass backwards; use set_unix_ns to set the host's clock back")
        passed_ns = round(seconds * 1e9)
        self._unix_ns += passed_ns
        self._monotonic_ns += passed_ns

    def set_unix_ns(self, unix_ns: int) -> None:
        """Set the host's clock, as an operator or NTP would; the monotonic time does not notice."""
        self._unix_ns = unix_ns
