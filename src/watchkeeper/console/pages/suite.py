"""A suite: what it asks and how it is marked, its versions and runs, and which of its cases do not stay the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.shares import LARGE
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.run import QUESTION_LETTERS_MAX, CaseLink
from watchkeeper.console.pages.run_case import asked, plain
from watchkeeper.console.pages.runs import (
    COMPARE,
    RunLine,
    case_href,
    course,
    quality_href,
    run_line,
    suite_href,
)
from watchkeeper.console.query import address
from watchkeeper.evals.kinds import types
from watchkeeper.evals.suite import Case, Gate, Scorer
from watchkeeper.evals.wording import percent, points
from watchkeeper.store.run_history import RunBrief
from watchkeeper.store.standings import Unsteady
from watchkeeper.store.suite_cases import CasePage, SuiteOutline
from watchkeeper.store.suites import SuiteRow

CASES_ON_PAGE = 50
RUNS_SHOWN = 30
RUNS_DRAWN = 40
VERSIONS_SHOWN = 12
SCORERS_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerLine:
    """One scorer."""

    title: str
    type: str
    meaning: str
    value: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """One version of the suite."""

    id: str
    short: str
    cases: str
    author: str
    message: str
    at: str
    is_latest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCaseLine:
    """One case."""

    id: str
    href: str
    """Where it stands in the latest run; empty before there is one."""
    question: str
    reference: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePage:
    """The page."""

    feature: str
    feature_href: str
    quality_href: str
    name: str
    href: str
    version: str
    description: str
    facts: tuple[tuple[str, str], ...]
    course: Markup
    has_course: bool
    runs: tuple[RunLine, ...]
    compare_href: str
    choices: tuple[tuple[str, str], ...]
    """Runs that can be compared: id, and what they are called."""
    scorers: tuple[ScorerLine, ...]
    gate: tuple[str, ...]
    unsteady: tuple[CaseLink, ...]
    cases: tuple[SuiteCaseLine, ...]
    """Empty without the right to read them."""
    search: str
    tag: str
    clear_href: str
    range: str
    newer_href: str
    older_href: str
    versions: tuple[VersionLine, ...]
    may_read_bodies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteQuery:
    """What the URL asked for."""

    search: str = ""
    tag: str = ""
    page: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFound:
    """What the stores say of a suite."""

    row: SuiteRow
    outline: SuiteOutline
    versions: Sequence[SuiteRow]
    runs: Sequence[RunBrief]
    """The newest first."""
    unsteady: Sequence[Unsteady] = ()
    cases: CasePage = field(default_factory=lambda: CasePage((), 0))
    may_read_bodies: bool = True


def suite_page(found: SuiteFound, query: SuiteQuery) -> SuitePage:
    """Build the page."""
    row, outline = found.row, found.outline
    href = suite_href(row.feature, row.name)
    ended = [run for run in found.runs if run.head.status != "running"]
    latest = ended[0].head.id if ended else ""
    comparable = [run for run in ended if run.head.suite_id == row.id][:RUNS_SHOWN]
    first = query.page * CASES_ON_PAGE
    last = first + len(found.cases.cases)
    return SuitePage(
        feature=row.feature,
        feature_href=feature_href(row.feature),
        quality_href=quality_href(row.feature),
        name=row.name,
        href=href,
        version=row.id[:12],
        description=outline.description,
        facts=_facts(outline),
        course=course(found.runs[:RUNS_DRAWN], height=LARGE),
        has_course=any(run.figures is not None for run in found.runs),
        runs=tuple(map(run_line, found.runs[:RUNS_SHOWN])),
        compare_href=COMPARE,
        choices=tuple((run.head.id, f"{run.at:%b %d %H:%M} {run_line(run).tried}") for run in comparable)
        if len(comparable) > 1
        else (),
        scorers=tuple(scorer_line(one, outline) for one in outline.scorers[:SCORERS_SHOWN]),
        gate=gate_in_words(outline.gate),
        unsteady=tuple(_unsteady(one, latest) for one in found.unsteady),
        cases=tuple(_case(one, latest) for one in found.cases.cases),
        search=query.search,
        tag=query.tag,
        clear_href=href if query.search or query.tag else "",
        range=f"{first + 1:,} to {last:,} of {found.cases.total:,}" if found.cases.cases else "",
        newer_href=_page(href, query, query.page - 1) if query.page else "",
        older_href=_page(href, query, query.page + 1) if last < found.cases.total else "",
        versions=tuple(map(_version, found.versions[:VERSIONS_SHOWN])),
        may_read_bodies=found.may_read_bodies,
    )


def _page(href: str, query: SuiteQuery, page: int) -> str:
    return address(href, q=query.search, tag=query.tag, page=str(page) if page else "") + "#cases"


def _facts(outline: SuiteOutline) -> tuple[tuple[str, str], ...]:
    facts = [("Cases", figures.count(len(outline.cases)))]
    facts += [("Each asked", f"{outline.repeats} times")] if outline.repeats > 1 else []
    facts += [("A run may cost", figures.money(outline.budget_nusd))] if outline.budget_nusd is not None else []
    facts += [("Judge", outline.judge)] if outline.judge else []
    return tuple(facts)


def scorer_line(scorer: Scorer, outline: SuiteOutline) -> ScorerLine:
    """Build the line of a scorer: what it looks for, and what follows."""
    facts = ["must not"] if scorer.negated else []
    facts += [f"from {scorer.threshold:g}"] if scorer.threshold is not None else []
    facts += (
        [f"weight {scorer.weight:g}" if scorer.weight else "counted, decides nothing"] if scorer.weight != 1 else []
    )
    facts += [f"judge {scorer.judge}"] if scorer.judge else []
    facts += ["no case may fail it"] if scorer.title in outline.gate.critical else []
    return ScorerLine(
        title=scorer.title,
        type=scorer.type,
        meaning=types().get(scorer.type, ""),
        value=_cut(_plain(scorer.value)),
        facts=tuple(facts),
    )


def gate_in_words(gate: Gate) -> tuple[str, ...]:
    """Say when a release is good enough, in sentences."""
    names = {"passed": "the share of cases that pass", "score": "the mean score"}
    primary = ", ".join(names.get(one, one) for one in gate.primary)
    said = [f"Not worse than the baseline by {points(gate.margin)} or more: {primary}."]
    said.append(f"It is wrong about that in {percent(gate.alpha)} of runs at most.")
    if gate.critical:
        said.append(f"No case fails {', '.join(gate.critical)}.")
    if gate.min_pass is not None:
        said.append(f"At least {percent(gate.min_pass)} of the cases pass.")
    said.append(f"At most {percent(gate.unmeasured)} of the answers are unmeasured.")
    if gate.latency is not None:
        said.append(f"Answers take no more than {percent(gate.latency)} longer.")
    if gate.cost is not None:
        said.append(f"Answers cost no more than {percent(gate.cost)} more.")
    said.append(
        "Where a run cannot tell, the release is held back."
        if gate.in_doubt == "block"
        else "Where a run cannot tell, the release passes."
    )
    return tuple(said)


def _unsteady(one: Unsteady, latest: str) -> CaseLink:
    runs = "1 run" if one.runs == 1 else f"{one.runs} runs"
    note = f"did not pass in {runs}" + (f", flaky in {one.flaky}" if one.flaky else "")
    return CaseLink(_cut(one.case), case_href(latest, one.case) if latest else "", note)


def _case(case: Case, latest: str) -> SuiteCaseLine:
    return SuiteCaseLine(
        id=_cut(case.id),
        href=case_href(latest, case.id) if latest else "",
        question=_cut(asked(case)),
        reference=_cut(_plain(case.reference)),
        tags=case.tags,
    )


def _plain(value: Any) -> str:
    return "" if value is None else plain(value)


def _cut(text: str) -> str:
    return text if len(text) <= QUESTION_LETTERS_MAX else f"{text[:QUESTION_LETTERS_MAX]}…"


def _version(row: SuiteRow) -> VersionLine:
    return VersionLine(
        id=row.id,
        short=row.id[:12],
        cases=figures.count(row.cases),
        author=row.author,
        message=row.message,
        at=figures.iso(row.at),
        is_latest=row.is_latest,
    )
