"""What the cost page asks: a window, a dimension, a time zone, and which calls; read from the URL once."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

from watchkeeper.console.query import DEFAULT_WINDOWS, CallQuery, read_query
from watchkeeper.console.window import WINDOWS
from watchkeeper.core import money
from watchkeeper.store.cost_rows import CostScope, Named

PATH = "/cost"
DIMENSIONS: tuple[Named, ...] = (
    "feature", "tenant", "subject", "key", "model", "provider", "release", "tag", "session", "route", "environment",
)  # fmt: skip
"""What the table may be broken down by, in the order of the page."""
DEFAULT_BY: Named = "feature"
NAMED: tuple[Named, ...] = get_args(Named)
HOUR = timedelta(hours=1)
_STATUSES: tuple[money.CostStatus, ...] = get_args(money.CostStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """What is looked at."""

    query: CallQuery
    by: Named
    tz: str
    """Whose days are meant by today."""
    since: datetime
    """Whole hours, so that the window can be cut into steps."""
    until: datetime
    where: tuple[tuple[Named, str], ...]

    @property
    def scope(self) -> CostScope:
        """Which calls."""
        return self.scope_of(self.since, self.until)

    @property
    def scope_before(self) -> CostScope:
        """The same calls of as much time just before."""
        return self.scope_of(self.since - (self.until - self.since), self.since)

    def scope_of(self, since: datetime, until: datetime) -> CostScope:
        """The same calls of another time."""
        return CostScope(since=since, until=until, where=self.where)

    def url(self, **changes: str) -> str:
        """This page, with some parameters changed."""
        return self.query.url(PATH, **changes)

    def calls_url(self, since: datetime, until: datetime, **filters: str) -> str:
        """The calls behind a figure."""
        return self.query.url("/calls", since=written(since), until=written(until), **filters)


def read_view(parameters: dict[str, str], *, now: datetime) -> CostView:
    """Read a URL's parameters; nothing a person can type makes it fail."""
    query = read_query(parameters, now=now, default_window=DEFAULT_WINDOWS[PATH])
    problems = list(query.problems)
    by = next((name for name in DIMENSIONS if name == parameters.get("by", DEFAULT_BY)), None)
    if by is None:
        problems.append(f"Cost is not broken down by “{parameters['by'][:40]}”; there are {', '.join(DIMENSIONS)}.")
    tz = parameters.get("tz") or "UTC"
    if tz not in available_timezones():
        problems.append(f"There is no time zone “{tz[:60]}”; UTC is used. Write one like Europe/Berlin.")
        tz = "UTC"
    unknown = [name for name in query.chosen if name not in NAMED]
    problems += [f"Cost is not told by {name}; it was left out." for name in unknown]
    chosen = {name: value for name, value in query.chosen.items() if name not in unknown}
    own = {name: value for name, value in (("by", by or DEFAULT_BY), ("tz", tz)) if value not in (DEFAULT_BY, "UTC")}
    since, until = _bounds(query, now)
    return CostView(
        query=replace(query, chosen=chosen, problems=tuple(problems), path=PATH, own=own),
        by=by or DEFAULT_BY,
        tz=tz,
        since=since,
        until=until,
        where=tuple((name, chosen[name]) for name in NAMED if name in chosen),
    )


def written(at: datetime) -> str:
    """Write an instant for a URL."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def export_href(scope: CostScope, *, form: str, by: str) -> str:
    """Return where the table is that other programs read: groups of a dimension, or one row a call for none."""
    parameters = [("format", form), ("by", by), ("since", written(scope.since)), ("until", written(scope.until))]
    parameters += [("where", f"{name}={value}") for name, value in scope.where]
    return f"/api/v1/cost/export?{urlencode([pair for pair in parameters if pair[1]])}"


def today(now: datetime, tz: str) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """Return today so far, and the same weekday a week ago until the same time of its clocks."""
    here = now.astimezone(ZoneInfo(tz))
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    week = timedelta(days=7)
    return (
        (midnight.astimezone(UTC), now.astimezone(UTC)),
        ((midnight - week).astimezone(UTC), (here - week).astimezone(UTC)),
    )


def _bounds(query: CallQuery, now: datetime) -> tuple[datetime, datetime]:
    window = query.window
    until = _next_hour(window.until or now)
    length = WINDOWS.get(window.name)
    if length is not None:
        return until - length, until
    since = window.since or until - WINDOWS["30d"]
    since = since.replace(minute=0, second=0, microsecond=0)
    return since, max(until, since + HOUR)


def _next_hour(at: datetime) -> datetime:
    whole = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + HOUR
