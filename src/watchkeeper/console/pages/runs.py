"""Runs as lists and strips show them: where they lead, what they came to, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.shares import SMALL, SharePoint, draw_shares
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.features import feature_href
from watchkeeper.evals.decision import Result
from watchkeeper.evals.outcome import Status
from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.report import Standing
from watchkeeper.evals.run import RunHead
from watchkeeper.store.run_history import RunBrief, RunFigures

PATH = "/evals"
RUNS = f"{PATH}/runs"
COMPARE = f"{PATH}/compare"
SHAPES: dict[Result, str] = {
    "pass": "valid",
    "regression": "error",
    "inconclusive": "warning",
    "unmeasured": "warning",
}
STANDING_SHAPES: dict[Standing | Status, str] = {
    "failed": "error",
    "unmeasured": "warning",
    "flaky": "cancelled",
    "passed": "ok",
}
_TONES = {"pass": "pass", "regression": "regression", "inconclusive": "unclear", "unmeasured": "unclear"}


@dataclass(frozen=True, slots=True)
class RunMark:
    """What became of a run, as a shape and a word."""

    shape: str
    word: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence."""

    text: str
    is_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run in a list."""

    id: str
    href: str
    mark: RunMark
    tried: str
    tried_href: str
    passed: str
    interval: str
    """Empty where nothing was decided."""
    reason: str
    at: str
    by: str
    cost: str
    is_ended: bool


def run_href(run: str) -> str:
    """Return the page of a run."""
    return f"{RUNS}/{quote(run, safe='')}"


def case_href(run: str, case: str) -> str:
    """Return the page of a case in a run."""
    return f"{run_href(run)}/cases/{quote(case, safe='')}"


def suite_href(feature: str, name: str) -> str:
    """Return the page of a suite."""
    return f"{PATH}/suites/{quote(feature, safe='')}/{quote(name, safe='')}"


def quality_href(feature: str) -> str:
    """Return the quality page of a feature."""
    return f"{feature_href(feature)}/quality"


def pieces(sentence: str) -> tuple[Piece, ...]:
    """Split a sentence at its backticks: what stands between two of them is a command or a name."""
    return tuple(Piece(text, bool(place % 2)) for place, text in enumerate(sentence.split("`")) if text)


def run_mark(head: RunHead, result: Result | None) -> RunMark:
    """Say what became of a run."""
    if head.status == "running":
        return RunMark("other", "running")
    if head.status == "stopped":
        return RunMark("cancelled", "stopped")
    if result is None:
        return RunMark("other", "not decided")
    return RunMark(SHAPES[result], wording.TITLES[result].lower())


def interval(figures_of: RunFigures | None) -> str:
    """Write the interval of the share that passed: "87.2 to 94.5 %"."""
    if figures_of is None or figures_of.passed_lower is None or figures_of.passed_upper is None:
        return ""
    return f"{100 * figures_of.passed_lower:.1f} to {100 * figures_of.passed_upper:.1f} %"


def tried(head: RunHead) -> str:
    """Name what was tried, as people know it."""
    arm = head.arms[0] if head.arms else None
    return "" if arm is None else short(arm.release) or arm.title or arm.model or arm.name


def run_line(run: RunBrief) -> RunLine:
    """Build one line."""
    found = run.figures
    return RunLine(
        id=run.head.id,
        href=run_href(run.head.id),
        mark=run_mark(run.head, None if found is None else found.result),
        tried=tried(run.head),
        tried_href=release_href(run.release),
        passed=wording.share(None if found is None else found.passed),
        interval=interval(found),
        reason=found.reasons[0] if found is not None and found.reasons else run.head.note,
        at=figures.iso(run.at),
        by=run.head.by,
        cost=wording.money(run.head.cost_nusd, run.head.cost_status) if run.head.ended_ms else "",
        is_ended=run.head.status != "running",
    )


def course(runs: Sequence[RunBrief], *, height: int = SMALL, has_links: bool = True) -> Markup:
    """Draw the share that passed over runs.

    Args:
        runs: The newest first, as lists have them; those that have not ended are left out.
        height: In pixels.
        has_links: Whether each run leads to its page.
    """
    ended = [run for run in reversed(runs) if run.figures is not None and run.figures.passed is not None]
    points, before = [], ""
    for run in ended:
        name = tried(run.head)
        points.append(_point(run, name if name != before else "", has_link=has_links))
        before = name
    if not ended:
        return draw_shares((), summary="No run has ended yet.", height=height)
    last = ended[-1].figures
    said = f"Cases that passed, in {len(ended)} runs; {wording.share(last.passed if last else None)} in the latest."
    return draw_shares(points, summary=said, height=height)


def _point(run: RunBrief, change: str, *, has_link: bool) -> SharePoint:
    found = run.figures
    mark = run_mark(run.head, None if found is None else found.result)
    share, between = wording.share(None if found is None else found.passed), interval(found)
    label = f"{run.at:%b %d %H:%M} UTC, {tried(run.head)}: {share} passed ({between or 'no interval'}), {mark.word}"
    is_whole = run.head.status == "finished" and found is not None
    return SharePoint(
        share=None if found is None else found.passed,
        lower=None if found is None else found.passed_lower,
        upper=None if found is None else found.passed_upper,
        tone=_TONES[found.result] if is_whole and found is not None else "other",
        label=label,
        href=run_href(run.head.id) if has_link else "",
        change=change,
    )


def iso_ms(at_ms: int | None) -> str:
    """Write a Unix time in milliseconds for a machine; empty for none."""
    return "" if at_ms is None else figures.iso(datetime.fromtimestamp(at_ms / 1_000, UTC))
