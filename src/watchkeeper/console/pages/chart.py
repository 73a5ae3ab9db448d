"""One chart of the overview, large: to select a stretch of it, and to read its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.pages.overview import Panel, panel
from watchkeeper.console.pages.panels import QUESTIONS, Question
from watchkeeper.console.pages.picker import Picker, picker
from watchkeeper.console.query import CallQuery
from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.store.rows import Overview

HEIGHT = 340


@dataclass(frozen=True, slots=True)
class QuestionLink:
    """Another chart of the same window."""

    title: str
    href: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step in figures."""

    at: str
    href: str
    """The calls of this step."""
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPage:
    """The page."""

    picker: Picker
    panel: Panel
    others: tuple[QuestionLink, ...]
    overview_href: str
    zoom_href: str
    """This page without a window, to which a selected stretch is added."""
    heads: tuple[str, ...]
    unit: str
    rows: tuple[StepRow, ...]
    """Newest first."""
    problems: tuple[str, ...]


def chart_page(question: Question, found: Overview, query: CallQuery, markers: Sequence[Marker]) -> ChartPage:
    """Build the page from what the store found; the arguments are those of `overview_page`."""
    drawn = panel(question, found, query, markers, height=HEIGHT)
    chart = drawn.figure.chart
    path = f"/charts/{question.id}"
    rows = []
    for place, step in enumerate(found.steps):
        until = found.steps[place + 1].at if place + 1 < len(found.steps) else chart.until
        bounds = {"since": f"{step.at:%Y-%m-%dT%H:%M:%SZ}", "until": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
        values = tuple(_written(series.values[place], chart.unit) for series in chart.series)
        rows.append(StepRow(figures.iso(step.at), query.url("/calls", **dict(drawn.figure.filters), **bounds), values))
    return ChartPage(
        picker=picker(query, path),
        panel=drawn,
        others=tuple(
            QuestionLink(other.title, query.url(f"/charts/{other.id}"), other is question)
            for other in QUESTIONS.values()
        ),
        overview_href=query.url("/"),
        zoom_href=query.url(path, window="", since="", until=""),
        heads=tuple(series.name for series in chart.series),
        unit={"count": "", "ms": "ms", "usd": "$"}[chart.unit],
        rows=tuple(reversed(rows)),
        problems=query.problems,
    )


def _written(value: float | None, unit: str) -> str:
    if value is None:
        return figures.NOTHING
    match unit:
        case "ms":
            return figures.milliseconds(value)
        case "usd":
            return figures.column_amount(round(value * NUSD_PER_USD))
        case _:
            return figures.count(round(value))
