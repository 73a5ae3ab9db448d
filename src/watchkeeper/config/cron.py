"""Moments that come round, as people write them: the five fields of cron, by the clock on the wall of a time zone.

What the five fields mean is for `cronsim` to say; that clock's changes are met here. A time that the clock skips is met
once, when it goes on; a time that the clock shows twice is met once, the first time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS = 5
AROUND = timedelta(days=2)
"""No change of a clock moves it as far."""
_MINUTE = timedelta(minutes=1)
_ANY = datetime(2026, 1, 1)  # noqa: DTZ001 - a time on a wall


def cron(text: str) -> str:
    """Return the five fields with one blank between two.

    Raises:
        ValueError: they are none, or no day ever fits them.
    """
    fields = text.split()
    if len(fields) != FIELDS:
        raise ValueError("must have the five fields of cron: minute, hour, day, month, weekday, such as `0 6 * * *`")
    try:
        next(CronSim(" ".join(fields), _ANY))
    except CronSimError as error:
        raise ValueError(f"is no time of cron: {str(error).lower()}; write it such as `0 6 * * *`") from None
    except StopIteration:
        raise ValueError("names a day that there never is") from None
    return " ".join(fields)


def last_due(fields: str, tz: str, *, since: datetime, until: datetime) -> datetime | None:
    """Return the last moment in UTC after `since` and not after `until`; None where there is none."""
    zone = ZoneInfo(tz)
    for wall in _walls(fields, until.astimezone(zone).replace(tzinfo=None) + AROUND, is_backwards=True):
        moment = _moment(wall, zone)
        if moment <= since:
            return None
        if moment <= until:
            return moment
    return None


def next_due(fields: str, tz: str, after: datetime) -> datetime | None:
    """Return the first moment in UTC after another one; None where none is to be expected."""
    zone = ZoneInfo(tz)
    walls = _walls(fields, after.astimezone(zone).replace(tzinfo=None) - AROUND, is_backwards=False)
    return next((moment for moment in (_moment(wall, zone) for wall in walls) if moment > after), None)


def _walls(fields: str, wall: datetime, *, is_backwards: bool) -> Iterator[datetime]:
    """Yield the times that fit, as a clock that is never changed shows them."""
    yield from CronSim(fields, wall, reverse=is_backwards)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock shows a time first; where it skips it, when it goes on."""
    while True:
        moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        wall = (wall + _MINUTE).replace(second=0, microsecond=0)
