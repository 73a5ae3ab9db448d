"""A run: what it shows and why, metric by metric, and its cases, those that fail first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from watchkeeper.console import figures
from watchkeeper.console.charts.intervals import draw_interval
from watchkeeper.console.pages.call_release import release_href, short
from watchkeeper.console.pages.evals import UnderWay, under_way
from watchkeeper.console.pages.features import feature_href
from watchkeeper.console.pages.runs import (
    STANDING_SHAPES,
    Piece,
    RunMark,
    case_href,
    iso_ms,
    pieces,
    quality_href,
    run_href,
    run_mark,
    suite_href,
)
from watchkeeper.console.query import address
from watchkeeper.evals.decision import Comparison, Decision
from watchkeeper.evals.outcome import Status
from watchkeeper.evals.points import COST, LATENCY
from watchkeeper.evals.reports import wording
from watchkeeper.evals.reports.report import STANDINGS, Counts, Report, Standing
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.wording import missing_in_words, percent
from watchkeeper.store.standings import CaseStanding, Facets, StandingFilter

CASES_ON_PAGE = 50
NAMED_MAX = 12
"""Cases that a line of breaches, flips or flaky ones names."""
SLICES_MAX = 10
FURTHER_MAX = 20
QUESTION_LETTERS_MAX = 160
ID_LETTERS_MAX = 80
FORMATS = ((".html", "HTML"), (".junit.xml", "JUnit"), (".md", "Markdown"), (".csv", "CSV"), (".json", "JSON"))
"""Ends of names of reports, and what they are called."""
_NAMES = {LATENCY: "latency", COST: "cost", "passed": "cases passed", "score": "mean score"}
_VERDICTS = {"better": "valid", "not worse": "ok", "worse": "error", "cannot tell": "warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonLine:
    """One metric under both arms."""

    metric: str
    candidate: str
    baseline: str
    difference: str
    bounds: str
    margin: str
    svg: Markup
    mark: RunMark
    detectable: str
    cases: str
    labels: str
    method: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLine:
    """Who was asked."""

    name: str
    title: str
    release: str
    release_href: str
    parameters: str
    href: str
    """The run that its answers were taken from; empty for this one."""


@dataclass(frozen=True, slots=True)
class CaseLink:
    """A case that is named."""

    id: str
    href: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCases:
    """Cases that a decision names."""

    title: str
    says: str
    cases: tuple[CaseLink, ...]
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One case."""

    id: str
    shown: str
    """Its id, cut where it is very long."""
    href: str
    mark: RunMark
    repeats: str
    before: str
    is_new: bool
    is_breach: bool
    scorers: tuple[str, ...]
    tags: tuple[str, ...]
    question: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to narrow the cases."""

    name: str
    count: str
    href: str
    shape: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesPart:
    """The cases of a run, narrowed to some."""

    standings: tuple[Choice, ...]
    scorers: tuple[Choice, ...]
    tags: tuple[Choice, ...]
    kept: tuple[tuple[str, str], ...]
    """What the search form carries along."""
    search: str
    clear_href: str
    """Empty where nothing is chosen."""
    lines: tuple[CaseLine, ...]
    range: str
    newer_href: str
    older_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """The page."""

    id: str
    href: str
    title: str
    feature: str
    feature_href: str
    quality_href: str
    suite_href: str
    version: str
    mark: RunMark
    headline: tuple[Piece, ...]
    reasons: tuple[tuple[Piece, ...], ...]
    next: tuple[Piece, ...]
    started_at: str
    by: str
    commit: str
    facts: tuple[tuple[str, str], ...]
    arms: tuple[ArmLine, ...]
    judges: tuple[tuple[str, str, str], ...]
    """What each judges, who it is, and where that stands."""
    is_gate: bool
    """Whether what it shows counts as a check on the release."""
    comparisons: tuple[ComparisonLine, ...]
    further: tuple[ComparisonLine, ...]
    slices: tuple[ComparisonLine, ...]
    missing: str
    named: tuple[NamedCases, ...]
    downloads: tuple[tuple[str, str], ...]
    """Empty without the right to read answers."""
    may_read_bodies: bool
    under_way: UnderWay | None
    url: str
    """To ask again while it runs; empty afterwards."""
    cases: CasesPart
    is_kept: bool
    """Whether it can be asked for; a comparison of two runs is kept nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """What the URL asked for."""

    chosen: StandingFilter = field(default_factory=StandingFilter)
    page: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFound:
    """What the stores say of a run."""

    head: RunHead
    decision: Decision | None
    counts: Mapping[Standing, int]
    """Of all cases."""
    fitting: int
    """Cases that were chosen."""
    cases: Sequence[CaseStanding]
    facets: Facets = field(default_factory=lambda: Facets(scorers=(), tags=()))
    questions: Mapping[str, str] = field(default_factory=dict[str, str])
    """By case; empty without the right to read them."""
    progress: Mapping[Status, int] = field(default_factory=dict[Status, int])
    may_read_bodies: bool = True
    is_kept: bool = True


