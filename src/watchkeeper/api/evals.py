"""Suites and their runs: keeping suites, running them, and what came of it."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from watchkeeper.api.auth import LOCAL_OPERATOR, By, Operator, Parts
from watchkeeper.api.evaluating import RunWish, begin, calibrated, compared, end
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.decision import Decision
from watchkeeper.evals.outcome import Answer, Outcome
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Suite
from watchkeeper.store.runs import OutcomeFilter, RunFilter, RunRow
from watchkeeper.store.suites import SuiteRow, SuiteUnknown

NAME_MAX = 200
MESSAGE_MAX = 10_000
OUTCOMES_MAX = 2_000
ASKS_MAX = 1_000

RUNNING = [needs("write_releases", somewhere=True)]

router = APIRouter(prefix="/api/v1/evals", tags=["evals"])


class NotOutcomes(CallerError):
    """What was sent is not what a run writes down; nothing was kept."""

    code = "invalid_outcomes"
    http_status = 422


class NotYourRun(CallerError):
    """The run may become a check's result, and who asks may report none; nothing was changed."""

    code = "not_your_run"
    http_status = 403


class NotASuite(CallerError):
    """What was sent is no suite; nothing was kept."""

    code = "suite_refused"
    http_status = 422


class SuiteWish(Strict):
    """A suite that is to be the latest version under its name."""

    suite: dict[str, Any] = Field(description="With all of its cases, as `GET /evals/suites/{suite}` gives it.")
    message: str = Field(default="", max_length=MESSAGE_MAX, description="What was changed, and why.")


class ColumnWish(Strict):
    """One of several who are asked."""

    name: str = Field(
        min_length=1, max_length=400, description="As in the outcomes; `candidate` and `baseline` are compared."
    )
    title: str = Field(default="", max_length=NAME_MAX)
    model: str = Field(default="", max_length=NAME_MAX)


class RunStart(Strict):
    """What is to be run how."""

    suite: str = Field(max_length=NAME_MAX, description="Its id, or `FEATURE/NAME`.")
    candidate: str = Field(
        default="",
        max_length=NAME_MAX,
        description="A release, `FEATURE@ENVIRONMENT`, an environment, a route or a model.",
    )
    baseline: str = Field(default="", max_length=NAME_MAX, description="As the candidate, or the id of a run.")
    parameters: dict[str, Any] = Field(default={}, description="Of plain models, in the words of the chat API.")
    repeats: int | None = Field(default=None, ge=1, le=100)
    cap_nusd: int | None = Field(default=None, ge=0, description="What it may cost, in nano-dollars.")
    gate: bool = Field(default=False, description="Whether it is a check on the candidate's release.")
    first_repeat: int = Field(default=0, ge=0, description="Another one asks anew what was answered before.")
    commit: str = Field(default="", max_length=100)
    judges: dict[str, str] = Field(default={}, description="Which release each judge is.")
    columns: list[ColumnWish] = Field(
        default=[], max_length=200, description="Who is asked, where whoever runs it asks otherwise than suites do."
    )


class RunEnd(Strict):
    """How a run ended."""

    status: Literal["finished", "stopped"] = "finished"
    note: str = Field(default="", max_length=MESSAGE_MAX)


class AsksWish(Strict):
    """Hashes of what is to be asked."""

    asks: list[str] = Field(max_length=ASKS_MAX)
    within_s: float = Field(default=86_400.0, ge=0, description="How old an answer may be.")


class GoOnWish(Strict):
    """How a run goes on."""

    again: bool = Field(default=False, description="Whether what could not be measured is asked once more.")
    cap_nusd: int | None = Field(
        default=None, ge=0, description="What it may cost from now on, in all; null: as before."
    )


class SuiteDocument(BaseModel):
    """A version of a suite."""

    id: str
    feature: str
    name: str
    cases: int
    author: str
    message: str
    at: datetime
    is_latest: bool


class SavedSuite(SuiteDocument):
    """What was saved."""

    is_new: Annotated[bool, Field(description="False where it was the latest already.")]


class WholeSuite(SuiteDocument):
    """A version of a suite with its content."""

    suite: Annotated[dict[str, Any], Field(description="Keys as in `evals.suite.Suite`.")]


class SuiteList(BaseModel):
    """Suites."""

    suites: list[SuiteDocument]


class RunDocument(BaseModel):
    """A run; times in Unix milliseconds, money in nano-dollars."""

    id: str
    head: dict[str, Any]
    decision: dict[str, Any] | None
    exit_code: Annotated[int | None, Field(description="Of a command that gates on it.")]
    counts: dict[str, dict[str, int]]


