"""Time series: stacked bars and lines over one window, with the changes made in it as markers."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from watchkeeper.console.charts.scale import ticks, time_ticks
from watchkeeper.console.charts.svg import element, number, percent
from watchkeeper.console.figures import iso

HEIGHT = 132
_PLOT_TOP = 14
_PLOT_BOTTOM = 18
"""Room under the plot for the labels of time."""
_WIDE = 1_000.0
"""Width of the plot's own coordinates; the browser stretches them to the width there is."""
LABEL_MARGIN = 0.06
"""A label of time nearer to an edge than this share of the width is left out: it would be cut."""

_FLAGS_MAX = 40
"""Of changes, over the width: so many do not cover each other in the smallest panel."""
_TOLD_MAX = 5
"""Changes that one flag tells of."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one layer of the bars."""

    name: str
    tone: str
    """Which colour: the class `tone-<tone>` of the style sheet."""
    values: tuple[float | None, ...]
    """One per step, oldest first; None where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A change that was made during the window."""

    at: datetime
    label: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a step of a chart leads."""

    href: str
    label: str
    """The step in words: when, and how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn. All series have one value per step."""

    title: str
    summary: str
    """The chart in one sentence, for those who do not see it."""
    since: datetime
    step_s: int
    series: tuple[Series, ...]
    kind: Literal["bars", "lines"]
    unit: Literal["count", "ms", "usd"]
    written: Callable[[float], str]
    """How a value stands on the axis."""
    markers: tuple[Marker, ...] = ()
    links: tuple["Link", ...] = ()
    """One per step, or none."""

    @property
    def steps(self) -> int:
        """How many steps the window has."""
        return len(self.series[0].values) if self.series else 0

    @property
    def until(self) -> datetime:
        """The window's end."""
        return self.since + timedelta(seconds=self.step_s * self.steps)


def draw(chart: Chart, *, height: int = HEIGHT) -> Markup:
    """Return the chart as one `<svg>` that fills the width it is given.

    What it shows stands in `data-` attributes, too (values, names and tones: JSON, one entry per series),
    for the scripts that read it out under the pointer and draw it large.
    """
    if not chart.steps:
        return element("svg", class_="chart", height=height, role="img", aria_label=chart.summary)
    top = _largest(chart)
    marks = ticks(top, most=3 if height < 200 else 5, whole=chart.unit == "count")
    plot_height = height - _PLOT_TOP - _PLOT_BOTTOM
    drawn = _bars(chart, marks[-1]) if chart.kind == "bars" else _lines(chart, marks[-1])
    plot = element(
        "svg",
        Markup("").join([*drawn, *_links(chart)]),
        y=_PLOT_TOP,
        width="100%",
        height=plot_height,
        viewBox=f"0 0 {number(_WIDE)} 100",
        preserveAspectRatio="none",
    )
    return element(
        "svg",
        *_grid(marks, plot_height),
        plot,
        *_value_labels(chart, marks, plot_height),
        *_time_labels(chart, height),
        *_markers(chart, height - _PLOT_BOTTOM),
        class_=f"chart chart-{chart.kind}",
        width="100%",
        height=height,
        role="group" if chart.links else "img",
        aria_label=chart.summary,
        data_unit=chart.unit,
        data_since=iso(chart.since),
        data_step=chart.step_s,
        data_top=_PLOT_TOP,
        data_bottom=height - _PLOT_BOTTOM,
        data_names=json.dumps([series.name for series in chart.series]),
        data_tones=json.dumps([series.tone for series in chart.series]),
        data_values=_values(chart),
    )


def _values(chart: Chart) -> str:
    """Write all values as JSON, with six figures: more than a screen can show."""
    short = [
        [value if value is None or isinstance(value, int) else float(f"{value:.6g}") for value in series.values]
        for series in chart.series
    ]
    return json.dumps(short, separators=(",", ":"))


def _largest(chart: Chart) -> float:
    if chart.kind == "bars":
        return max(sum(series.values[step] or 0 for series in chart.series) for step in range(chart.steps))
    return max((value for series in chart.series for value in series.values if value is not None), default=0)


