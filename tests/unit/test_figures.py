"""Numbers as people read them."""

from datetime import timedelta

import pytest

from watchkeeper.console import figures

NUSD = 10**9


@pytest.mark.parametrize(
    ("nusd", "written"),
    [
        (None, "–"),
        (0, "0"),
        (1, "<0.000001"),
        (999, "<0.000001"),
        (1_000, "0.000001"),
        (25_300, "0.000025"),
        (480_000, "0.000480"),
        (198_772_000, "0.198772"),
        (NUSD, "1.00"),
        (1_204 * NUSD, "1,204.00"),
    ],
)
def test_amounts_below_each_other_are_compared_at_a_glance(nusd: int | None, written: str) -> None:
    assert figures.column_amount(nusd) == written


@pytest.mark.parametrize(
    ("nusd", "written"),
    [(None, "unpriced"), (0, "$0"), (7, "$0.000000007"), (237_600, "$0.000238"), (1_234_567_890_123, "$1,234.57")],
)
def test_an_amount_alone_has_three_figures_and_no_exponent(nusd: int | None, written: str) -> None:
    assert figures.money(nusd) == written


@pytest.mark.parametrize(
    ("ms", "written"),
    [
        (None, "–"),
        (0.42, "0.42 ms"),
        (340.0, "340 ms"),
        (1_240.0, "1.24 s"),
        (123_000.0, "2 min 03 s"),
        (12_000_000.0, "3 h 20 min"),
        (200_000_000.0, "2 d 7 h"),
    ],
)
def test_a_time_is_written_in_the_unit_that_suits_it(ms: float | None, written: str) -> None:
    assert figures.duration(ms) == written


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (9_999, "9,999"),
        (12_480, "12.5k"),
        (999_499, "999k"),
        (999_999, "1M"),
        (1_500_000, "1.5M"),
        (2 * 10**12, "2000B"),
    ],
)
def test_a_number_is_shortened_to_five_letters(number: int, written: str) -> None:
    assert figures.short_count(number) == written
    assert len(written) <= 5


@pytest.mark.parametrize(
    ("octets", "written"),
    [(999, "999 B"), (1_234, "1.23 KB"), (999_999, "1 MB"), (5 * 10**9, "5 GB"), (10**13, "10,000 GB")],
)
def test_a_size_has_three_figures_and_no_exponent(octets: int, written: str) -> None:
    assert figures.size(octets) == written


@pytest.mark.parametrize(
    ("part", "whole", "written"), [(0, 0, "–"), (0, 9, "0 %"), (9, 9, "100 %"), (1, 2_500, "0.04 %"), (1, 8, "12.5 %")]
)
def test_a_share_of_nothing_is_not_known(part: int, whole: int, written: str) -> None:
    assert figures.share(part, whole) == written


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(hours=24), "24 hours"),
        (timedelta(days=7), "7 days"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(seconds=90), "90 seconds"),
    ],
)
def test_a_stretch_of_time_has_a_name(length: timedelta, written: str) -> None:
    assert figures.span(length) == written
