"""The changes that a chart marks."""

from datetime import UTC, datetime, timedelta

from watchkeeper.console.charts.series import Chart, Marker, Series, draw

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = 60


def drawn(*changes: tuple[float, str]) -> str:
    return str(
        draw(
            Chart(
                title="Calls",
                summary="Calls",
                since=SINCE,
                step_s=60,
                series=(Series("calls", "1", (1,) * STEPS),),
                kind="bars",
                unit="count",
                written=str,
                markers=tuple(Marker(SINCE + timedelta(minutes=at), label) for at, label in changes),
            )
        )
    )


def test_changes_far_from_each_other_have_a_flag_each() -> None:
    svg = drawn((5, "key made"), (30, "promoted"), (59, "rolled back"))
    assert svg.count('class="marker"') == 3
    for label in ("key made", "promoted", "rolled back"):
        assert f"<title>{label}</title>" in svg


def test_changes_whose_flags_would_cover_each_other_share_one() -> None:
    svg = drawn((5, "key made"), (5.1, "promoted"), (30, "rolled back"))
    assert svg.count('class="marker"') == 2
    assert "<title>key made\npromoted</title>" in svg


def test_a_flag_of_very_many_changes_tells_how_many_more_there_are() -> None:
    svg = drawn(*((5 + number / 100, f"change {number}") for number in range(12)))
    assert svg.count('class="marker"') == 1
    assert "change 4\nand 7 more</title>" in svg


def test_changes_outside_the_window_have_no_flag() -> None:
    assert 'class="marker"' not in drawn((-1, "before"), (61, "after"))
