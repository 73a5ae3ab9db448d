"""Overview: is it healthy, what changed, what does it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.meter import meter
from watchkeeper.console.charts.series import Marker, draw
from watchkeeper.console.pages.panels import QUESTIONS, Figure, Question
from watchkeeper.console.query import CallQuery
from watchkeeper.console.window import CUSTOM, WINDOWS
from watchkeeper.store.rows import Overview


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One question with its answer drawn."""

    id: str
    title: str
    figure: Figure
    href: str
    """The calls behind the figure."""
    zoom_href: str
    """The same chart, large, where a stretch can be selected."""
    svg: Markup


@dataclass(frozen=True, slots=True)
class TopRow:
    """One feature or model."""

    name: str
    href: str
    """The calls behind it; empty for calls that have no name, which cannot be asked for."""
    calls: str
    cost: str
    meter: Markup
    """Its share of the dearest one's cost, drawn."""


@dataclass(frozen=True, slots=True)
class TopTable:
    """Features or models, dearest first."""

    title: str
    head: str
    rows: tuple[TopRow, ...]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """Something that somebody changed during the window."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class WindowLink:
    """A choice of the window picker."""

    label: str
    href: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The page."""

    windows: tuple[WindowLink, ...]
    since: str
    until: str
    length: str
    """The window's length in words; the comparison is with as much time just before."""
    problems: tuple[str, ...]
    panels: tuple[Panel, ...]
    tops: tuple[TopTable, ...]
    changes: tuple[ChangeRow, ...]
    is_empty: bool
    """Whether neither this window nor the one before has a call."""


def overview_page(found: Overview, query: CallQuery, markers: Sequence[Marker]) -> OverviewPage:
    """Build the page from what the store found.

    Args:
        found: The window in steps, and the window before.
        query: What the URL asked for.
        markers: Changes made during the window, oldest first.
    """
    length = timedelta(seconds=found.step_s * len(found.steps))
    since = found.steps[0].at if found.steps else found.total.at
    return OverviewPage(
        windows=window_links(query, "/"),
        since=figures.iso(since),
        until=figures.iso(since + length),
        length=figures.span(length),
        problems=query.problems,
        panels=tuple(panel(question, found, query, markers) for question in QUESTIONS.values()),
        tops=(
            TopTable("Top features", "Feature", _top(found.top_features, query, is_model=False)),
            TopTable("Top models", "Model", _top(found.top_models, query, is_model=True)),
        ),
        changes=tuple(ChangeRow(figures.iso(marker.at), marker.label) for marker in reversed(markers)),
        is_empty=not found.total.calls and not found.previous.calls,
    )


def panel(
    question: Question, found: Overview, query: CallQuery, markers: Sequence[Marker], *, height: int = 132
) -> Panel:
    """Answer one question and draw it."""
    figure = question.answer(found, markers)
    return Panel(
        id=question.id,
        title=question.title,
        figure=figure,
        href=query.url("/calls", **dict(figure.filters)),
        zoom_href=query.url(f"/charts/{question.id}"),
        svg=draw(figure.chart, height=height),
    )


def window_links(query: CallQuery, path: str, *, more: Sequence[str] = ()) -> tuple[WindowLink, ...]:
    """Return the window picker; a window chosen by its ends is shown as the last choice."""
    names = [*WINDOWS, *more]
    links = [WindowLink(name, query.url(path, window=name), query.window.name == name) for name in names]
    if query.window.name == CUSTOM:
        links.append(WindowLink("custom", query.url(path), True))
    return tuple(links)


def _top(rows: Sequence[tuple[str, int, int]], query: CallQuery, *, is_model: bool) -> tuple[TopRow, ...]:
    dearest = max((cost for _, _, cost in rows), default=0)
    most_called = max((calls for _, calls, _ in rows), default=0) or 1
    drawn = []
    for name, calls, cost in rows:
        provider, _, model = name.partition("/")
        filters = {"provider": provider, "model": model} if is_model else {"feature": name}
        part = cost / dearest if dearest else calls / most_called
        drawn.append(
            TopRow(
                name=name or "(none)",
                href=query.url("/calls", **filters) if name else "",
                calls=figures.count(calls),
                cost=figures.amount(cost),
                meter=meter(part),
            )
        )
    return tuple(drawn)
