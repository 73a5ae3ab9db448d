"""What is known of a difference, over time: an interval that narrows, against nothing and against the margin."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from watchkeeper.console.charts.scale import time_ticks
from watchkeeper.console.charts.svg import element, number, percent
from watchkeeper.console.figures import iso

_Across = Callable[["SequencePoint"], float]
_Down = Callable[[float], float]
HEIGHT = 120
_TOP = 8
_BOTTOM = 18
_WIDE = 1_000.0
_REACH = 2.5
"""The first intervals are wide beyond use: the plot reaches so many of the last one's width, or of the margin."""


@dataclass(frozen=True, slots=True)
class SequencePoint:
    """What one look knew."""

    at: datetime
    low: float | None
    """None where nothing bounds it."""
    value: float
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceChart:
    """One metric of a rollout; above 0 the candidate is worse."""

    summary: str
    points: tuple[SequencePoint, ...]
    """Oldest first."""
    margin: float
    """By how much the candidate may be worse."""


def draw_sequence(chart: SequenceChart, *, height: int = HEIGHT) -> Markup:
    """Return the chart as one `<svg>` that fills the width it is given; empty of marks where nothing was seen."""
    if not chart.points:
        return element("svg", class_="chart", width="100%", height=height, role="img", aria_label=chart.summary)
    since, until = chart.points[0].at, chart.points[-1].at
    length_s = max(1.0, (until - since).total_seconds())
    reach = _reach(chart)
    tall = height - _TOP - _BOTTOM

    def y(value: float) -> float:
        return 50 - 50 * min(1.0, max(-1.0, value / reach))

    def x(point: SequencePoint) -> float:
        return _WIDE * (point.at - since).total_seconds() / length_s if len(chart.points) > 1 else _WIDE / 2

    plot = element(
        "svg",
        *_band(chart.points, x, y, reach),
        y=_TOP,
        width="100%",
        height=tall,
        viewBox=f"0 0 {number(_WIDE)} 100",
        preserveAspectRatio="none",
    )
    lines = [_level(y(0) * tall / 100 + _TOP, "zero", "no difference")]
    if chart.margin:
        lines.append(_level(y(chart.margin) * tall / 100 + _TOP, "margin", "margin"))
    return element(
        "svg",
        plot,
        *lines,
        *_times(since, until, height),
        class_="chart sequence",
        width="100%",
        height=height,
        role="img",
        aria_label=chart.summary,
    )


def _reach(chart: SequenceChart) -> float:
    last = chart.points[-1]
    bounds = [abs(one) for one in (last.low, last.value, last.high) if one is not None]
    return _REACH * max([*bounds, abs(chart.margin)]) / 2 or 1.0


def _band(points: Sequence[SequencePoint], x: _Across, y: _Down, reach: float) -> list[Markup]:
    wide = _REACH * reach
    upper = [(x(one), y(wide if one.high is None else one.high)) for one in points]
    lower = [(x(one), y(-wide if one.low is None else one.low)) for one in points]
    middle = [(x(one), y(one.value)) for one in points]
    if len(points) == 1:
        upper, lower = [(0.0, upper[0][1]), (_WIDE, upper[0][1])], [(0.0, lower[0][1]), (_WIDE, lower[0][1])]
        middle = [(0.0, middle[0][1]), (_WIDE, middle[0][1])]
    return [
        element("path", class_="band", d=f"M{_joined(upper)}L{_joined(lower[::-1])}z"),
        element("path", class_="line tone-line-2", d=f"M{_joined(middle)}"),
    ]


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{number(left)} {number(top)}" for left, top in points)


def _level(y: float, kind: str, label: str) -> Markup:
    line = element("line", class_=kind, x1="0", x2="100%", y1=y, y2=y)
    # The margin is worse than nothing, so it lies above: each label keeps to its own side.
    return element("g", line, element("text", label, class_="label", x="0", y=y - 3 if kind == "margin" else y + 11))


def _times(since: datetime, until: datetime, height: float) -> list[Markup]:
    if since >= until:
        return []
    found = []
    for tick in time_ticks(since, until):
        if 0.06 <= tick.place <= 0.94:
            at = None if tick.is_day else iso(tick.at)
            place = percent(tick.place)
            found.append(
                element("text", tick.label, class_="label", x=place, y=height - 4, text_anchor="middle", data_at=at)
            )
    return found
