"""The quality of a feature, for the whole team: what its suites show over time, and what was held back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.shares import LARGE, SharePoint, draw_shares
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.evals import BlockLine
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.runs import PATH, RunLine, course, quality_href, run_href, run_line, suite_href
from watchkeeper.console.query import address
from watchkeeper.store.feedback import ReleaseFeedback
from watchkeeper.store.gates import GateRow
from watchkeeper.store.run_history import RunBrief
from watchkeeper.store.share_links import ShareLink
from watchkeeper.store.suites import SuiteRow

SUITES_MAX = 12
GATES_MAX = 10
SUMMARY_MAX = 160
WEEKS = 6
"""Of feedback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySuite:
    """One suite over time."""

    name: str
    href: str
    cases: str
    last: RunLine | None
    course: Markup
    has_course: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineScore:
    """What one scorer said of a sample of real calls."""

    scorer: str
    average: str
    count: str
    course: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A check that a release has not passed."""

    gate: str
    release: str
    release_href: str
    summary: str
    run_href: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekOfFeedback:
    """What people and programs said within a week."""

    since: datetime
    said: Sequence[ReleaseFeedback]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLine:
    """A link to this page."""

    id: str
    feature: str
    quality_href: str
    name: str
    by: str
    at: str
    expires_at: str
    state: str
    shape: str
    is_good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPage:
    """The page."""

    feature: str
    feature_href: str
    href: str
    blocks: tuple[BlockLine, ...]
    suites: tuple[QualitySuite, ...]
    online: tuple[OnlineScore, ...]
    feedback: Markup | None
    feedback_says: str
    held: tuple[Held, ...]
    links: tuple[tuple[str, str], ...]
    shares: tuple[ShareLine, ...]
    may_share: bool
    made: str
    """The address of a link that was made a moment ago; it is shown once."""
    is_shared: bool
    """Whether it is shown to whoever holds a link: nothing on it leads anywhere."""
    until: str
    """When that link ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFound:
    """What the stores say of a feature's quality."""

    feature: str
    suites: Sequence[SuiteRow]
    runs: Mapping[str, Sequence[RunBrief]]
    """By suite, the newest first."""
    held: Sequence[GateRow]
    feedback: Sequence[WeekOfFeedback]
    """The oldest first."""
    blocks: tuple[BlockLine, ...]
    now: datetime
    online: tuple[OnlineScore, ...] = ()
    shares: Sequence[ShareLink] = ()


def quality_page(found: QualityFound, *, href: str, may_share: bool = False, made: str = "") -> QualityPage:
    """Build the page for who is signed in."""
    return _page(found, href=href, may_share=may_share, made=made)


def shared_page(found: QualityFound, link: ShareLink) -> QualityPage:
    """Build the page for whoever holds a link: figures only, and nothing that leads anywhere."""
    return _page(found, href="", until=figures.iso(link.expires_at))


def _page(found: QualityFound, *, href: str, may_share: bool = False, made: str = "", until: str = "") -> QualityPage:
    name, is_shared = found.feature, bool(until)
    chart, says = _feedback(found.feedback)
    return QualityPage(
        feature=name,
        feature_href=feature_href(name),
        href=href,
        # What follows are commands and names of cases, which are of no use or no business to whoever holds a link.
        blocks=() if is_shared else found.blocks,
        suites=tuple(
            _suite(row, found.runs.get(row.name, ()), has_links=not is_shared) for row in found.suites[:SUITES_MAX]
        ),
        online=found.online,
        feedback=chart,
        feedback_says=says,
        held=tuple(_held(row, is_shared=is_shared) for row in found.held[:GATES_MAX]),
        links=(
            ("Feature", feature_href(name)),
            ("Evals", address(PATH, feature=name)),
            ("Drift", f"/drift/{feature_href(name).rpartition('/')[2]}"),
            ("Labels", address("/labels", feature=name)),
        ),
        shares=tuple(share_line(link, found.now) for link in found.shares),
        may_share=may_share,
        made=made,
        is_shared=is_shared,
        until=until,
    )


def _suite(row: SuiteRow, runs: Sequence[RunBrief], *, has_links: bool) -> QualitySuite:
    ended = [run for run in runs if run.head.status != "running"]
    return QualitySuite(
        name=row.name,
        href=suite_href(row.feature, row.name) if has_links else "",
        cases=figures.count(row.cases),
        last=run_line(ended[0]) if ended else None,
        course=course(runs, height=LARGE, has_links=has_links),
        has_course=any(run.figures is not None and run.figures.passed is not None for run in runs),
    )


def _held(row: GateRow, *, is_shared: bool) -> Held:
    return Held(
        gate=row.gate,
        release=short(row.release),
        release_href=release_href(row.release),
        summary="" if is_shared else row.summary[:SUMMARY_MAX],
        run_href=run_href(row.run) if row.run.startswith("run-") else "",
        at=figures.iso(row.at),
    )


def _feedback(weeks: Sequence[WeekOfFeedback]) -> tuple[Markup | None, str]:
    points = []
    for week in weeks:
        scored = sum(one.scored for one in week.said)
        average = sum(one.score_sum for one in week.said) / scored if scored else None
        label = f"week from {week.since:%b %d}: {'no scores' if average is None else f'{average:.2f} of 1'}"
        points.append(SharePoint(share=average, label=f"{label}, {figures.count(scored)} scores"))
    count = sum(one.count for week in weeks for one in week.said)
    if not any(point.share is not None for point in points):
        said = "Nobody has said anything" if not count else f"{figures.count(count)} said something, without a score,"
        return None, f"{said} in the last {len(weeks)} weeks."
    summary = f"Average score by week, of {figures.count(count)} said in {len(weeks)} weeks."
    return draw_shares(points, summary=summary, height=LARGE), summary


def share_line(link: ShareLink, now: datetime) -> ShareLine:
    """Build the line of a link."""
    is_good = link.is_good(now)
    state = "good" if is_good else "taken back" if link.revoked_at is not None else "expired"
    return ShareLine(
        id=link.id,
        feature=link.feature,
        quality_href=quality_href(link.feature),
        name=link.name,
        by=link.by,
        at=figures.iso(link.at),
        expires_at=figures.iso(link.expires_at),
        state=state,
        shape="valid" if is_good else "cancelled",
        is_good=is_good,
    )
