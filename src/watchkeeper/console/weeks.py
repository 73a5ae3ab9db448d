"""Weeks as they stand in URLs: from Monday to Monday, UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from watchkeeper.store.rows import YEARS

WEEK = timedelta(days=7)
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A week from Monday to Monday, UTC."""

    name: str
    since: datetime
    until: datetime
    is_over: bool

    @property
    def before(self) -> str:
        """The week before, by name."""
        return week_name(self.since - timedelta(days=7))

    @property
    def after(self) -> str:
        """The week after, by name."""
        return week_name(self.until)


def week_name(at: datetime) -> str:
    """Name the week of a moment: `2026-W47`."""
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02d}"


def read_week(text: str, now: datetime) -> tuple[Week, list[str]]:
    """Read a week's name; without one, or with one that is none, it is the last that has ended."""
    problems: list[str] = []
    monday = (now - timedelta(days=now.weekday())).date() - WEEK
    found = _WEEK.fullmatch(text.strip())
    if text and found is None:
        problems.append(f"“{text[:40]}” is no week; write it like {week_name(now)}. The last that has ended is shown.")
    if found is not None:
        try:
            monday = _monday(int(found[1]), int(found[2]))
        except ValueError:
            problems.append(f"There is no week “{text[:40]}”. The last that has ended is shown.")
    since = datetime.combine(monday, time(), UTC)
    return Week(name=week_name(since), since=since, until=since + WEEK, is_over=since + WEEK <= now), problems


def _monday(year: int, week: int) -> date:
    if year not in YEARS[1:-1]:
        raise ValueError(f"{year} cannot be asked about")
    return date.fromisocalendar(year, week, 1)
