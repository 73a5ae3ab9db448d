"""Days and moments as Unix time in nanoseconds, and back."""

from datetime import UTC, date, datetime, time, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def unix_ns(moment: datetime) -> int:
    """Exact to the microsecond, which is as fine as a `datetime` is."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def midnight_ns(day: date) -> int:
    """The beginning of a day in UTC."""
    return unix_ns(datetime.combine(day, time(), UTC))


def moment_of(at_ns: int) -> datetime:
    """A Unix time with its zone, UTC; parts of a microsecond are left out."""
    return _EPOCH + at_ns // 1000 * _MICROSECOND


def written(at_ns: int) -> str:
    """A day where it is a midnight, else the minute."""
    moment = moment_of(at_ns)
    return f"{moment:%Y-%m-%d}" if moment.time() == time() else f"{moment:%Y-%m-%d %H:%M} UTC"


def hours_written(hours_s: tuple[int, int]) -> str:
    """Hours of the day, as `16:30-00:30`."""
    start, end = (f"{second // 3600:02d}:{second % 3600 // 60:02d}" for second in hours_s)
    return f"{start}-{end}"