class BegunRun(RunDocument):
    """A run that has begun, and what whoever runs it needs."""

    outlook: dict[str, Any]
    spent_nusd: Annotated[int, Field(description="What it has cost so far, as far as anybody knows.")]
    gateway_url: str
    key: Annotated[str, Field(description="For whoever holds the machine; others ask with a key of their own.")]


class RunList(BaseModel):
    """Runs, the newest first."""

    runs: list[RunDocument]


class OutcomeList(BaseModel):
    """Outcomes by case, arm and repeat."""

    outcomes: list[dict[str, Any]]


class DoneList(BaseModel):
    """Arm, case and repeat of what is there of a run."""

    done: list[tuple[str, str, int]]


class AddedDocument(BaseModel):
    """How many outcomes are kept, those that were there before included."""

    kept: int


class AnswersDocument(BaseModel):
    """Answers by the hash of what was asked."""

    answers: dict[str, dict[str, Any]]


class CalibrationDocument(BaseModel):
    """How a suite behaves where nothing has changed."""

    alpha: float
    noise: list[dict[str, Any]]
    flaky: Annotated[float, Field(description="Share of cases that pass in one answer and fail in another.")]
    is_sound: bool
    reasons: list[str]


class ModelList(BaseModel):
    """Names of routes and targets."""

    models: list[str] | None


class HistoryDocument(BaseModel):
    """What came of a case, the newest run first."""

    runs: list[dict[str, Any]]


@router.post("/suites", summary="Save a suite", dependencies=RUNNING)
async def save_suite(wish: SuiteWish, parts: Parts, by: By) -> SavedSuite:
    """Keep a suite as the latest version under its name; earlier versions stay."""
    try:
        suite = msgspec.convert(wish.suite, Suite)
    except msgspec.ValidationError as error:
        raise NotASuite(f"This is no suite: {error}. Nothing was kept.") from None
    await require(parts, by, "write_releases", feature=suite.feature)
    row, is_new = await parts.control.suites.save(suite, by=by.name, message=wish.message)
    return SavedSuite(**dict(_suite(row)), is_new=is_new)


@router.get("/suites", summary="List suites", dependencies=SOME)
async def list_suites(parts: Parts, by: By) -> SuiteList:
    """List the latest version of each suite."""
    return SuiteList(suites=[_suite(row) for row in await parts.control.suites.latest(by.rights.features("read"))])


@router.get("/suites/{suite}", summary="Read a suite", dependencies=SOME)
async def read_suite(suite: str, parts: Parts, by: By) -> WholeSuite:
    """Return a version of a suite with its cases, by its id."""
    return await _whole_suite(parts, by, suite)


@router.get("/suites/{feature}/{name}", summary="Read the latest version of a suite", dependencies=SOME)
async def read_latest_suite(feature: str, name: str, parts: Parts, by: By) -> WholeSuite:
    """Return the latest version of a suite with its cases."""
    return await _whole_suite(parts, by, f"{feature}/{name}")


@router.get("/suites/{feature}/{name}/versions", summary="List the versions of a suite", dependencies=SOME)
async def list_versions(feature: str, name: str, parts: Parts, by: By) -> SuiteList:
    """List the versions of a suite, the newest first."""
    await require(parts, by, "read", feature=feature)
    return SuiteList(suites=[_suite(row) for row in await parts.control.suites.versions(feature, name)])


@router.post("/runs", summary="Begin a run", dependencies=RUNNING)
async def begin_run(wish: RunStart, parts: Parts, by: By) -> BegunRun:
    """Pin who is asked and keep a run; whoever asked for it then asks the cases, and adds what came of them."""
    found, _ = await parts.control.suites.get(wish.suite)
    await require(parts, by, "write_releases", feature=found.feature)
    wished = RunWish(
        suite=found.id,
        candidate=wish.candidate,
        baseline=wish.baseline,
        parameters=wish.parameters,
        repeats=wish.repeats,
        cap_nusd=wish.cap_nusd,
        is_gate=wish.gate,
        may_report=_may_report(by, found.feature),
        first_repeat=wish.first_repeat,
        by=by.name,
        commit=wish.commit,
        judges=wish.judges,
        columns=[ArmHead(name=one.name, title=one.title, model=one.model) for one in wish.columns],
    )
    begun = await begin(parts, wished)
    row = RunRow(head=begun.head, decision=None, counts={})
    return await _begun(parts, by, row, msgspec.to_builtins(begun.outlook))


