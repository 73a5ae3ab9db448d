"""Drift: what was seen at the last looks, what was found, and accepting it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.errors import CallerError, OperatorError
from watchkeeper.evals.drift.following import FIRST_DAYS
from watchkeeper.evals.drift.readings import Group, Look, Reading, Reference, sentence
from watchkeeper.evals.drift.signals import SIGNAL
from watchkeeper.store.drift import LISTED_MAX, FindingKind, FindingRow
from watchkeeper.watch import drift as watching

NAME_MAX = 200
REASON_MAX = 2_000
LAST_DAY = timedelta(days=1)
ACCEPTING = [needs("promote", "operate", somewhere=True)]

router = APIRouter(prefix="/api/v1/drift", tags=["drift"])


class NothingSeen(CallerError):
    """No look at this feature has been kept."""

    code = "drift_not_seen"
    http_status = 404


class NoKeeper(OperatorError):
    """Only a running keeper can do this."""

    code = "no_keeper"
    http_status = 503


class GroupDocument(BaseModel):
    """Calls that are looked at together."""

    feature: str
    environment: str
    release: Annotated[str, Field(description="Empty for calls that name a model themselves, and for volume.")]
    target: Annotated[str, Field(description="`provider/model`; empty for volume.")]


class ReferenceDocument(BaseModel):
    """What calls are compared with."""

    since: datetime
    until: datetime
    by: Annotated[str, Field(description="Who accepted it; `watchkeeper` for the first days.")]
    accepted_at: datetime | None


class ReadingDocument(BaseModel):
    """One signal."""

    signal: str
    label: str
    side: str
    before: Annotated[float | None, Field(description="A share, a median or a count; null for a category.")]
    after: float | None
    effect: Annotated[float, Field(description="By how much it has moved.")]
    floor: Annotated[float, Field(description="Below it, a change is not told.")]
    p: Annotated[float, Field(description="Probability of such a difference if nothing has changed.")]
    psi: float | None
    psi_by_chance: Annotated[float | None, Field(description="What 999 of 1,000 such windows stay below.")]
    at_like_inputs: Annotated[float | None, Field(description="Part of it that remains when like inputs are compared.")]
    levels: list[dict[str, Any]]
    breach: Annotated[str, Field(description="`certain`, `suspected`, or empty.")]
    cause: str
    sentence: Annotated[str, Field(description="Empty where nothing is told.")]


class LookDocument(BaseModel):
    """The last look at a group in a window."""

    group: GroupDocument
    window: str
    since: datetime
    until: datetime
    calls: int
    reference: ReferenceDocument | None
    not_judged: Annotated[str | None, Field(description="Why there are no readings.")]
    open: Annotated[list[str], Field(description="Signals that were told and are not over.")]
    readings: list[ReadingDocument]


class FindingDocument(BaseModel):
    """Something that was found, is over, or was accepted."""

    id: int
    at: datetime
    kind: FindingKind
    group: GroupDocument
    signal: str
    cause: str
    sentence: str
    evidence: dict[str, Any]
    by: str


class DriftList(BaseModel):
    """The last looks."""

    looks: list[LookDocument]


class DriftOfFeature(DriftList):
    """The last looks at a feature, and what was found."""

    feature: str
    findings: list[FindingDocument]


class FindingList(BaseModel):
    """Findings, the newest first."""

    findings: list[FindingDocument]


class FindingQuery(Strict):
    """Which findings."""

    feature: str = Field(default="", max_length=NAME_MAX)
    limit: int = Field(default=100, ge=1, le=LISTED_MAX)


class AcceptWish(Strict):
    """What is how it should be."""

    environment: str = Field(default="", max_length=100, description="Everywhere without one.")
    release: str = Field(default="", max_length=NAME_MAX, description="Its id or a beginning; every one without.")
    reason: str = Field(default="", max_length=REASON_MAX)


class AcceptedGroup(BaseModel):
    """What later calls of a group are compared with."""

    group: GroupDocument
    reference: ReferenceDocument


class AcceptedList(BaseModel):
    """What was accepted."""

    accepted: list[AcceptedGroup]


class MeasuredDocument(BaseModel):
    """What replaying a group's own history came to."""

    group: GroupDocument
    window: str
    looks: int
    left_out: Annotated[int, Field(description="Windows with too few calls.")]
    alarms: int
    a_month: Annotated[float | None, Field(description="Alarms per thirty days; null where there was nothing to see.")]
    by_signal: dict[str, int]


