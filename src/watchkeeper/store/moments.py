"""Times as the control database keeps them: UTC without a zone."""

from datetime import UTC, datetime

from watchkeeper.core.clock import Clock


def now(clock: Clock) -> datetime:
    """The present, as it is stored."""
    return datetime.fromtimestamp(clock.unix_ns() / 1e9, UTC).replace(tzinfo=None)


def stored(moment: datetime | None) -> datetime | None:
    """A moment with a zone, as it is stored."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None else None


def read(moment: datetime | None) -> datetime | None:
    """A stored moment, with its zone."""
    return moment.replace(tzinfo=UTC) if moment is not None else None


def read_known(moment: datetime) -> datetime:
    """A stored moment that is never absent, with its zone."""
    return moment.replace(tzinfo=UTC)
