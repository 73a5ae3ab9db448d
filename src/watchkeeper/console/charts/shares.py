"""The share of cases that passed, run by run, each with its interval; the newest on the right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from watchkeeper.console.charts.svg import element, percent

_Across = Callable[[int], float]
_Down = Callable[[float], float]
SMALL = 40
LARGE = 150
SLOTS_MIN = 6
"""Fewer runs leave room on the left: two of them do not fill a page."""
_TOP, _BOTTOM = 8, 8
_LABELS = 16
"""Height that the names of releases take."""
_SPAN_MIN = 0.2
"""The scale shows so much at least: a tenth of a point must not look like a fall."""
_LABELLED_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePoint:
    """One run."""

    share: float | None
    """None where nothing was decided."""
    lower: float | None = None
    upper: float | None = None
    tone: str = "other"
    """`pass`, `regression`, `unclear` or `other`."""
    label: str = ""
    """What a pointer is told."""
    href: str = ""
    change: str = ""
    """What was tried from here on, where it is another release than before."""


def draw_shares(points: Sequence[SharePoint], *, summary: str, height: int = SMALL) -> Markup:
    """Return the chart as one `<svg>` that fills the width it is given; without marks where there are no runs.

    Args:
        points: The oldest first.
        summary: For who cannot see it.
        height: From `LARGE` on, with a scale and the names of releases.
    """
    is_large = height >= LARGE
    floor = _floor(points)
    slots = max(len(points), SLOTS_MIN)
    first = slots - len(points)
    bottom = height - _BOTTOM - (_LABELS if is_large else 0)

    def x(place: int) -> float:
        return (first + place + 0.5) / slots

    def y(share: float) -> float:
        return bottom - (bottom - _TOP) * (max(share, floor) - floor) / (1 - floor)

    marks = [*_scale(floor, y), *_changes(points, x, height)] if is_large else []
    marks += _line(points, x, y)
    marks += [_run(point, x(place), y) for place, point in enumerate(points) if point.share is not None]
    has_links = any(point.href for point in points)
    return element(
        "svg",
        *marks,
        class_="chart shares large" if is_large else "shares",
        width="100%",
        height=height,
        role="group" if has_links else "img",
        aria_label=summary,
    )


def _floor(points: Sequence[SharePoint]) -> float:
    lowest = min((point.lower if point.lower is not None else point.share or 0.0 for point in points), default=0.0)
    return max(0.0, min(1 - _SPAN_MIN, int(lowest * 10) / 10))


def _scale(floor: float, y: _Down) -> list[Markup]:
    rows = []
    for share in (floor, (1 + floor) / 2, 1.0):
        place = round(y(share)) + 0.5
        rows.append(element("line", class_="axis" if share == floor else "grid", x1="0", x2="100%", y1=place, y2=place))
        rows.append(element("text", f"{100 * share:.0f} %", class_="label", x="0", y=place - 3))
    return rows


def _changes(points: Sequence[SharePoint], x: _Across, height: int) -> list[Markup]:
    """A dashed line where another release was tried for the first time; of many, only some are named."""
    changed = [place for place, point in enumerate(points) if point.change]
    named = set(changed[-_LABELLED_MAX:])
    found = []
    for place in changed:
        where = percent(x(place))
        label = points[place].change
        parts = [element("title", label), element("line", x1=where, x2=where, y1=_TOP, y2=height - _LABELS)]
        if place in named:
            parts.append(element("text", label, class_="label", x=where, y=height - 4, text_anchor="middle"))
        found.append(element("g", *parts, class_="change-of"))
    return found


def _line(points: Sequence[SharePoint], x: _Across, y: _Down) -> list[Markup]:
    """Straight lines between runs that follow each other; in percent of the width, which a path does not know."""
    known = [(percent(x(place)), y(point.share)) for place, point in enumerate(points) if point.share is not None]
    return [
        element("line", class_="course", x1=left, y1=top, x2=right, y2=bottom)
        for (left, top), (right, bottom) in pairwise(known)
    ]


def _run(point: SharePoint, across: float, y: _Down) -> Markup:
    share, where = point.share or 0.0, percent(across)
    parts: list[Markup | str] = [element("title", point.label)] if point.label else []
    if point.lower is not None and point.upper is not None:
        parts.append(element("line", class_="between", x1=where, x2=where, y1=y(point.lower), y2=y(point.upper)))
    parts.append(element("circle", cx=where, cy=y(share), r=3.5))
    tone = f"run-{point.tone}"
    if point.href:
        return element("a", *parts, class_=tone, href=point.href, aria_label=point.label)
    return element("g", *parts, class_=tone)
