"""The course of cost over a window: bars of equal width, each of which leads to its calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchkeeper.console import figures
from watchkeeper.console.charts.series import Chart, Link, Marker, Series
from watchkeeper.console.charts.svg import number
from watchkeeper.console.costing import CostView
from watchkeeper.console.pages.panels import Legend
from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.store.cost_rows import CostAnswer

BARS_MOST = 32
_WIDTHS_H = (1, 2, 3, 6, 12, 24, 48, 168, 336, 672)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Course:
    """The chart, its legend, and how long a bar is."""

    chart: Chart
    legend: tuple[Legend, ...]
    step: str


def course(hourly: CostAnswer, view: CostView, markers: Sequence[Marker] = ()) -> Course:
    """Gather hours into bars.

    Args:
        hourly: By hour, in UTC.
        view: Says from when to when.
        markers: Changes that were made in that time.
    """
    hours = max(1, (view.until - view.since) // HOUR)
    width = next((one for one in _WIDTHS_H if hours / one <= BARS_MOST), hours // BARS_MOST + 1)
    bars = -(-hours // width)
    certain, estimated, unpriced = [0] * bars, [0] * bars, [0] * bars
    for group in hourly.groups:
        place = int((datetime.fromisoformat(group.names[0]).astimezone(UTC) - view.since) / HOUR) // width
        if 0 <= place < bars:
            certain[place] += (group.spend.cost_nusd or 0) - group.spend.estimated_nusd
            estimated[place] += group.spend.estimated_nusd
            unpriced[place] += group.spend.unpriced_calls
    series = [Series("measured", "ok", _dollars(certain))]
    legend = [Legend("measured", "ok", figures.money(sum(certain)))]
    if any(estimated):
        series.append(Series("estimated", "estimated", _dollars(estimated)))
        legend.append(Legend("estimated", "estimated", figures.money(sum(estimated))))
    whole = sum(certain) + sum(estimated)
    chart = Chart(
        title="Cost",
        summary=f"Cost, {figures.money(whole)} in {bars} steps of {figures.span(width * HOUR)}.",
        since=view.since,
        step_s=3_600 * width,
        series=tuple(series),
        kind="bars",
        unit="usd",
        written=lambda value: f"${number(value)}" if value >= 1 or not value else f"${value:.2g}",
        markers=tuple(markers),
        links=tuple(
            _link(view, place, width, certain[place] + estimated[place], unpriced[place]) for place in range(bars)
        ),
    )
    return Course(chart, tuple(legend), figures.span(width * HOUR))


def _link(view: CostView, place: int, width: int, nusd: int, unpriced: int) -> Link:
    since = view.since + place * width * HOUR
    until = min(since + width * HOUR, view.until)
    more = f", {figures.count(unpriced)} calls unpriced" if unpriced else ""
    return Link(view.calls_url(since, until), f"{since:%a %b %d %H:%M} UTC: {figures.money(nusd)}{more}")


def _dollars(nusd: Sequence[int]) -> tuple[float, ...]:
    """For drawing only; amounts that are read come from the integers."""
    return tuple(amount / NUSD_PER_USD for amount in nusd)
