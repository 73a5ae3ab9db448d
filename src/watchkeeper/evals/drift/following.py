"""From looks to findings: what one look shows for certain, or two in a row, is told; and when it ends, that is told.

Also how long ago a reference may lie, and which windows are due.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from watchkeeper.evals.drift.levels import Window
from watchkeeper.evals.drift.readings import Look, Reading, Reference

FIRST_DAYS = timedelta(days=7)
"""Of a release, with which its later calls are compared until somebody accepts something else."""
YOUNG = timedelta(days=1)
"""A release that is younger is not compared with itself yet."""
LENGTH: dict[Window, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
BY = "watchkeeper"


def window_before(moment: datetime, window: Window) -> tuple[datetime, datetime]:
    """Return the last hour, or the last day of UTC, that was over at a moment."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if window == "day":
        start = start.replace(hour=0)
    return start - LENGTH[window], start


def first_reference(begun: datetime, since: datetime) -> Reference | None:
    """Return what a group is compared with that nobody has accepted anything for: its first days, up to the window.

    Args:
        begun: When its first call came.
        since: Beginning of the window that is looked at.
    """
    until = min(begun + FIRST_DAYS, since)
    return Reference(since=begun, until=until, by=BY) if until - begun >= YOUNG else None


def told(look: Look, before: Look | None) -> tuple[Reading, ...]:
    """Return what is told of a look: what it shows for certain, and what the look before has shown, too."""
    return tuple(one for one in look.readings if one.breach == "certain" or (one.breach and _shows(before, one, look)))


def over(open_signals: Collection[str], look: Look, before: Look | None, other: Look | None) -> tuple[str, ...]:
    """Return which signals are as they were again: in two looks in a row, and in the last look of the other window."""
    return tuple(
        name
        for name in open_signals
        if look.reading(name) is not None
        and not any(_is_breached(one, name) for one in (look, before, other) if one is not None)
    )


def _shows(before: Look | None, reading: Reading, look: Look) -> bool:
    if before is None or before.until != look.since:
        return False
    known = before.reading(reading.signal)
    return known is not None and known.breach != "" and _direction(known) == _direction(reading)


def _is_breached(look: Look, name: str) -> bool:
    known = look.reading(name)
    return known is not None and known.breach != ""


def _direction(reading: Reading) -> tuple[str, bool]:
    """Where a signal has gone: up or down, or to which value."""
    if reading.before is not None and reading.after is not None:
        return "", reading.after > reading.before
    first = reading.levels[0] if reading.levels else None
    return (first.name, first.after > first.before) if first is not None else ("", False)
