"""What a look at drift is about, and what was found for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.evals.drift.levels import Levels, Window
from watchkeeper.evals.drift.readings import Group, Reference
from watchkeeper.evals.drift.seen import Seen, Text

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A group that is to be looked at."""

    group: Group
    window: Window
    since: datetime
    until: datetime
    levels: Levels
    reference: Reference

    @property
    def hours(self) -> list[datetime]:
        """The hours of the window."""
        return [self.since + step * HOUR for step in range(int((self.until - self.since) / HOUR))]


@dataclass(frozen=True, slots=True)
class Found:
    """Calls of a group in a stretch of time."""

    calls: int
    rows: tuple[Seen, ...]
    inputs: tuple[Text, ...] = ()
    outputs: tuple[Text, ...] = ()
