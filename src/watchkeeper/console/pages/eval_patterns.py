"""Patterns: the components of suites, runs, cases and quality; ordinary, empty, long, hostile data, and errors."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from msgspec import Raw, structs

from watchkeeper.console.pages.evals import Asked, EvalsFound, EvalsPage, block_lines, evals_page
from watchkeeper.console.pages.quality import QualityFound, QualityPage, WeekOfFeedback, quality_page, shared_page
from watchkeeper.console.pages.run import RunFound, RunPage, RunQuery, run_page
from watchkeeper.console.pages.run_case import CaseFound, RunCasePage, run_case_page
from watchkeeper.console.pages.suite import SuiteFound, SuitePage, SuiteQuery, suite_page
from watchkeeper.evals.decision import Breach, Comparison, Decision, Flip, Missing, Verdict
from watchkeeper.evals.outcome import Answer, Mark, Outcome, Status, outcome_of
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case, Gate, Scorer
from watchkeeper.releases.rules import Rules
from watchkeeper.store.feedback import ReleaseFeedback
from watchkeeper.store.gates import GateRow
from watchkeeper.store.run_history import RunBrief, RunFigures
from watchkeeper.store.share_links import ShareLink
from watchkeeper.store.standings import CaseStanding, Facets, Unsteady
from watchkeeper.store.suite_cases import CasePage, SuiteOutline
from watchkeeper.store.suites import SuiteRow

_AT = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
_RELEASES = ("wk1-" + "abcdefghijklmnopqrstuvwxyz", "wk1-" + "zyxwvutsrqponmlkjihgfedcba")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalPatterns:
    """The page."""

    evals: EvalsPage
    runs: tuple[RunPage, ...]
    """One that shows a regression, one that cannot tell, one that runs, and one without anything."""
    cases: tuple[RunCasePage, ...]
    suite: SuitePage
    quality: QualityPage
    bare: QualityPage


def eval_patterns(*, hostile: str, long: str) -> EvalPatterns:
    """Build the page; it asks nothing of any store and is always the same."""
    briefs = _briefs()
    rows = (_row("answers", hostile), _row(hostile[:60], long), _row("tone", ""))
    running = _head("running")
    rules = {"production": Rules(gates=("answers", "safety")), "staging": Rules(gates=("tone",))}
    asked = Asked(latest=_RELEASES[0], gates=(_gate(hostile),), live={"staging": _RELEASES[0]})
    found = EvalsFound(
        suites=rows,
        runs={("support", "answers"): [RunBrief(head=running, at=_AT, figures=None), *briefs]},
        asked={"support": asked},
        rules=rules,
        progress={running.id: {"passed": 61, "failed": 9, "unmeasured": 2}},
    )
    quality = QualityFound(
        feature="support",
        suites=rows,
        runs={"answers": briefs},
        held=[_gate(hostile)],
        feedback=_weeks(),
        blocks=block_lines("support", asked, rules, {"answers", "tone"}),
        now=_AT,
        shares=_links(hostile),
    )
    bare = replace(quality, feature=hostile[:60], suites=(), runs={}, held=(), feedback=())
    return EvalPatterns(
        evals=evals_page(found, feature=""),
        runs=_runs(hostile, long),
        cases=_cases(hostile, long, briefs),
        suite=_suite(rows[0], hostile, long, briefs),
        quality=quality_page(quality, href="/patterns/evals", may_share=True),
        bare=shared_page(bare, _links(hostile)[0]),
    )


def _row(name: str, message: str) -> SuiteRow:
    return SuiteRow(
        id="wke1-abcdefghijklmnopqrstuvwxyz", feature="support", name=name, cases=160, author="ana@example.com",
        message=message, at=_AT, is_latest=True,
    )  # fmt: skip


def _head(name: str) -> RunHead:
    ms = int(_AT.timestamp() * 1_000)
    arms = (
        ArmHead(name="candidate", title=f"support ({_RELEASES[0][:12]})", release=_RELEASES[0]),
        ArmHead(name="baseline", title=f"production ({_RELEASES[1][:12]})", release=_RELEASES[1]),
    )
    is_running = name == "running"
    return RunHead(
        id=f"run-{name}", suite="answers", suite_id="wke1-abcdefghijklmnopqrstuvwxyz", feature="support", arms=arms,
        started_ms=ms, ended_ms=None if is_running else ms + 84_000, status="running" if is_running else "finished",
        cost_nusd=None if name == "bare" else 12_400_000, cost_status="estimated", judge_cost_nusd=3_100_000,
        by="ana@example.com", repeats=1, cases=160, commit="4f2c9e1a77", is_gate=True,
    )  # fmt: skip


def _briefs() -> list[RunBrief]:
    """Twelve runs, the newest first, of two releases; one was stopped and one was a regression."""
    shares = (0.93, 0.81, 0.94, 0.95, 0.94, 0.92, 0.9, 0.91, 0.88, 0.86, 0.85, 0.84)
    found = []
    for place, share in enumerate(shares):
        figures = RunFigures(
            result="regression" if place == 1 else "inconclusive" if place == 4 else "pass",
            reasons=("cases passed: worse.",),
            passed=share,
            passed_lower=share - 0.05,
            passed_upper=min(1.0, share + 0.04),
        )
        head = _head(f"fake{place:02}")
        if place > 6:
            head = structs.replace(head, arms=(structs.replace(head.arms[0], release=_RELEASES[1]),))
        found.append(RunBrief(head=head, at=_AT - place * _DAY, figures=figures))
    return found


def _gate(summary: str) -> GateRow:
    return GateRow(
        release=_RELEASES[0], gate="answers", run="run-fake01", has_passed=False, summary=summary[:160], at=_AT,
        by="token:ci",
    )  # fmt: skip


def _comparison(metric: str, verdict: Verdict, difference: float, spread: float, note: str = "") -> Comparison:
    is_relative = metric in ("latency_ms", "cost_nusd")
    return Comparison(
        metric=metric, candidate=812.0 if is_relative else 0.81, baseline=790.0 if is_relative else 0.93,
        difference=difference, lower=difference - spread, upper=difference + spread, margin=0.05, p_worse=0.001,
        p_better=0.999, verdict=verdict, method="paired differences, t bounds", cases=160, clusters=160,
        detectable=0.062, labels=40 if metric == "polite" else 0, is_relative=is_relative, note=note,
    )  # fmt: skip


def _decision(hostile: str) -> Decision:
    return Decision(
        result="regression",
        reasons=(
            "cases passed: worse. 81% against 93%, between 18 points lower and 6 points lower (160 cases).",
            f"A critical scorer fails: {hostile[:80]}.",
        ),
        passed=0.81,
        passed_lower=0.742,
        passed_upper=0.867,
        comparisons=(
            _comparison("passed", "worse", -0.12, 0.06),
            _comparison("polite", "cannot tell", -0.02, 0.09, note="The judge's marks were corrected by labels."),
            _comparison("latency_ms", "not worse", 0.03, 0.02),
            _comparison(hostile[:90], "better", 0.08, 0.05),
        ),
        breaches=(Breach(case=hostile, scorer="polite", failed=1, repeats=1),),
        missing=Missing(candidate=0.0125, baseline=0.0, allowed=0.02, reasons={hostile[:60]: 2}),
        flaky=("refund-0007", "refund-0011"),
        flips=(Flip(case="german-0041", passed=0, repeats=3, baseline_passed=3, baseline_repeats=3, p=0.05),),
    )


def _runs(hostile: str, long: str) -> tuple[RunPage, ...]:
    cases = [
        CaseStanding(
            case=hostile, standing="failed", passed=0, failed=3, unmeasured=0, before="passed", is_breach=True,
            scorers=("polite", hostile[:40]), tags=("german", hostile[:20]), reason=hostile * 3,
        ),
        CaseStanding(
            case="c" * 8_000, standing="unmeasured", passed=0, failed=0, unmeasured=1, before=None, is_breach=False,
            scorers=(), tags=(), reason="The upstream did not answer within 8 s.",
        ),
        CaseStanding(
            case="refund-0007", standing="flaky", passed=2, failed=1, unmeasured=0, before="failed", is_breach=False,
            scorers=("mentions the reference",), tags=("refund",), reason=long,
        ),
        CaseStanding(
            case="refund-0008", standing="passed", passed=1, failed=0, unmeasured=0, before="passed", is_breach=False,
            scorers=(), tags=(), reason="",
        ),
    ]  # fmt: skip
    whole = RunFound(
        head=_head("regression"), decision=_decision(hostile), fitting=160, cases=cases,
        counts={"failed": 29, "unmeasured": 2, "flaky": 1, "passed": 128}, questions={"refund-0008": hostile},
        facets=Facets(scorers=(("polite", 3), (hostile[:40], 1)), tags=(("german", 12), ("refund", 30))),
    )  # fmt: skip
    unclear = Decision(
        result="inconclusive",
        reasons=("cases passed: cannot tell. 90% against 93% (20 cases). About 420 cases would tell.",),
        passed=0.9,
        comparisons=(_comparison("passed", "cannot tell", -0.03, 0.14),),
    )
    progress: dict[Status, int] = {"passed": 61, "failed": 9}
    running = replace(
        whole, head=_head("running"), decision=None, counts={}, cases=(), facets=Facets(scorers=(), tags=())
    )
    bare = replace(running, head=structs.replace(_head("bare"), arms=(), cases=0, status="stopped", note=hostile[:90]))
    return tuple(
        run_page(found, RunQuery())
        for found in (
            whole,
            replace(whole, head=_head("unclear"), decision=unclear, cases=(), may_read_bodies=False),
            replace(running, progress=progress),
            bare,
        )
    )


def _outcome(arm: str, text: str, *, is_right: bool, hostile: str, repeat: int = 0) -> Outcome:
    answer = Answer(
        text=text, call="01FAKE", model="gpt-4o-mini", latency_ms=812.0, cost_nusd=124_000, cost_status="measured",
        output_tokens=41,
    )  # fmt: skip
    marks = (
        Mark(scorer="mentions", status="passed" if is_right else "failed", score=float(is_right), reason=hostile),
        Mark(
            scorer="polite", status="unmeasured", reason="the judge answered nothing that fits its schema",
            judge=_RELEASES[1], calls=("01FAKEJUDGE",), cost_nusd=None, detail={"content": {"reason": hostile}},
        ),
    )  # fmt: skip
    return outcome_of(arm, "case", repeat, answer, marks)


def _cases(hostile: str, long: str, briefs: list[RunBrief]) -> tuple[RunCasePage, ...]:
    head = _head("regression")
    before = "The refund takes five days.\nIt goes back to the card that you paid with.\nThank you."
    after = "The refund takes nine days.\nIt goes back to the card that you paid with.\n" + hostile
    outcomes = {
        (arm, repeat): _outcome(arm, text, is_right=arm == "baseline", hostile=hostile, repeat=repeat)
        for arm, text in (("candidate", after), ("baseline", before))
        for repeat in range(2)
    }
    standing = CaseStanding(
        case=hostile, standing="flaky", passed=1, failed=1, unmeasured=0, before="passed", is_breach=False,
        scorers=("mentions",), tags=(), reason=hostile,
    )  # fmt: skip
    content = Case(
        id=hostile, variables={"question": hostile}, reference={"days": 5}, contexts=(long,), tags=("german",)
    )
    whole = CaseFound(
        head=head, case=hostile, arms=head.arms, outcomes=outcomes, repeat=0, content=content, runs=briefs,
        earlier={briefs[0].head.id: standing, briefs[1].head.id: standing},
    )  # fmt: skip
    huge = {("candidate", 0): _outcome("candidate", "long " * 200_000, is_right=True, hostile=hostile)}
    lost = outcome_of("candidate", "case", 0, Answer(error=f"The upstream is away: {hostile}"), ())
    return tuple(
        run_case_page(found)
        for found in (
            whole,
            replace(whole, case="huge", outcomes=huge, arms=head.arms[:1], content=None, earlier={}),
            replace(whole, case="lost", outcomes={("candidate", 0): lost}, content=None, earlier={}),
            replace(whole, case="hidden", content=None, may_read_bodies=False),
        )
    )


def _suite(row: SuiteRow, hostile: str, long: str, briefs: list[RunBrief]) -> SuitePage:
    outline = SuiteOutline(
        feature="support",
        name="answers",
        cases=[Raw(b"{}")] * 160,
        scorers=(
            Scorer(type="contains", name=hostile[:60], value=hostile, weight=0),
            Scorer(type="rubric", name="polite", threshold=0.5, judge="feature/judge@production", negated=True),
            Scorer(type="nobody-knows"),
        ),
        repeats=3,
        budget_nusd=2_000_000_000,
        gate=Gate(critical=("polite",), min_pass=0.9, latency=0.2, cost=0.1),
        description=long,
    )
    case = Case(id=hostile, variables={"question": hostile, "language": "en"}, reference=hostile, tags=("german",))
    return suite_page(
        SuiteFound(
            row=row, outline=outline, versions=(row,), runs=briefs, unsteady=(Unsteady(hostile, 4, 2),),
            cases=CasePage((case, Case(id="plain")), 160),
        ),
        SuiteQuery(),
    )  # fmt: skip


def _weeks() -> list[WeekOfFeedback]:
    return [
        WeekOfFeedback(
            since=_AT - (6 - place) * 7 * _DAY,
            said=()
            if place == 2
            else [
                ReleaseFeedback(
                    feature="support", environment="production", release=_RELEASES[0], name="", count=40, scored=30,
                    score_sum=30 * (0.7 + place / 40), score_squares=20.0, labels={}, value_milli=0,
                )
            ],
        )
        for place in range(6)
    ]  # fmt: skip


def _links(hostile: str) -> list[ShareLink]:
    link = ShareLink(
        id="shr-fake000001", feature="support", name=hostile, by="ana@example.com", at=_AT - _DAY,
        expires_at=_AT + 29 * _DAY, revoked_at=None, revoked_by="",
    )  # fmt: skip
    ended = replace(link, id="shr-fake000002", expires_at=_AT - _DAY)
    return [link, ended, replace(link, id="shr-fake000003", revoked_at=_AT, revoked_by="ben")]