@router.post("/runs/{run}/outcomes", summary="Add outcomes to a run", dependencies=RUNNING)
async def add_outcomes(
    run: str,
    request: Request,
    parts: Parts,
    by: By,
    turn: Annotated[int | None, Query(description="Of the run's head, when whoever adds began or went on.")] = None,
) -> AddedDocument:
    """Keep outcomes, given as a JSON list; those that are there already stay as they are."""
    try:
        outcomes = msgspec.json.decode(await request.body(), type=list[Outcome])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotOutcomes(f"This is no list of outcomes: {error}. Nothing was kept.") from None
    if len(outcomes) > OUTCOMES_MAX:
        raise NotOutcomes(f"At most {OUTCOMES_MAX:,} outcomes are taken at once. Nothing was kept.")
    row = await _own(parts, by, run)
    await parts.control.runs.add(row.id, outcomes, turn=turn)
    return AddedDocument(kept=len(outcomes))


@router.post("/runs/{run}/answers", summary="Look up earlier answers", dependencies=RUNNING)
async def find_answers(run: str, wish: AsksWish, parts: Parts, by: By) -> AnswersDocument:
    """Return what was answered of late to the same asks in runs of the feature; where the run may become a check's
    result, in such runs only.
    """
    row = await _readable(parts, by, run, "write_releases")
    found = await parts.control.runs.answers(wish.asks, of=row.head, within=timedelta(seconds=wish.within_s))
    return AnswersDocument(answers={ask: _builtins(answer) for ask, answer in found.items()})


@router.post("/runs/{run}/go-on", summary="Have a stopped run go on", dependencies=RUNNING)
async def go_on(run: str, wish: GoOnWish, parts: Parts, by: By) -> BegunRun:
    """Have a run that has stopped go on where it stopped."""
    row = await _own(parts, by, run)
    head = await parts.control.runs.go_on(row.id, again=wish.again, cap_nusd=wish.cap_nusd)
    counts = await parts.control.runs.counts(head.id)
    return await _begun(parts, by, RunRow(head=head, decision=None, counts=counts), {})


@router.post("/runs/{run}/end", summary="End a run", dependencies=RUNNING)
async def end_run(run: str, wish: RunEnd, parts: Parts, by: By) -> RunDocument:
    """End a run and decide what it shows; as a check's result it counts where whoever ends it may report one."""
    row = await _own(parts, by, run)
    reporter = by.name if _may_report(by, row.head.feature) else ""
    ended = await end(parts, row.id, status=wish.status, note=wish.note, by=reporter)
    return _run(ended)