def run_page(found: RunFound, query: RunQuery) -> RunPage:
    """Build the page."""
    head, decision = found.head, found.decision
    report = _report(head, decision, found.counts)
    is_running = head.status == "running"
    named = () if decision is None else _named(head, decision)
    reasons = () if decision is None else decision.reasons[1:]
    href = run_href(head.id)
    return RunPage(
        id=head.id,
        href=href,
        title=head.title,
        feature=head.feature,
        feature_href=feature_href(head.feature),
        quality_href=quality_href(head.feature),
        suite_href=suite_href(head.feature, head.suite),
        version=head.suite_id[:12],
        mark=run_mark(head, None if decision is None else decision.result),
        headline=pieces(wording.verdict(report)),
        reasons=tuple(map(pieces, (*reasons, *([head.note] if head.note else [])))),
        next=() if is_running else pieces(wording.what_to_do(report)),
        started_at=iso_ms(head.started_ms),
        by=head.by,
        commit=head.commit[:12],
        facts=_facts(report),
        arms=tuple(_arm(arm, head) for arm in head.arms),
        judges=tuple((kind, short(one), release_href(one)) for kind, one in list(head.judges.items())[:NAMED_MAX]),
        is_gate=head.is_gate,
        comparisons=() if decision is None else tuple(map(comparison_line, decision.comparisons)),
        further=() if decision is None else tuple(map(comparison_line, decision.further[:FURTHER_MAX])),
        slices=()
        if decision is None
        else tuple(comparison_line(one, of=tag) for tag, one in decision.slices[:SLICES_MAX]),
        missing="" if decision is None or decision.missing is None else missing_in_words(decision.missing),
        named=named,
        downloads=tuple((label, address(f"{href}/report", ending=end)) for end, label in FORMATS)
        if found.may_read_bodies and found.is_kept and not is_running
        else (),
        may_read_bodies=found.may_read_bodies,
        under_way=under_way(head, found.progress) if is_running else None,
        url=_address(href, query) if is_running else "",
        cases=_cases(found, query, href),
        is_kept=found.is_kept,
    )


def _report(head: RunHead, decision: Decision | None, counts: Mapping[Standing, int]) -> Report:
    """As much of a report as its words are made from."""
    return Report(
        head=head,
        decision=decision,
        cases={},
        outcomes=tuple,
        counts=Counts(**{standing: counts.get(standing, 0) for standing in STANDINGS}),
        arms=(),
        tallies={},
        rows=(),
        left_out=Counts(),
    )


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    head, decision = report.head, report.decision
    facts = [("Cases", wording.counted(report.counts))]
    if decision is not None and decision.passed is not None:
        between = ""
        if decision.passed_lower is not None and decision.passed_upper is not None:
            low, high = wording.share(decision.passed_lower), wording.share(decision.passed_upper)
            between = f", 95 % interval {low} to {high}"
        facts.append(("Passed", f"{wording.share(decision.passed)}{between}"))
    if decision is not None and decision.passes_all is not None:
        every, once = wording.share(decision.passes_all), wording.share(decision.passes_once)
        facts.append((f"Of {head.repeats} repeats", f"all pass {every}, at least one {once}"))
    if head.ended_ms is not None:
        facts.append(("Answers cost", wording.money(head.cost_nusd, head.cost_status)))
        judges = "" if head.judge_cost_nusd == 0 else wording.money(head.judge_cost_nusd, "measured")
        facts += [("Judges cost", judges)] if judges else []
        facts.append(("Took", wording.milliseconds(report.duration_ms)))
    if head.cap_nusd is not None and head.status != "finished":
        facts.append(("May cost", figures.money(head.cap_nusd)))
    return tuple(facts)


def _arm(arm: ArmHead, head: RunHead) -> ArmLine:
    is_earlier = arm.name == "baseline" and bool(head.baseline_run)
    return ArmLine(
        name=arm.name,
        title=arm.title or arm.model or arm.name,
        release=short(arm.release),
        release_href=release_href(arm.release),
        parameters=", ".join(f"{name} {value}" for name, value in arm.parameters.items())[:QUESTION_LETTERS_MAX],
        href=run_href(head.baseline_run) if is_earlier else "",
    )


def comparison_line(found: Comparison, *, of: str = "") -> ComparisonLine:
    """Write one comparison as a row.

    Args:
        found: As it was decided.
        of: The tag whose cases it is about; empty for all.
    """
    low, high = sorted((found.lower, found.upper))
    return ComparisonLine(
        metric=of or _NAMES.get(found.metric, found.metric),
        candidate=_value(found.candidate, found),
        baseline=_value(found.baseline, found),
        difference=_difference(found.difference, found),
        bounds=f"{_difference(low, found)} to {_difference(high, found)}",
        margin=percent(found.margin) if found.is_relative else f"{100 * found.margin:.3g}",
        svg=draw_interval(found),
        mark=RunMark(_VERDICTS[found.verdict], found.verdict),
        detectable="" if found.detectable is None else wording.points(-found.detectable),
        cases=figures.count(found.cases),
        labels=figures.count(found.labels) if found.labels else "",
        method=found.method,
        note=found.note,
    )


