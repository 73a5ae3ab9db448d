"""The time over which a budget is counted: a part of the calendar, the time just gone by, or all time."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

ROLLING_BUCKETS = 60
"""Into so many parts a rolling window is cut; what is spent leaves it a part at a time, so never too early."""
NEVER_S = 1 << 40
"""A Unix time, in seconds, that does not come."""

Calendar = Literal["hour", "day", "week", "month", "quarter", "year"]

_DAYS: dict[Calendar, int] = {"day": 1, "week": 7}
_MONTHS: dict[Calendar, int] = {"month": 1, "quarter": 3, "year": 12}


class Span(NamedTuple):
    """From when a window counts, and when that changes. Unix seconds."""

    counted_from_s: int
    """The start of the first bucket that counts."""
    bucket_s: int
    """The start of the bucket that takes what is spent now."""
    until_s: int
    """When a calendar window ends, or the present bucket of a rolling one; `NEVER_S` for all time."""


class Window(Struct, frozen=True, gc=False):
    """What is counted together. Sums are kept by bucket: a calendar window is one, a rolling one `ROLLING_BUCKETS`."""

    kind: Literal["calendar", "rolling", "lifetime"]
    calendar: Calendar = "month"
    zone: str = "UTC"
    length_s: int = 0
    """Of a rolling window."""

    def at(self, unix_s: int) -> Span:
        """Return the span that holds at a Unix time."""
        match self.kind:
            case "lifetime":
                return Span(0, 0, NEVER_S)
            case "rolling":
                step = max(1, self.length_s // ROLLING_BUCKETS)
                bucket, gone = unix_s - unix_s % step, unix_s - self.length_s
                return Span(gone - gone % step, bucket, bucket + step)
            case "calendar":
                start, end = _calendar_span(self.calendar, self.zone, unix_s // 900)
                return Span(start, start, end)

    @property
    def words(self) -> str:
        """Say it for people: `calendar month (Europe/Berlin)`, `rolling 24 h`, `lifetime`."""
        match self.kind:
            case "lifetime":
                return "lifetime"
            case "rolling":
                hours, rest = divmod(self.length_s, 3600)
                return f"rolling {self.length_s} s" if rest or not hours else f"rolling {hours} h"
            case "calendar":
                return f"calendar {self.calendar}" + (f" ({self.zone})" if self.zone != "UTC" else "")


@lru_cache(maxsize=4096)
def _calendar_span(calendar: Calendar, zone: str, quarter_hours: int) -> tuple[int, int]:
    """Return start and end of the part of the calendar that a quarter of an hour lies in.

    Every zone's offset is a whole number of quarters today, so no boundary lies within one.
    """
    here = datetime.fromtimestamp(quarter_hours * 900, UTC).astimezone(ZoneInfo(zone))
    if calendar == "hour":
        # An hour of the clock may come twice; what is counted is the hour of time.
        start_s = quarter_hours * 900 - (here.minute * 60 + here.second)
        return start_s, start_s + 3600
    day = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if calendar in _DAYS:
        start = day - timedelta(days=day.weekday() if calendar == "week" else 0)
        end = start + timedelta(days=_DAYS[calendar])
    else:
        months = _MONTHS[calendar]
        start = day.replace(day=1, month=(day.month - 1) // months * months + 1)
        years, month = divmod(start.month - 1 + months, 12)
        end = start.replace(year=start.year + years, month=month + 1)
    return int(start.timestamp()), int(end.timestamp())
