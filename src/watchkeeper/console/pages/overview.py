"""Overview: is it healthy, what changed, what does it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.meter import meter
from watchkeeper.console.charts.series import Marker, draw
from watchkeeper.console.pages.panels import QUESTIONS, Figure, Question
from watchkeeper.console.pages.picker import Picker, picker
from watchkeeper.console.query import CallQuery
from watchkeeper.store.rows import Overview, Share


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
    unpriced: str
    """How many of the calls are missing from the cost; empty for none."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The page."""

    picker: Picker
    since: str
    until: str
    length: str
    """The window's length in words; the comparison is with as much time just before."""
    problems: tuple[str, ...]
    panels: tuple[Panel, ...]
    copies: str
    """How many shadows and replays there were, and where they count; empty for none."""
    tops: tuple[TopTable, ...]
    changes: tuple[ChangeRow, ...]
    url: str
    """This page again, to look every now and then whether something has changed; empty for a window in the past."""


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
        picker=picker(query, "/"),
        since=figures.iso(since),
        until=figures.iso(since + length),
        length=figures.span(length),
        problems=query.problems,
        panels=tuple(panel(one, found, query, markers) for one in QUESTIONS.values() if one.is_asked(found)),
        copies=copies_of(found),
        tops=(
            TopTable("Top features", "Feature", _top(found.top_features, query, is_model=False)),
            TopTable("Top models", "Model", _top(found.top_models, query, is_model=True)),
        ),
        changes=tuple(ChangeRow(figures.iso(marker.at), marker.label) for marker in reversed(markers)),
        url="" if query.window.until else query.url("/"),
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


def copies_of(found: Overview) -> str:
    """Say how many calls are copies of others, and which figures they are part of; nothing where there are none."""
    copies = found.total.copied_calls
    if not copies:
        return ""
    are, them = ("is", "it") if copies == 1 else ("are", "they")
    return (
        f"{figures.count(copies)} of the calls {are} shadow or replay: {them} count in cost and tokens, "
        "and in no other figure."
    )


def _top(shares: Sequence[Share], query: CallQuery, *, is_model: bool) -> tuple[TopRow, ...]:
    dearest = max((share.cost_nusd or 0 for share in shares), default=0)
    most_called = max((share.calls for share in shares), default=0) or 1
    drawn = []
    for share in shares:
        provider, _, model = share.name.partition("/")
        filters = {"provider": provider, "model": model} if is_model else {"feature": share.name}
        part = (share.cost_nusd or 0) / dearest if dearest else share.calls / most_called
        drawn.append(
            TopRow(
                name=share.name or ("(no provider was asked)" if is_model else "(none)"),
                href=query.url("/calls", **filters) if share.name else "",
                calls=figures.count(share.calls),
                cost="" if share.cost_nusd is None else figures.column_amount(share.cost_nusd),
                unpriced=figures.short_count(share.unpriced_calls) if share.unpriced_calls else "",
                meter=meter(part),
            )
        )
    return tuple(drawn)
