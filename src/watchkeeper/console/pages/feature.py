"""A feature: its environments side by side, how it came to what is live, its releases, how it fares."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from watchkeeper.api.services import Ownership
from watchkeeper.console import figures
from watchkeeper.console.charts.series import Chart, Marker, Series, draw
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.live import LiveMark, live_marks
from watchkeeper.console.pages.overview import Panel, copies_of, panel
from watchkeeper.console.pages.panels import QUESTIONS, Figure, Legend
from watchkeeper.console.pages.picker import Picker, picker
from watchkeeper.console.pages.release import HistoryLine, Permits, ReviewLine, history_line
from watchkeeper.console.query import CallQuery
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.feedback import ReleaseFeedback
from watchkeeper.store.release_figures import OutputStep
from watchkeeper.store.releases import ReleaseRow
from watchkeeper.store.rows import Overview

RELEASES_SHOWN = 20
HISTORY_SHOWN = 30
SERIES_MAX = 4
"""Releases with a colour of their own; further ones share one."""
CHARTS = ("calls", "errors", "latency", "cost")
_TONES = ("error-1", "error-2", "error-3", "error-4")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLine:
    """One release of the feature."""

    id: str
    short: str
    href: str
    message: str
    author: str
    at: str
    live_in: tuple[str, ...]
    is_latest: bool


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """What people and programs think of the answers."""

    name: str
    average: str
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePage:
    """The page."""

    name: str
    stage: str
    facts: tuple[tuple[str, str], ...]
    picker: Picker
    problems: tuple[str, ...]
    live: tuple[LiveMark, ...]
    panels: tuple[Panel, ...]
    copies: str
    history: tuple[HistoryLine, ...]
    history_left: str
    releases: tuple[ReleaseLine, ...]
    releases_left: str
    reviews: tuple[ReviewLine, ...]
    feedback: tuple[FeedbackView, ...]
    links: tuple[tuple[str, str], ...]
    edit_href: str
    """The form of the latest release; empty where there is none."""
    permits: Permits


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFound:
    """What the stores say of a feature."""

    name: str
    owned: Ownership
    standings: Sequence[StandingRow]
    history: Sequence[StandingRow]
    releases: Sequence[ReleaseRow]
    head: str
    overview: Overview
    outputs: Sequence[OutputStep]
    markers: Sequence[Marker]
    said: Sequence[ReleaseFeedback] = ()
    reviews: tuple[ReviewLine, ...] = ()


def feature_page(found: FeatureFound, query: CallQuery, permits: Permits) -> FeaturePage:
    """Build the page from what the stores found; `query` has the feature among its filters."""
    name, path = found.name, feature_href(found.name)
    owned = {"Owner": found.owned.owner, "Cost owner": found.owned.cost_owner, "Unit": found.owned.unit_of_value}
    panels = [panel(QUESTIONS[one], found.overview, query, found.markers) for one in CHARTS]
    if found.outputs:
        panels.insert(2, _outputs(found, query))
    shown, hidden = found.releases[:RELEASES_SHOWN], len(found.releases) - RELEASES_SHOWN
    older = len(found.history) - HISTORY_SHOWN
    return FeaturePage(
        name=name,
        stage=found.owned.stage,
        facts=tuple((label, value) for label, value in owned.items() if value),
        picker=picker(query, path),
        problems=query.problems,
        live=live_marks(found.standings),
        panels=tuple(panels),
        copies=copies_of(found.overview),
        history=tuple(history_line(row) for row in found.history[:HISTORY_SHOWN]),
        history_left=figures.count(older) if older > 0 else "",
        releases=tuple(release_line(row, found.standings, found.head) for row in shown),
        releases_left=figures.count(hidden) if hidden > 0 else "",
        reviews=found.reviews,
        feedback=feedback_views(found.said),
        links=_links(name),
        edit_href=f"/releases/{found.head}/edit" if found.head else "",
        permits=permits,
    )


def _links(name: str) -> tuple[tuple[str, str], ...]:
    lists = (
        ("Calls", "/calls", "feature"),
        ("Cost", "/cost", "feature"),
        ("Budgets", "/budgets", "find"),
        ("Keys", "/keys", "feature"),
        ("Rollouts", "/rollouts", "feature"),
        ("Evals", "/evals", "feature"),
    )
    found = [(label, f"{to}?{urlencode({parameter: name})}") for label, to, parameter in lists]
    return (*found, ("Quality", f"{feature_href(name)}/quality"))


def feedback_views(said: Sequence[ReleaseFeedback]) -> tuple[FeedbackView, ...]:
    """Average the scores of all releases and environments, by the name of what was asked."""
    names = sorted({one.name for one in said})
    return tuple(_feedback(name, [one for one in said if one.name == name]) for name in names)


def _feedback(name: str, said: Sequence[ReleaseFeedback]) -> FeedbackView:
    scored, count = sum(one.scored for one in said), sum(one.count for one in said)
    average = f"{sum(one.score_sum for one in said) / scored:.2f}" if scored else figures.NOTHING
    label = f"Feedback, {name}" if name else "Feedback"
    return FeedbackView(
        label, average, f"{figures.short_count(scored)} scores" if scored else f"{count} without a score"
    )


def release_line(row: ReleaseRow, standings: Sequence[StandingRow], head: str) -> ReleaseLine:
    """Build one line of a list of releases."""
    return ReleaseLine(
        id=row.id,
        short=short(row.id),
        href=release_href(row.id),
        message=row.message,
        author=row.author,
        at=figures.iso(row.at),
        live_in=tuple(one.environment for one in standings if one.release == row.id),
        is_latest=row.id == head,
    )


def _outputs(found: FeatureFound, query: CallQuery) -> Panel:
    """Answers that failed, by release: those with the most in colours of their own."""
    overview = found.overview
    steps = len(overview.steps)
    failed: dict[str, list[int]] = {}
    for one in found.outputs:
        failed.setdefault(one.release, [0] * steps)[one.step] += one.failed
    ranked = sorted(failed, key=lambda release: (-sum(failed[release]), release))
    names = ranked[:SERIES_MAX]
    series = [
        Series(short(name) or "no release", tone, tuple(failed[name]))
        for name, tone in zip(names, _TONES, strict=False)
    ]
    if rest := [failed[name] for name in ranked[SERIES_MAX:]]:
        series.append(Series("others", "other", tuple(map(sum, zip(*rest, strict=True)))))
    checked, failures = sum(one.checked for one in found.outputs), sum(one.failed for one in found.outputs)
    value = figures.share(failures, checked)
    chart = Chart(
        title="Outputs failed",
        summary=f"Outputs failed, by release: {value}.",
        since=overview.steps[0].at,
        step_s=overview.step_s,
        series=tuple(series),
        kind="bars",
        unit="count",
        written=lambda number: figures.short_count(round(number)),
        markers=tuple(found.markers),
    )
    figure = Figure(
        value=value,
        exact=f"{figures.count(failures)} of {figures.count(checked)} answers did not fit the schema of their release",
        note="of the answers, by release",
        change=None,
        legend=tuple(
            Legend(one.name, one.tone, figures.count(int(sum(value or 0 for value in one.values)))) for one in series
        ),
        chart=chart,
        filters=(("output", "failed"),),
    )
    return Panel(
        id="outputs",
        title="Outputs failed",
        figure=figure,
        href=query.url("/calls", output="failed"),
        zoom_href=query.url("/charts/outputs"),
        svg=draw(chart),
    )
