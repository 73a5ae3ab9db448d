"""Begins runs of suites and ends them: who is asked is pinned when a run begins, what it shows is decided when it ends.

A function for whoever asks, API, console and keeper alike; none looks at who may do it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from watchkeeper.api.judging import labels_of_run
from watchkeeper.api.releases import find_release
from watchkeeper.api.replaying import NoGateway
from watchkeeper.api.services import Services
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import COST_STATUSES, CostStatus
from watchkeeper.evals.decision import Decision, Outlook
from watchkeeper.evals.kinds import judged
from watchkeeper.evals.measured import Measured
from watchkeeper.evals.outcome import Outcome
from watchkeeper.evals.run import ArmHead, RunHead, RunStatus
from watchkeeper.evals.suite import Suite
from watchkeeper.evals.tasks import BASELINE, CANDIDATE
from watchkeeper.releases.recipe import ID_PREFIX
from watchkeeper.store.gates import GateDraft
from watchkeeper.store.releases import ReleaseUnknown
from watchkeeper.store.runs import RUN_PREFIX, OutcomeFilter, RunRow
from watchkeeper.store.suites import SuiteRow

if TYPE_CHECKING:
    from watchkeeper.evals.calibration import Calibration

STANDARD = "production"
"""The environment that a gate compares with, where nothing is said."""
REASONS_MAX = 5
"""Of what was not measured: the commonest."""


class ArmUnclear(CallerError):
    """It is not clear who is to be asked; nothing was."""

    code = "arm_unclear"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWish:
    """What is to be run how."""

    suite: str
    """Its id, a beginning of it, or `FEATURE/NAME`."""
    candidate: str = ""
    """A release (`wk1-...`, `FEATURE`, `FEATURE@ENVIRONMENT`), a route, or `provider/model`. Empty: the answers that
    all cases bring, else the feature's latest release."""
    baseline: str = ""
    """As the candidate, or `run-...`: what an earlier run measured. Empty for none."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of plain models."""
    repeats: int | None = None
    cap_nusd: int | None = None
    is_gate: bool = False
    may_report: bool = False
    """Whether who asks for it may report results of checks."""
    first_repeat: int = 0
    """As in `evals.run.RunHead`."""
    by: str = ""
    commit: str = ""
    judges: Mapping[str, str] = field(default_factory=dict[str, str])
    """Which release each judge is, by `KIND JUDGE`."""
    columns: Sequence[ArmHead] = ()
    """Who is asked, where whoever runs it asks otherwise than suites do; then nobody is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A run that has begun."""

    head: RunHead
    suite: Suite
    outlook: Outlook


async def begin(parts: Services, wish: RunWish) -> Begun:
    """Pin who is asked, and keep a run that has begun.

    Raises:
        SuiteUnknown, ReleaseUnknown, RunUnknown: there is no such suite, release or run.
        ArmUnclear: what is named leads nowhere, or the baseline's run was one of another suite.
    """
    row, suite = await parts.control.suites.get(wish.suite)
    arms, baseline_run = (wish.columns, "") if wish.columns else await _arms(parts, row, suite, wish)
    head = RunHead(
        id="",
        suite=suite.name,
        suite_id=row.id,
        feature=suite.feature,
        arms=tuple(arms),
        started_ms=0,
        by=wish.by,
        repeats=wish.repeats or suite.repeats,
        commit=wish.commit,
        cases=len(suite.cases),
        is_gate=wish.is_gate,
        may_report=wish.may_report,
        baseline_run=baseline_run,
        judges=dict(wish.judges),
        first_repeat=wish.first_repeat,
        cap_nusd=wish.cap_nusd if wish.cap_nusd is not None else suite.budget_nusd,
    )
    outlook = await asyncio.to_thread(_outlook, suite, head.repeats)
    return Begun(head=await parts.control.runs.begin(head), suite=suite, outlook=outlook)


async def _arms(parts: Services, row: SuiteRow, suite: Suite, wish: RunWish) -> tuple[Sequence[ArmHead], str]:
    """Return who is asked, and the run that the baseline is taken from instead."""
    named = _candidate_of(wish, suite)
    if named and not wish.candidate and not await parts.control.releases.head(suite.feature):
        raise ReleaseUnknown(
            f"{suite.feature!r} has no release yet, and no model is named. Nothing was asked. Ask a model with "
            "`--model`, or keep a release with `watchkeeper release push` first."
        )
    candidate = await _arm(parts, CANDIDATE, named, suite, wish)
    named = wish.baseline or (f"{suite.feature}@{STANDARD}" if wish.is_gate and candidate.release else "")
    if named.startswith(RUN_PREFIX):
        earlier = await parts.control.runs.get(named)
        _require_same(earlier, row, named, wish.judges)
        return [candidate], earlier.id
    baseline = await _baseline(parts, named, suite, wish) if named else None
    return [candidate] if baseline is None else [candidate, baseline], ""


