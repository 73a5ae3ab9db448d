"""The query parameters that questions about cost share: a stretch of time in a time zone, and which calls."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.filters import read_moment
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import did_you_mean
from watchkeeper.core.errors import CallerError
from watchkeeper.store.cost_rows import CostScope, Dimension, Named, Step

WINDOW = timedelta(days=7)
"""What is looked at when nothing is said."""
WHERE_MAX = 50
NAMED: tuple[Named, ...] = get_args(Named)
DIMENSIONS: tuple[Dimension, ...] = (*NAMED, *get_args(Step))
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


class PeriodWrong(CallerError):
    """A period cannot be read, or ends before it begins."""

    code = "period_wrong"
    http_status = 422


@cache
def _zones() -> frozenset[str]:
    """Names that mean the same on every machine."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _zone(text: str) -> str:
    if text not in _zones():
        raise ValueError(f"{text[:60]!r} is no time zone{did_you_mean(text, sorted(_zones()))}")
    return text


def _dimensions(text: str) -> str:
    read_dimensions(text)
    return text


def _condition(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not equals or name not in NAMED:
        raise ValueError(
            f"{text[:60]!r} is no condition: write DIMENSION=VALUE, where the dimension is one of {', '.join(NAMED)}"
        )
    return text


Zone = Annotated[str, AfterValidator(_zone), Field(max_length=60)]
Moment = Annotated[str, Field(max_length=40)]
Condition = Annotated[str, AfterValidator(_condition), Field(max_length=300)]
PeriodText = Annotated[
    str,
    Field(max_length=90, description="A day (2026-10-25), a week (2026-W43), a month (2026-10), or FROM..TO."),
]
By = Annotated[str, AfterValidator(_dimensions), Field(max_length=300)]


class ScopeQuery(Strict):
    """Which calls, without the time."""

    tz: Annotated[
        Zone, Field(description="Of times without an offset, and of hours, days, weeks and months.", examples=["UTC"])
    ] = "UTC"
    where: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=WHERE_MAX,
            description="`DIMENSION=VALUE`, any number of them. Of one dimension one value must hold, of several "
            "dimensions each; an empty value means a call that has none. A person may be given as the client names "
            "them, together with the tenant.",
            examples=[["tenant=acme", "model=gpt-4o"]],
        ),
    ] = ()

    def scope_of(self, period: tuple[datetime, datetime], services: Services) -> CostScope:
        """Return the store's form; a person's name becomes the pseudonym under which the gateway recorded it."""
        pairs = [(name, value) for name, _, value in (text.partition("=") for text in self.where)]
        tenants = {value for name, value in pairs if name == "tenant"}
        tenant = next(iter(tenants)) if len(tenants) == 1 else ""
        where = tuple(
            (known, services.pseudonyms.of(tenant, value) if _is_person(name, value) else value)
            for name, value in pairs
            for known in NAMED
            if known == name
        )
        return CostScope(since=period[0], until=period[1], where=where)


class PeriodQuery(ScopeQuery):
    """Which calls of which time; without a time, of the last seven days."""

    since: Annotated[Moment, Field(description="ISO 8601 time or day, or a span back from now: 24h, 7d, 4w.")] = ""
    until: Annotated[Moment, Field(description="As `since`; the end is not included.")] = ""

    def scope(self, services: Services) -> CostScope:
        """Return the store's form.

        Raises:
            PeriodWrong: it cannot be read, or ends before it begins.
        """
        return self.scope_of(self.period(services), services)

    def period(self, services: Services) -> tuple[datetime, datetime]:
        """Return beginning and end.

        Raises:
            PeriodWrong: it cannot be read, or ends before it begins.
        """
        now = datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
        until = _moment(self.until, now, self.tz) or now
        since = _moment(self.since, now, self.tz) or until - WINDOW
        return _checked(since, until)


def read_dimensions(text: str) -> tuple[Dimension, ...]:
    """Read names between commas.

    Raises:
        ValueError: one is none, or stands there twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    found = tuple(known for name in names for known in DIMENSIONS if known == name)
    for name in names:
        if name not in DIMENSIONS:
            raise ValueError(
                f"{name[:60]!r} is no dimension{did_you_mean(name, DIMENSIONS)}; there are {', '.join(DIMENSIONS)}"
            )
    if len(set(found)) < len(found):
        raise ValueError("a dimension stands there twice")
    return found


def read_period(text: str, tz: str, now: datetime) -> tuple[datetime, datetime]:
    """Read a whole day, week or month of a time zone, or two times with `..` between them.

    Raises:
        PeriodWrong: it is none of them, or ends before it begins.
    """
    zone = ZoneInfo(tz)
    first, dots, last = text.strip().partition("..")
    if dots:
        since, until = _moment(first, now, tz), _moment(last, now, tz) or now
        if since is None:
            raise PeriodWrong(f"{text[:60]!r} has no beginning; nothing was compared. Write FROM..TO.")
        return _checked(since, until)
    try:
        begin, end = _days(first)
    except (ValueError, OverflowError):
        raise PeriodWrong(
            f"{text[:60]!r} is no period; nothing was compared. Write a day (2026-10-25), a week (2026-W43), "
            "a month (2026-10), or FROM..TO."
        ) from None
    since, until = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (begin, end))
    return since, until


def _days(text: str) -> tuple[date, date]:
    """First day, and the day behind the last."""
    if month := _MONTH.fullmatch(text):
        begin = date(int(month[1]), int(month[2]), 1)
        return begin, (begin + timedelta(days=31)).replace(day=1)
    if week := _WEEK.fullmatch(text):
        begin = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        return begin, begin + timedelta(days=7)
    begin = date.fromisoformat(text)
    return begin, begin + timedelta(days=1)


def _moment(text: str, now: datetime, tz: str) -> datetime | None:
    try:
        return read_moment(text, now, ZoneInfo(tz))
    except ValueError as error:
        raise PeriodWrong(f"{error}. Nothing was counted.") from None


def _checked(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    if since >= until:
        raise PeriodWrong(
            f"The period ends ({until.isoformat()}) before it begins ({since.isoformat()}); nothing was counted. "
            "Let the beginning lie before the end."
        )
    return since, until


def _is_person(name: str, value: str) -> bool:
    return name == "subject" and bool(value) and not is_pseudonym(value)
