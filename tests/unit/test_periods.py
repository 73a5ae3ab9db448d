"""Which stretch of time a period means, in the time zone that was asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.api.periods import PeriodWrong, read_dimensions, read_period

NOW = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),  # the day on which the clocks go back has 25 hours
        ("2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10", "2026-09-30T22:00", "2026-10-31T23:00"),
        ("2026-12", "2026-11-30T23:00", "2026-12-31T23:00"),
        ("2026-W44", "2026-10-25T23:00", "2026-11-01T23:00"),
        ("2026-10-01..2026-10-03", "2026-09-30T22:00", "2026-10-02T22:00"),
        ("2026-10-01T12:00Z..2026-10-01T13:00Z", "2026-10-01T12:00", "2026-10-01T13:00"),
        ("2d..", "2026-11-01T14:05", "2026-11-03T14:05"),
        ("2d..1d", "2026-11-01T14:05", "2026-11-02T14:05"),
    ],
)
def test_a_period_begins_and_ends_by_the_clocks_of_its_zone(text: str, since: str, until: str) -> None:
    found = read_period(text, "Europe/Berlin", NOW)
    assert found == tuple(datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (since, until))


def test_the_long_day_of_autumn_has_25_hours() -> None:
    since, until = read_period("2026-10-25", "Europe/Berlin", NOW)
    assert until - since == timedelta(hours=25)


@pytest.mark.parametrize(
    "text",
    [
        "", "..", "..2026-10-01", "october", "2026-13", "2026-W60", "9999-12-31", "2026-10-03..2026-10-01",
        "2026-10-01..x", "2026-10-01..2026-10-01",
    ],
)  # fmt: skip
def test_what_is_no_period_is_refused_in_words(text: str) -> None:
    with pytest.raises(PeriodWrong, match=r"[nN]othing was"):
        read_period(text, "Europe/Berlin", NOW)


def test_dimensions_stand_between_commas_each_once() -> None:
    assert read_dimensions("feature, model,hour") == ("feature", "model", "hour")
    assert read_dimensions("") == ()
    with pytest.raises(ValueError, match="twice"):
        read_dimensions("feature,model,feature")
    with pytest.raises(ValueError, match="did you mean `feature`"):
        read_dimensions("featur")