async def end(parts: Services, run: str, *, status: RunStatus, note: str = "", by: str = "") -> RunRow:
    """End a run: add up what it took, decide what it shows, and keep that, as a check's result where it is one.

    A run that has stopped before its end is decided as well: what was not asked is unmeasured.

    Args:
        run: Its whole id.
        status: Whether every case was asked.
        note: Why not.
        by: Who may report the result of a check; empty where nobody may: it is then not reported. That of a run which
            somebody has begun who may not is never reported: its outcomes are what they say.
    """
    row = await parts.control.runs.get(run)
    _, suite = await parts.control.suites.get(row.head.suite_id)
    measured, sums = Measured(suite), _Sums()
    async for outcome in parts.control.runs.all_outcomes(row.id):
        measured.add(outcome)
        sums.add(outcome)
    head = msgspec.structs.replace(
        row.head,
        status=status,
        note=note,
        ended_ms=parts.clock.unix_ns() // 1_000_000,
        cost_nusd=sums.cost_nusd,
        cost_status=sums.status,
        judge_cost_nusd=sums.judge_cost_nusd,
    )
    decision = await decide(parts, head, suite, measured)
    found = await parts.control.runs.end(head, decision)
    await parts.control.standings.keep(found, {case.id: case.tags for case in suite.cases if case.tags})
    release = head.arms[0].release if head.arms else ""
    counts = head.is_gate and head.may_report
    if counts and release and by and decision is not None and status == "finished":
        draft = GateDraft(
            release=release,
            gate=head.suite,
            run=head.id,
            has_passed=decision.result == "pass",
            summary=decision.reasons[0] if decision.reasons else decision.result,
            by=by,
        )
        await parts.control.gates.report(draft)
    return found


async def compared(parts: Services, row: RunRow, other: RunRow) -> RunRow:
    """Return a run with what it shows beside another one, whose candidate is then the baseline.

    Raises:
        ArmUnclear: they are of different suites.
    """
    found, suite = await parts.control.suites.get(row.head.suite_id)
    _require_same(other, found, other.id, row.head.judges)
    measured = Measured(suite)
    async for outcome in parts.control.runs.all_outcomes(row.id, OutcomeFilter(arm=CANDIDATE)):
        measured.add(outcome)
    baseline = ArmHead(name=BASELINE, title=other.id)
    head = msgspec.structs.replace(row.head, baseline_run=other.id, arms=(row.head.arms[0], baseline))
    return RunRow(head=head, decision=await decide(parts, head, suite, measured), counts=row.counts)


async def calibrated(parts: Services, row: RunRow) -> "Calibration":
    """Hold the answers of a run against each other.

    Raises:
        ArmUnclear: each case was asked once.
    """
    if row.head.repeats < 2:
        raise ArmUnclear(
            f"{row.id} asked each case once, so there is nothing to hold it against. Run the suite with `--repeats 2 "
            "--fresh`, or more, and calibrate that run."
        )
    _, suite = await parts.control.suites.get(row.head.suite_id)
    measured = Measured(suite)
    async for outcome in parts.control.runs.all_outcomes(row.id, OutcomeFilter(arm=CANDIDATE)):
        measured.add(outcome)
    points = measured.of(CANDIDATE, repeats=row.head.repeats)
    return await asyncio.to_thread(lambda: _statistics().calibrate(*_statistics().halves(points), suite.gate))


async def decide(parts: Services, head: RunHead, suite: Suite, measured: Measured) -> Decision | None:
    """Decide what a run shows; None where it shows nothing yet."""
    if not any(arm.name == CANDIDATE for arm in head.arms):
        return None
    repeats = head.repeats
    if head.baseline_run:
        earlier = await parts.control.runs.get(head.baseline_run)
        repeats = earlier.head.repeats
        of_candidate = OutcomeFilter(arm=CANDIDATE)
        async for outcome in parts.control.runs.all_outcomes(earlier.id, of_candidate):
            measured.add(msgspec.structs.replace(outcome, arm=BASELINE))
    has_baseline = bool(head.baseline_run) or any(arm.name == BASELINE for arm in head.arms)
    labels = await labels_of_run(parts, head)
    candidate = measured.of(CANDIDATE, repeats=head.repeats)
    baseline = measured.of(BASELINE, repeats=repeats) if has_baseline else []
    reasons = dict(measured.reasons.most_common(REASONS_MAX))

    def decided() -> Decision:
        found: Decision = _gate().decide(
            candidate,
            baseline,
            suite.gate,
            labels=labels,
            repeats=head.repeats,
            judged=judged(suite),
            reasons=reasons,
        )
        return found

    return await asyncio.to_thread(decided)