def _value(value: float, found: Comparison) -> str:
    if found.metric == LATENCY:
        return wording.milliseconds(value)
    if found.metric == COST:
        return figures.money(round(value))
    return wording.share(value)


def _difference(value: float, found: Comparison) -> str:
    """In percent of the baseline where it is one, else in points."""
    written = wording.points(value)
    return f"{written} %" if found.is_relative else written


def _named(head: RunHead, decision: Decision) -> tuple[NamedCases, ...]:
    breaches = [
        CaseLink(_cut_id(one.case), case_href(head.id, one.case), _times(one.scorer, one.failed, one.repeats))
        for one in decision.breaches
    ]
    flips = [
        CaseLink(
            _cut_id(one.case),
            case_href(head.id, one.case),
            f"{one.baseline_passed} of {one.baseline_repeats}, now {one.passed} of {one.repeats}",
        )
        for one in decision.flips
    ]
    flaky = [CaseLink(_cut_id(one), case_href(head.id, one), "") for one in decision.flaky]
    found = (
        ("Fail what no case may fail", "the gate names these scorers as critical", breaches),
        ("Flipped", "passed nearly always and now nearly never; a reason to look, not to block", flips),
        ("Flaky", "pass in some repeats and fail in others", flaky),
    )
    return tuple(
        NamedCases(
            title=title,
            says=says,
            cases=tuple(links[:NAMED_MAX]),
            left=figures.count(len(links) - NAMED_MAX) if len(links) > NAMED_MAX else "",
        )
        for title, says, links in found
        if links
    )


def _times(scorer: str, failed: int, repeats: int) -> str:
    return scorer if repeats == 1 else f"{scorer}, {failed} of {repeats} times"


def _cases(found: RunFound, query: RunQuery, href: str) -> CasesPart:
    chosen, total = query.chosen, sum(found.counts.values())
    first = query.page * CASES_ON_PAGE
    last = first + len(found.cases)
    is_narrowed = chosen != StandingFilter(search_reasons=chosen.search_reasons)
    everything = Choice(
        name="all",
        count=figures.count(total),
        href=_narrowed(href, query, standing=""),
        shape="",
        is_chosen=not chosen.standing,
    )
    standings = [
        Choice(
            name=standing,
            count=figures.count(count),
            href=_narrowed(href, query, standing=standing),
            shape=STANDING_SHAPES[standing],
            is_chosen=chosen.standing == standing,
        )
        for standing, count in found.counts.items()
    ]
    return CasesPart(
        standings=(everything, *standings),
        scorers=_choices("scorer", chosen.scorer, found.facets.scorers, href, query),
        tags=_choices("tag", chosen.tag, found.facets.tags, href, query),
        kept=tuple((name, value) for name, value in _parameters(query).items() if name not in ("q", "page")),
        search=chosen.search,
        clear_href=href if is_narrowed else "",
        lines=tuple(case_line(found.head.id, one, found) for one in found.cases),
        range=f"{first + 1:,} to {last:,} of {found.fitting:,}" if found.cases else "",
        newer_href=_address(href, query, page=str(query.page - 1) if query.page > 1 else "") if query.page else "",
        older_href=_address(href, query, page=str(query.page + 1)) if last < found.fitting else "",
    )


def _choices(
    name: str, chosen: str, counted: Sequence[tuple[str, int]], href: str, query: RunQuery
) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            name=one,
            count=figures.count(count),
            href=_narrowed(href, query, **{name: "" if one == chosen else one}),
            shape="",
            is_chosen=one == chosen,
        )
        for one, count in counted
    )


def case_line(run: str, one: CaseStanding, found: RunFound) -> CaseLine:
    """Build the line of a case."""
    times = one.passed + one.failed + one.unmeasured
    return CaseLine(
        id=one.case,
        shown=_cut_id(one.case),
        href=case_href(run, one.case),
        mark=RunMark(STANDING_SHAPES[one.standing], one.standing),
        repeats=f"{one.passed} of {times}" if times > 1 else "",
        before=one.before or "",
        is_new=one.is_new,
        is_breach=one.is_breach,
        scorers=one.scorers,
        tags=one.tags,
        question=_cut(found.questions.get(one.case, ""), QUESTION_LETTERS_MAX),
        reason=_cut(one.reason, 2 * QUESTION_LETTERS_MAX) if found.may_read_bodies else "",
    )


def _narrowed(href: str, query: RunQuery, **changes: str) -> str:
    return _address(href, query, page="", **changes)


def _parameters(query: RunQuery) -> dict[str, str]:
    chosen = query.chosen
    return {
        "standing": chosen.standing,
        "scorer": chosen.scorer,
        "tag": chosen.tag,
        "q": chosen.search,
        "new": "1" if chosen.is_new else "",
        "page": str(query.page) if query.page else "",
    }


def _address(href: str, query: RunQuery, **changes: str) -> str:
    return address(href, **(_parameters(query) | changes))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _cut_id(case: str) -> str:
    return _cut(case, ID_LETTERS_MAX)