class CalibrationDocument(BaseModel):
    """How often drift would have been told where a feature's calls are compared with themselves."""

    feature: str
    allowed_a_month: float | None
    measured_a_month: Annotated[float | None, Field(description="Of all groups and windows together.")]
    groups: list[MeasuredDocument]


@router.get("", summary="List what is watched for drift", dependencies=SOME)
async def list_drift(parts: Parts, by: By) -> DriftList:
    """Return the last look at each group in each window, the latest first."""
    looks = [look for look in await parts.control.drift.looks() if by.rights.may("read", look.group.feature)]
    return DriftList(looks=await documents_of(parts, looks))


@router.get("/findings", summary="List findings of drift", dependencies=SOME)
async def list_findings(chosen: Annotated[FindingQuery, Query()], parts: Parts, by: By) -> FindingList:
    """Return what was found, is over, or was accepted, the newest first."""
    rows = await parts.control.drift.findings(chosen.feature or None, limit=chosen.limit)
    return FindingList(findings=[finding_document(row) for row in rows if by.rights.may("read", row.group.feature)])


@router.get("/features/{feature}", summary="Show a feature's drift", dependencies=SOME)
async def show_drift(feature: str, parts: Parts, by: By) -> DriftOfFeature:
    """Return the last looks at a feature, and what was found."""
    await require(parts, by, "read", feature=feature)
    looks = await parts.control.drift.looks(feature)
    if not looks:
        raise _nothing_seen(feature)
    findings = await parts.control.drift.findings(feature)
    return DriftOfFeature(
        feature=feature,
        looks=await documents_of(parts, looks),
        findings=[finding_document(row) for row in findings],
    )


@router.post("/features/{feature}/accept", summary="Accept how a feature is now", dependencies=ACCEPTING)
async def accept_drift(feature: str, wish: AcceptWish, parts: Parts, by: By) -> AcceptedList:
    """Have later calls compared with how they are since they changed; what is open of it is over."""
    accepted = await accept(parts, by, feature, wish)
    return AcceptedList(
        accepted=[
            AcceptedGroup(group=group_document(group), reference=reference_document(reference))
            for group, reference in accepted
        ]
    )


@router.post("/features/{feature}/calibrate", summary="Measure a feature's false alarms", dependencies=SOME)
async def calibrate(feature: str, parts: Parts, by: By) -> CalibrationDocument:
    """Compare each hour and day of the last four weeks with all others, as if these were its reference."""
    await require(parts, by, "read", feature=feature)
    if parts.calibrate is None:
        raise NoKeeper("No keeper runs, so no history can be replayed. Start it with `watchkeeper up`.")
    found = await parts.calibrate(feature)
    rates = [one.a_month for one in found if one.a_month is not None]
    return CalibrationDocument(
        feature=feature,
        allowed_a_month=parts.false_alarms(),
        measured_a_month=sum(rates) if rates else None,
        groups=[
            MeasuredDocument(
                group=group_document(one.group), window=one.window, looks=one.looks, left_out=one.left_out,
                alarms=one.alarms, a_month=one.a_month, by_signal=one.by_signal,
            )
            for one in found
        ],
    )  # fmt: skip