def _statistics() -> ModuleType:
    # numpy and scipy are of use to no other question.
    from watchkeeper.evals import calibration

    return calibration


def _gate() -> ModuleType:
    # As above.
    from watchkeeper.evals import gate

    return gate


def _outlook(suite: Suite, repeats: int) -> Outlook:
    # numpy and scipy are of use to no other question.
    from watchkeeper.evals.outlook import outlook

    clusters = len({case.cluster or f"\0{case.id}" for case in suite.cases})
    return outlook(len(suite.cases), clusters, repeats, suite.gate)


class _Sums:
    """What a run took."""

    def __init__(self) -> None:
        self.cost_nusd: int | None = 0
        self.judge_cost_nusd: int | None = 0
        self.status: CostStatus = "measured"

    def add(self, outcome: Outcome) -> None:
        answer = outcome.answer
        if answer.call and not answer.reused:
            self.cost_nusd = _plus(self.cost_nusd, answer.cost_nusd)
            self.status = max(self.status, answer.cost_status, key=COST_STATUSES.index)
        for mark in outcome.marks:
            if mark.calls:
                self.judge_cost_nusd = _plus(self.judge_cost_nusd, mark.cost_nusd)


def _plus(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more


def _candidate_of(wish: RunWish, suite: Suite) -> str:
    if wish.candidate:
        return wish.candidate
    return "" if all(case.answer is not None for case in suite.cases) else suite.feature


def _require_same(earlier: RunRow, row: SuiteRow, named: str, judges: Mapping[str, str]) -> None:
    """Refuse to compare what was measured otherwise: with other cases or scorers, or by other judges."""
    others = {name: judge for name, judge in earlier.head.judges.items() if judges.get(name, judge) != judge}
    if others:
        name, judge = next(iter(others.items()))
        raise ArmUnclear(
            f"The judge of {name.partition(' ')[0]} has changed since {named}: it was {judge}, and is "
            f"{judges[name]} now. "
            "What two judges say cannot be compared. Run the baseline again with `--baseline` and a release, an "
            "environment or a model: both are then judged by the same one."
        )
    if earlier.head.suite_id != row.id:
        raise ArmUnclear(
            f"{named} ran {earlier.head.title} as it was then ({earlier.head.suite_id[:12]}), and the suite is "
            f"{row.id[:12]} now: other cases or scorers cannot be compared. Run the baseline again with `--baseline` "
            "and a release, an environment or a model. Nothing was asked."
        )


async def _baseline(parts: Services, named: str, suite: Suite, wish: RunWish) -> ArmHead | None:
    try:
        return await _arm(parts, BASELINE, named, suite, wish)
    except ReleaseUnknown:
        if wish.baseline:
            raise
        return None  # nothing is live there yet: the first release is compared with nothing


async def _arm(parts: Services, name: str, named: str, suite: Suite, wish: RunWish) -> ArmHead:
    """Pin who is asked: a release that an environment has now is that release until the run ends."""
    if not named:
        return ArmHead(name=name, title="answers of the cases")
    routing = parts.routing()
    routes = set(routing.targets) if routing is not None else set()
    is_route = named in routes or (
        routing is not None and named.partition("/")[0] in routing.providers and "/" in named
    )
    if is_route:
        return ArmHead(name=name, title=named, model=named, parameters=dict(wish.parameters))
    environments = sorted(parts.release_basis().environments)
    if routing is None:
        raise NoGateway("No keeper runs, so nobody can be asked; nothing was. Start it with `watchkeeper up`.")
    wanted = f"{suite.feature}@{named}" if named in environments else named
    if not wanted.startswith(ID_PREFIX) and "@" not in wanted and wanted != suite.feature:
        known = [*routes, *environments, suite.feature]
        raise ArmUnclear(
            f"{named[:100]!r} is no release, environment, route or model{meant(named, known)} Nothing was asked."
        )
    row = await find_release(parts, wanted)
    if row.feature != suite.feature:
        raise ArmUnclear(
            f"The release {row.id} is of the feature {row.feature}, the suite of {suite.feature}. Nothing was asked."
        )
    title = named if named == row.id else f"{named} ({row.id[:12]})"
    return ArmHead(name=name, title=title, release=row.id, model=f"feature/{row.feature}@{row.id}")