@router.get("/runs", summary="List runs", dependencies=SOME)
async def list_runs(
    parts: Parts,
    by: By,
    feature: str = "",
    suite: str = "",
    status: str = "",
    result: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> RunList:
    """List runs, the newest first."""
    if feature:
        await require(parts, by, "read", feature=feature)
    chosen = RunFilter(feature=feature, suite=suite, status=status, result=result, features=by.rights.features("read"))
    return RunList(runs=[_run(row) for row in await parts.control.runs.find(chosen, limit=limit)])


@router.get("/runs/{run}", summary="Read a run", dependencies=SOME)
async def read_run(run: str, parts: Parts, by: By) -> RunDocument:
    """Return a run by its id, or by a beginning of it that fits no other."""
    return _run(await _readable(parts, by, run, "read"))


@router.get("/runs/{run}/done", summary="List what is there of a run", dependencies=SOME)
async def list_done(run: str, parts: Parts, by: By) -> DoneList:
    """List arm, case and repeat of every outcome."""
    row = await _readable(parts, by, run, "read")
    return DoneList(done=await parts.control.runs.done(row.id))


@router.get("/runs/{run}/outcomes", summary="List outcomes of a run", dependencies=SOME)
async def list_outcomes(
    run: str,
    parts: Parts,
    by: By,
    arm: str = "",
    status: str = "",
    case: str = "",
    after: Annotated[str, Query(description="JSON list of case, arm and repeat of the last one that is known.")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> OutcomeList:
    """List what came of cases, with answers and marks."""
    row = await _readable(parts, by, run, "read_bodies")
    chosen = OutcomeFilter(arm=arm, status=status, case=case)
    found = await parts.control.runs.outcomes(row.id, chosen, after=_after(after), limit=limit)
    return OutcomeList(outcomes=[_builtins(outcome) for outcome in found])


@router.get("/runs/{run}/compare", summary="Compare two runs", dependencies=SOME)
async def compare_runs(run: str, baseline: str, parts: Parts, by: By) -> RunDocument:
    """Decide what a run shows beside another run of the same suite; nothing is kept."""
    row = await _readable(parts, by, run, "read")
    other = await _readable(parts, by, baseline, "read")
    return _run(await compared(parts, row, other))


@router.get("/runs/{run}/calibration", summary="Hold a run against itself", dependencies=SOME)
async def read_calibration(run: str, parts: Parts, by: By) -> CalibrationDocument:
    """Say how often the gate of the run's suite would raise a false alarm, by answers of the same release."""
    row = await _readable(parts, by, run, "read")
    return CalibrationDocument(**msgspec.to_builtins(await calibrated(parts, row)))


@router.get("/models", summary="List what can be asked", dependencies=SOME)
async def list_models(parts: Parts) -> ModelList:
    """List routes and targets by the names under which they can be asked; null where no keeper runs."""
    routing = parts.routing()
    if routing is None:
        return ModelList(models=None)
    return ModelList(
        models=sorted({*routing.targets, *(target for found in routing.targets.values() for target in found)})
    )


@router.get("/cases/{feature}/{suite}/{case:path}", summary="List what came of a case", dependencies=SOME)
async def read_case(feature: str, suite: str, case: str, parts: Parts, by: By) -> HistoryDocument:
    """List what came of a case in the runs of its suite, the newest first."""
    await require(parts, by, "read_bodies", feature=feature)
    found = await parts.control.runs.of_case(feature, suite, case)
    return HistoryDocument(runs=[{"run": head.id, **_builtins(outcome)} for head, outcome in found])


def _after(text: str) -> tuple[str, str, int] | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=tuple[str, str, int])
    except msgspec.MsgspecError:
        raise NotOutcomes(
            '`after` is a JSON list of case, arm and repeat, such as `["c-1", "candidate", 0]`.'
        ) from None


async def _begun(parts: Services, by: Operator, row: RunRow, outlook: dict[str, Any]) -> BegunRun:
    """Whoever holds the machine could read the key anyway; anybody else has one of their own."""
    key = parts.eval_key if by.name == LOCAL_OPERATOR else ""
    spent = await parts.control.runs.spent(row.id)
    return BegunRun(**dict(_run(row)), outlook=outlook, spent_nusd=spent, gateway_url=parts.gateway_url, key=key)


def _may_report(by: Operator, feature: str) -> bool:
    return any(by.rights.may(permission, feature) for permission in ("approve", "operate"))


async def _own(parts: Services, by: Operator, run: str) -> RunRow:
    """Return a run that somebody may add to."""
    row = await _readable(parts, by, run, "write_releases")
    if row.head.may_report and not _may_report(by, row.head.feature):
        raise NotYourRun(
            f"{row.head.by} has begun {row.id}, and its result may count as a check's: only who may report one adds to "
            "it. Nothing was changed. Begin a run of your own."
        )
    return row


async def _readable(parts: Services, by: Operator, run: str, *any_of: Any) -> RunRow:
    row = await parts.control.runs.get(run)
    await require(parts, by, *any_of, feature=row.head.feature)
    return row


async def _whole_suite(parts: Services, by: Operator, named: str) -> WholeSuite:
    row, suite = await parts.control.suites.get(named)
    if not by.rights.may("read", row.feature):
        raise SuiteUnknown(f"There is no one suite {named[:60]!r}.")
    await require(parts, by, "read_bodies", feature=row.feature)
    return WholeSuite(**dict(_suite(row)), suite=_builtins(suite))


def _suite(row: SuiteRow) -> SuiteDocument:
    return SuiteDocument(**{name: getattr(row, name) for name in SuiteDocument.model_fields})


def _run(row: RunRow) -> RunDocument:
    decision = row.decision
    return RunDocument(
        id=row.head.id,
        head=_whole(row.head) | {"arms": [_whole(arm) for arm in row.head.arms]},
        decision=None if decision is None else _builtins(decision),
        exit_code=None if decision is None else decision.exit_code,
        counts={arm: {str(name): number for name, number in found.items()} for arm, found in row.counts.items()},
    )


def _whole(value: RunHead | ArmHead) -> dict[str, Any]:
    """Return every field, also those that are as they are without a word."""
    return {name: msgspec.to_builtins(getattr(value, name)) for name in value.__struct_fields__}


def _builtins(value: RunHead | Decision | Outcome | Answer | Suite) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
