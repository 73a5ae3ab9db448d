"""When the chunks of a stream arrived, and how long the gaps between them were."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from watchkeeper.console.charts.scale import ticks
from watchkeeper.console.charts.svg import element, number, percent
from watchkeeper.console.figures import duration

_HEIGHT = 150
_TOP = 14
_BOTTOM = 18
_COLUMNS_MAX = 240
"""More chunks than this are drawn as the longest gap of each column, so that a stall is never lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The rhythm of one stream, in milliseconds."""

    chunks: int
    first_ms: float
    last_ms: float
    gap_p50_ms: float
    gap_p95_ms: float
    gap_max_ms: float
    gap_max_at_ms: float
    """When the longest gap began."""


def pace(offsets_us: Sequence[int]) -> Pace | None:
    """Measure a stream by its chunks' arrival, in microseconds from the call's start; None for fewer than two."""
    if len(offsets_us) < 2:
        return None
    gaps = [(after - before) / 1_000 for before, after in itertools.pairwise(offsets_us)]
    ordered = sorted(gaps)
    longest = ordered[-1]
    return Pace(
        chunks=len(offsets_us),
        first_ms=offsets_us[0] / 1_000,
        last_ms=offsets_us[-1] / 1_000,
        gap_p50_ms=_quantile(ordered, 0.5),
        gap_p95_ms=_quantile(ordered, 0.95),
        gap_max_ms=longest,
        gap_max_at_ms=offsets_us[gaps.index(longest)] / 1_000,
    )


def draw_chunks(offsets_us: Sequence[int], *, total_ms: float) -> Markup:
    """Return one `<svg>`: a stem per chunk, as tall as the wait before it, standing where it arrived.

    Args:
        offsets_us: Arrival of each chunk in microseconds from the call's start, in order.
        total_ms: How long the whole call took; the axis ends there.
    """
    arrivals = [offset / 1_000 for offset in offsets_us]
    longest = max([total_ms, *arrivals], default=0) or 1.0
    gaps = [arrival - before for arrival, before in zip(arrivals, [0.0, *arrivals], strict=False)]
    stems = _thinned(list(zip(arrivals, gaps, strict=True)), longest)
    marks = ticks(max((gap for _, gap in stems), default=0), most=3)
    plot_height = _HEIGHT - _TOP - _BOTTOM
    shapes = "".join(f"M{number(1000 * at / longest)} 100v{number(-100 * gap / marks[-1])}" for at, gap in stems)
    plot = element(
        "svg",
        element("path", class_="stem", d=shapes),
        y=_TOP,
        width="100%",
        height=plot_height,
        viewBox="0 0 1000 100",
        preserveAspectRatio="none",
    )
    return element(
        "svg",
        *_axes(marks, longest, plot_height),
        plot,
        class_="chart chart-chunks",
        width="100%",
        height=_HEIGHT,
        role="img",
        aria_label=_summary(offsets_us),
    )


def _summary(offsets_us: Sequence[int]) -> str:
    rhythm = pace(offsets_us)
    if rhythm is None:
        return f"Chunks of the stream: {len(offsets_us)}."
    return (
        f"{rhythm.chunks} chunks, the first after {duration(rhythm.first_ms)}, the last after "
        f"{duration(rhythm.last_ms)}; longest gap {duration(rhythm.gap_max_ms)}."
    )


def _axes(marks: Sequence[float], longest: float, plot_height: float) -> list[Markup]:
    parts = []
    for position, mark in enumerate(marks):
        y = _TOP + plot_height * (1 - position / (len(marks) - 1))
        parts.append(element("line", class_="grid" if position else "axis", x1="0", x2="100%", y1=y, y2=y))
        if position:
            parts.append(element("text", duration(mark), class_="label", x="0", y=y - 3))
    for mark in ticks(longest, most=5)[1:]:
        if mark / longest <= 0.96:
            place = percent(mark / longest)
            parts.append(element("text", duration(mark), class_="label", x=place, y=_HEIGHT - 4, text_anchor="middle"))
    return parts


def _thinned(stems: list[tuple[float, float]], longest: float) -> list[tuple[float, float]]:
    if len(stems) <= _COLUMNS_MAX:
        return stems
    tallest: dict[int, tuple[float, float]] = {}
    for at, gap in stems:
        column = int(at / longest * _COLUMNS_MAX)
        if gap >= tallest.get(column, (0.0, -1.0))[1]:
            tallest[column] = (at, gap)
    return list(tallest.values())


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank quantile of ascending values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
