"""The attempts of one call, each as a lane on one common time axis."""

from dataclasses import dataclass

from markupsafe import Markup

from watchkeeper.console.charts.scale import ticks
from watchkeeper.console.charts.svg import element, percent
from watchkeeper.console.figures import duration

_HEIGHT = 20
_BAR = 10
_AXIS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One attempt; times in milliseconds from the start of the call."""

    label: str
    started_ms: float
    connect_ms: float | None
    """How long connecting took; None when a pooled connection was used or none was opened."""
    first_byte_ms: float | None
    ended_ms: float
    is_failed: bool


def draw_lane(lane: Lane, *, longest_ms: float) -> Markup:
    """Return one `<svg>`: connecting, waiting for the first byte, receiving, and a stroke where it failed.

    Args:
        lane: The attempt.
        longest_ms: Where the axis ends; the same for all lanes of a call.
    """
    longest = max(longest_ms, lane.ended_ms, 0.001)
    y = (_HEIGHT - _BAR) / 2
    parts = [element("line", class_="grid", x1="0", x2="100%", y1=_HEIGHT / 2, y2=_HEIGHT / 2)]
    phases = _phases(lane)
    for phase, since, until in phases:
        title = element("title", f"{_WORDS[phase]}, {duration(until - since)}")
        wide = percent(max((until - since) / longest, 0.003))
        x = percent(since / longest)
        parts.append(element("rect", title, class_=f"phase-{phase}", x=x, y=y, width=wide, height=_BAR))
    if lane.is_failed:
        x = percent(min(lane.ended_ms / longest, 0.997))
        parts.append(element("line", class_="phase-failed", x1=x, x2=x, y1=1, y2=_HEIGHT - 1))
    told = ", ".join(f"{_WORDS[phase]} {duration(until - since)}" for phase, since, until in phases)
    return element(
        "svg",
        *parts,
        class_="chart lane",
        width="100%",
        height=_HEIGHT,
        role="img",
        aria_label=f"{lane.label}: from {duration(lane.started_ms)} to {duration(lane.ended_ms)}; {told}",
    )


def draw_lane_axis(*, longest_ms: float) -> Markup:
    """Return the axis under the lanes as one `<svg>`."""
    longest = max(longest_ms, 0.001)
    parts = []
    for mark in ticks(longest, most=5):
        place = mark / longest
        if place <= 0.97:
            anchor = "middle" if mark else "start"
            text = duration(mark) if mark else "0"
            parts.append(element("line", class_="grid", x1=percent(place), x2=percent(place), y1=0, y2=4))
            parts.append(element("text", text, class_="label", x=percent(place), y=_AXIS - 3, text_anchor=anchor))
    return element("svg", *parts, class_="chart lane-axis", width="100%", height=_AXIS, aria_hidden="true")


_WORDS = {"connect": "connecting", "wait": "waiting for the first byte", "receive": "receiving"}


def _phases(lane: Lane) -> list[tuple[str, float, float]]:
    """Split an attempt into (phase, from, until), leaving out phases that did not happen."""
    connected = lane.started_ms + (lane.connect_ms or 0.0)
    heard = lane.ended_ms if lane.first_byte_ms is None else lane.first_byte_ms
    edges = [("connect", lane.started_ms, connected), ("wait", connected, heard), ("receive", heard, lane.ended_ms)]
    return [(phase, since, until) for phase, since, until in edges if until > since]