def _bars(chart: Chart, top: float) -> list[Markup]:
    """One path per series: its layer of every step, each lying on the layers before it."""
    slot = _WIDE / chart.steps
    gap = min(slot * 0.22, 4.0)
    floor = [0.0] * chart.steps
    layers = []
    for series in chart.series:
        shapes = []
        for step, value in enumerate(series.values):
            if value:
                base, tall = 100 * floor[step] / top, 100 * value / top
                left, wide = step * slot + gap / 2, slot - gap
                shapes.append(f"M{number(left)} {number(100 - base)}v{number(-tall)}h{number(wide)}v{number(tall)}z")
                floor[step] += value
        if shapes:
            layers.append(element("path", class_=f"bar tone-{series.tone}", d="".join(shapes)))
    return layers


def _links(chart: Chart) -> list[Markup]:
    """One link per step, as wide as the step and as high as the plot, and seen only under the pointer."""
    slot = _WIDE / chart.steps
    return [
        element(
            "a",
            element("rect", element("title", link.label), class_="hit", x=step * slot, width=slot, height=100),
            href=link.href,
            aria_label=link.label,
        )
        for step, link in enumerate(chart.links)
    ]


def _lines(chart: Chart, top: float) -> list[Markup]:
    """One path per series, the first on top, broken where nothing was measured; a lone point is a short dash."""
    slot = _WIDE / chart.steps
    paths = []
    for series in reversed(chart.series):
        moves = []
        for run in _runs(series.values):
            points = [f"{number((step + 0.5) * slot)} {number(100 - 100 * value / top)}" for step, value in run]
            if len(points) == 1:
                step, value = run[0]
                moves.append(f"M{number((step + 0.25) * slot)} {number(100 - 100 * value / top)}h{number(slot / 2)}")
            else:
                moves.append("M" + "L".join(points))
        if moves:
            paths.append(element("path", class_=f"line tone-{series.tone}", d="".join(moves)))
    return paths


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for step, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((step, value))
    return [run for run in runs if run]


def _grid(marks: Sequence[float], plot_height: float) -> list[Markup]:
    rows = []
    for position, _ in enumerate(marks):
        y = _PLOT_TOP + plot_height * (1 - position / (len(marks) - 1))
        place = round(y) - 0.5 if position else round(y) + 0.5
        rows.append(element("line", class_="grid" if position else "axis", x1="0", x2="100%", y1=place, y2=place))
    return rows


def _value_labels(chart: Chart, marks: Sequence[float], plot_height: float) -> list[Markup]:
    """Labels stand on their grid line inside the plot, so that the plot may use the whole width."""
    labels = []
    for position, mark in enumerate(marks[1:], start=1):
        y = _PLOT_TOP + plot_height * (1 - position / (len(marks) - 1)) - 3
        labels.append(element("text", chart.written(mark), class_="label", x="0", y=y))
    return labels


def _time_labels(chart: Chart, height: float) -> list[Markup]:
    labels = []
    for tick in time_ticks(chart.since, chart.until):
        if LABEL_MARGIN <= tick.place <= 1 - LABEL_MARGIN:
            at = None if tick.is_day else iso(tick.at)
            place = percent(tick.place)
            labels.append(
                element("text", tick.label, class_="label", x=place, y=height - 4, text_anchor="middle", data_at=at)
            )
    return labels


def _markers(chart: Chart, bottom: float) -> list[Markup]:
    """One flag for changes that were made so soon after each other that theirs would cover each other."""
    length_s = chart.step_s * chart.steps
    flags: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for marker in chart.markers:
        place = (marker.at - chart.since).total_seconds() / length_s
        if 0 <= place <= 1:
            flags[int(place * _FLAGS_MAX)].append((place, marker.label))
    markers = []
    for made in flags.values():
        x = percent(made[0][0])
        line = element("line", x1=x, x2=x, y1=5, y2=bottom)
        flag = element("circle", cx=x, cy=5, r=3.5)
        markers.append(element("g", element("title", _told([label for _, label in made])), line, flag, class_="marker"))
    return markers


def _told(labels: Sequence[str]) -> str:
    """Write a line for each change, of many for the first ones; Health lists all."""
    more = len(labels) - _TOLD_MAX
    return "\n".join([*labels[:_TOLD_MAX], f"and {more} more"] if more > 0 else labels)
