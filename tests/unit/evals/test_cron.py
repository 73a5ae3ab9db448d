"""When something is due, by the clock on a wall that is put forward and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.config.cron import cron, last_due, next_due

BERLIN = "Europe/Berlin"
DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
FIELDS = st.sampled_from(
    ("0 6 * * *", "30 2 * * *", "0 2 * * *", "*/30 * * * *", "15 */2 * * *", "0 0 1 * *", "45 1-3 * * sun", "0 3 * * 1")
)
ZONES = st.sampled_from(("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"))
MOMENTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + minutes * _MINUTE)


def dues(fields: str, tz: str, since: datetime, until: datetime) -> list[datetime]:
    """List every moment of a stretch of time, one after the other."""
    found: list[datetime] = []
    moment = next_due(fields, tz, since)
    while moment is not None and moment <= until:
        found.append(moment)
        moment = next_due(fields, tz, moment)
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_time_that_the_clock_skips_is_met_once_when_it_goes_on() -> None:
    assert dues("30 2 * * *", BERLIN, utc("2027-03-27 12:00"), utc("2027-03-29 12:00")) == [
        utc("2027-03-28 01:00"), utc("2027-03-29 00:30"),
    ]  # fmt: skip
    assert dues("*/30 * * * *", BERLIN, utc("2027-03-28 00:00"), utc("2027-03-28 02:00")) == [
        utc("2027-03-28 00:30"), utc("2027-03-28 01:00"), utc("2027-03-28 01:30"), utc("2027-03-28 02:00"),
    ]  # fmt: skip


def test_a_time_that_the_clock_shows_twice_is_met_once() -> None:
    assert dues("30 2 * * *", BERLIN, utc("2026-10-24 12:00"), utc("2026-10-26 12:00")) == [
        utc("2026-10-25 00:30"), utc("2026-10-26 01:30"),
    ]  # fmt: skip


def test_what_is_due_follows_the_clock_of_its_zone_and_not_ours() -> None:
    before, after = utc("2027-03-27 00:00"), utc("2027-03-29 00:00")
    assert next_due("0 6 * * *", BERLIN, before) == utc("2027-03-27 05:00")
    assert next_due("0 6 * * *", BERLIN, after) == utc("2027-03-29 04:00")


@given(fields=FIELDS, tz=ZONES, start=MOMENTS, length=st.integers(1, 4 * 24 * 60))
def test_the_last_time_is_the_last_of_all_of_them(fields: str, tz: str, start: datetime, length: int) -> None:
    until = start + length * _MINUTE
    every = dues(fields, tz, start, until) if length < 2_000 or "*/30" not in fields else None
    last = last_due(fields, tz, since=start, until=until)
    if every is not None:
        assert last == (every[-1] if every else None)
    assert last is None or start < last <= until


@given(fields=FIELDS, tz=ZONES, start=MOMENTS)
def test_every_day_has_as_many_times_as_any_other_where_no_clock_is_changed(
    fields: str, tz: str, start: datetime
) -> None:
    found = dues(fields, tz, start, start + DAY)
    assert found == sorted(set(found))
    zone = ZoneInfo(tz)
    is_changed = start.astimezone(zone).utcoffset() != (start + DAY).astimezone(zone).utcoffset()
    if fields == "0 6 * * *" and not is_changed:
        assert len(found) == 1


@pytest.mark.parametrize("text", ["", "0 6 * *", "0 6 * * * *", "61 * * * *", "x * * * *", "0 0 31 2 *", "@daily"])
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"0 6|never is"):
        cron(text)


def test_blanks_between_the_fields_do_not_matter() -> None:
    assert cron("  0   6 * *  mon-fri ") == "0 6 * * mon-fri"