async def accept(parts: Services, by: Operator, feature: str, wish: AcceptWish) -> list[tuple[Group, Reference]]:
    """Accept how the groups of a feature are now, for API and console alike.

    Raises:
        NotAllowed: somebody may not.
        NothingSeen: there is no such group.
    """
    await require(parts, by, "promote", "operate", feature=feature)
    groups = {
        look.group
        for look in await parts.control.drift.looks(feature)
        if (not wish.environment or look.group.environment == wish.environment)
        and (not wish.release or look.group.release.startswith(wish.release))
    }
    if not groups:
        raise _nothing_seen(feature)
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    marks = await parts.control.alerts.marks(watching.KIND)
    findings = await parts.control.drift.findings(feature, limit=LISTED_MAX)
    accepted = []
    for group in sorted(groups):
        mark = marks.get(watching.key_of(group))
        since = _moved_since(findings, group, mark.passed if mark is not None else frozenset()) or now - LAST_DAY
        reference = Reference(since=since, until=since + FIRST_DAYS, by=by.name, at=now)
        await parts.control.drift.accept(group, reference, reason=wish.reason.strip())
        if mark is not None and mark.passed:
            reason = f"{by.name} accepted how it is."
            await parts.control.alerts.apply(watching.ended(group, mark, reason), parts.notifications())
        accepted.append((group, reference))
    return accepted


async def documents_of(parts: Services, looks: list[Look]) -> list[LookDocument]:
    """Return looks with what is open of each."""
    marks = await parts.control.alerts.marks(watching.KIND)
    return [
        LookDocument(
            group=group_document(look.group),
            window=look.window,
            since=look.since,
            until=look.until,
            calls=look.calls,
            reference=reference_document(look.reference) if look.reference is not None else None,
            not_judged=look.not_judged or None,
            open=sorted(mark.passed) if (mark := marks.get(watching.key_of(look.group))) is not None else [],
            readings=[_reading(one, look) for one in look.readings],
        )
        for look in looks
    ]


def group_document(group: Group) -> GroupDocument:
    """Return a group for programs."""
    return GroupDocument(**msgspec.structs.asdict(group))


def reference_document(reference: Reference) -> ReferenceDocument:
    """Return a reference for programs."""
    return ReferenceDocument(since=reference.since, until=reference.until, by=reference.by, accepted_at=reference.at)


def finding_document(row: FindingRow) -> FindingDocument:
    """Return a finding for programs."""
    return FindingDocument(
        id=row.id, at=row.at, kind=row.kind, group=group_document(row.group), signal=row.signal, cause=row.cause,
        sentence=row.sentence, evidence=row.evidence, by=row.by,
    )  # fmt: skip


def _reading(one: Reading, look: Look) -> ReadingDocument:
    signal = SIGNAL[one.signal]
    return ReadingDocument(
        signal=one.signal,
        label=signal.label,
        side=one.side,
        before=one.before,
        after=one.after,
        effect=one.effect,
        floor=signal.floor,
        p=one.p,
        psi=one.psi,
        psi_by_chance=one.psi_by_chance,
        at_like_inputs=one.at_like_inputs,
        levels=[msgspec.structs.asdict(level) for level in one.levels],
        breach=one.breach,
        cause=one.cause,
        sentence=sentence(one, look) if one.breach else "",
    )


def _moved_since(findings: list[FindingRow], group: Group, is_open: frozenset[str]) -> datetime | None:
    """Return when the first of what is open of a group was seen to have moved; None where nothing is open."""
    latest = {
        row.signal: datetime.fromisoformat(row.evidence["since"])
        for row in reversed(findings)
        if row.group == group and row.kind == "raised" and row.signal in is_open and "since" in row.evidence
    }
    return min(latest.values(), default=None)


def _nothing_seen(feature: str) -> NothingSeen:
    return NothingSeen(
        f"Nothing has been seen of the feature {feature[:100]!r} yet. A feature is looked at once an hour and once a "
        "day, when it has at least 100 calls in it."
    )
