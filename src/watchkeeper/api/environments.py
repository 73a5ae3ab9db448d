"""Environments: what is live where, was when, and putting something else live."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.releases import find_release
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.recipe import is_release_id
from watchkeeper.releases.rules import Rules
from watchkeeper.store.clearance import Wish
from watchkeeper.store.environments import StandingRow
from watchkeeper.store.freezes import EVERY, FreezeRow
from watchkeeper.store.promotions import Done, Order

NAME_MAX = 200
MESSAGE_MAX = 10_000

PROMOTING = [needs("promote", somewhere=True)]

router = APIRouter(prefix="/api/v1/environments", tags=["environments"])

Feature = Annotated[str, Field(min_length=1, max_length=NAME_MAX)]


class EnvironmentUnknown(CallerError):
    """There is no such environment."""

    code = "environment_not_found"
    http_status = 404


class FeatureUnknown(CallerError):
    """Nobody has heard of the feature."""

    code = "feature_not_found"
    http_status = 404


class PromotionWish(Strict):
    """A release that is to be live."""

    feature: Feature
    release: str = Field(
        default="",
        max_length=NAME_MAX,
        description="Id or a beginning of it, or `FEATURE@ENVIRONMENT`; without one, the latest of the feature.",
    )
    message: str = Field(default="", max_length=MESSAGE_MAX, description="Why.")
    review: int | None = Field(default=None, description="The review request that is relied upon.")
    eval_run: str = Field(default="", max_length=100, description="The run of an evaluation that is relied upon.")
    expects: int | None = Field(
        default=None, ge=0, description="Number of the standing that must still be the latest; 0 for none."
    )


class RollbackWish(Strict):
    """What is to be live again."""

    feature: Feature
    to: str = Field(default="", max_length=NAME_MAX, description="A release; without one, what stood before.")
    message: str = Field(default="", max_length=MESSAGE_MAX, description="Why.")
    expects: int | None = Field(default=None, ge=0)


class WithdrawalWish(Strict):
    """A feature that is to be taken off."""

    feature: Feature
    message: str = Field(default="", max_length=MESSAGE_MAX, description="Why.")


class FreezeWish(Strict):
    """What nothing may be promoted for."""

    feature: str = Field(default=EVERY, min_length=1, max_length=NAME_MAX, description="`*` for every feature.")
    message: str = Field(default="", max_length=MESSAGE_MAX, description="Why.")


class ShareDocument(BaseModel):
    """How much of the traffic a release gets."""

    release: str
    share: Annotated[float, Field(description="Between 0 and 1.")]


class RolloutDocument(BaseModel):
    """Releases that are tried beside the one that stands."""

    id: str
    kind: str
    sticky: str
    arms: list[ShareDocument]


class StandingDocument(BaseModel):
    """What is live, from a moment on."""

    feature: str
    environment: str
    number: Annotated[int, Field(description="Counts what was live of the feature in the environment.")]
    kind: Annotated[str, Field(description="Why it was written: `promote`, `rollback`, `withdraw`, or of a rollout.")]
    release: Annotated[str, Field(description="Empty where the feature was taken off.")]
    rollout: RolloutDocument | None
    shares: Annotated[list[ShareDocument], Field(description="Of all releases that callers get, in the end 1.")]
    since: Annotated[datetime, Field(description="From this moment on every worker serves it.")]
    until: Annotated[datetime | None, Field(description="Null while it is live, or where nobody asked.")]
    at: Annotated[datetime, Field(description="When it was decided.")]
    by: str
    reason: str
    review: Annotated[int | None, Field(description="The review request that was approved.")]
    eval_run: str


class StandingList(BaseModel):
    """What is live or was."""

    standings: list[StandingDocument]


class DoneDocument(BaseModel):
    """What was put live, and what was before."""

    standing: StandingDocument
    before: StandingDocument | None
    version: Annotated[int, Field(description="A worker that serves by this version or a later one has the change.")]
    workers: Annotated[int, Field(description="How many run, and are told.")]
    passed_over: Annotated[list[str], Field(description="What would have held up a promotion.")]


class FreezeDocument(BaseModel):
    """A freeze that holds."""

    environment: str
    feature: Annotated[str, Field(description="`*` for every one.")]
    at: datetime
    by: str
    reason: str


class EnvironmentDocument(BaseModel):
    """An environment with its rules."""

    name: str
    approvals: int
    author_may_approve: bool
    gate: list[str]
    freezes: list[FreezeDocument]


class EnvironmentList(BaseModel):
    """The environments there are."""

    environments: list[EnvironmentDocument]


class FreezeChange(BaseModel):
    """Whether anything has changed."""

    environment: str
    feature: str
    is_frozen: bool
    has_changed: bool
    still_frozen: Annotated[list[str], Field(description="Features that freezes of their own still hold.")] = []


class LackDocument(BaseModel):
    """A rule that does not hold."""

    rule: str
    message: str


class Clearances(BaseModel):
    """What a release lacks to be promoted."""

    release: str
    environment: str
    missing: list[LackDocument]


class Arrival(BaseModel):
    """Which workers have a change."""

    version: int
    workers: int
    arrived: int


@router.get("", summary="List environments", dependencies=SOME)
async def list_environments(parts: Parts) -> EnvironmentList:
    """Return every environment with its rules and the freezes that hold."""
    freezes = await parts.control.freezes.active()
    return EnvironmentList(
        environments=[
            EnvironmentDocument(
                name=name,
                approvals=rules.approvals,
                author_may_approve=rules.author_may_approve,
                gate=list(rules.gates),
                freezes=[_freeze(freeze) for freeze in freezes if freeze.environment == name],
            )
            for name, rules in parts.release_basis().environments.items()
        ]
    )


@router.get("/current", summary="List what is live", dependencies=SOME)
async def current(parts: Parts, by: By, feature: Annotated[str, Query(max_length=NAME_MAX)] = "") -> StandingList:
    """Return the latest standing of each feature in each environment; it may begin in a moment."""
    if feature:
        await require(parts, by, "read", feature=feature)
    rows = [row for row in await parts.control.environments.current(feature) if by.rights.may("read", row.feature)]
    return StandingList(standings=[standing_document(row) for row in rows])


@router.get("/arrival", summary="Tell which workers have a change", dependencies=SOME)
async def arrival(parts: Parts, version: Annotated[int, Query(ge=0)]) -> Arrival:
    """Count the workers that serve by a version or a later one."""
    versions = parts.arrival()
    return Arrival(version=version, workers=len(versions), arrived=sum(held >= version for held in versions.values()))


@router.get("/{environment}/missing", summary="Tell what a release lacks to be promoted", dependencies=SOME)
async def missing(
    environment: str, parts: Parts, by: By, release: Annotated[str, Query(min_length=1, max_length=NAME_MAX)]
) -> Clearances:
    """Return every rule of the environment that does not hold for a release; without any it may be promoted."""
    rules = rules_of(parts, environment)
    row = await find_release(parts, release)
    await require(parts, by, "read", feature=row.feature)
    wish = Wish(feature=row.feature, environment=environment, release=row.id)
    lacks = await parts.control.promotions.lacking(wish, rules)
    return Clearances(
        release=row.id,
        environment=environment,
        missing=[LackDocument(rule=lack.rule, message=lack.message) for lack in lacks],
    )


@router.post("/{environment}/promote", summary="Promote a release", dependencies=PROMOTING)
async def promote(environment: str, wish: PromotionWish, parts: Parts, by: By) -> DoneDocument:
    """Have a release serve in a moment (0.4 s), on all workers at once; refused (409) where a rule does not hold."""
    await require(parts, by, "promote", feature=wish.feature)
    rules = rules_of(parts, environment)
    order = Order(
        feature=wish.feature,
        environment=environment,
        release=await _release(parts, wish.release or wish.feature),
        by=by.name,
        reason=wish.message,
        eval_run=wish.eval_run,
        review=wish.review,
        expects=wish.expects,
    )
    return await _told(parts, await parts.control.promotions.promote(order, rules))


@router.post("/{environment}/rollback", summary="Roll back", dependencies=PROMOTING)
async def rollback(environment: str, wish: RollbackWish, parts: Parts, by: By) -> DoneDocument:
    """Go back to what stood before, or to a release that stood once; needs no review, and no freeze holds it up."""
    await require(parts, by, "promote", feature=wish.feature)
    require_environment(parts, environment)
    order = Order(
        feature=wish.feature,
        environment=environment,
        release=await _release(parts, wish.to) if wish.to else "",
        by=by.name,
        reason=wish.message,
        expects=wish.expects,
    )
    return await _told(parts, await parts.control.promotions.roll_back(order))


@router.post("/{environment}/withdraw", summary="Take a feature off", dependencies=PROMOTING)
async def withdraw(environment: str, wish: WithdrawalWish, parts: Parts, by: By) -> DoneDocument:
    """Have calls of a feature refused in an environment."""
    await require(parts, by, "promote", feature=wish.feature)
    require_environment(parts, environment)
    order = Order(feature=wish.feature, environment=environment, by=by.name, reason=wish.message)
    return await _told(parts, await parts.control.promotions.withdraw(order))


@router.post("/{environment}/freeze", summary="Freeze", dependencies=PROMOTING)
async def freeze(environment: str, wish: FreezeWish, parts: Parts, by: By) -> FreezeChange:
    """Have nothing promoted, of one feature or of all, until somebody unfreezes; rollbacks still work."""
    await require(parts, by, "promote", feature=wish.feature)
    require_environment(parts, environment)
    await _require_feature(parts, by, wish.feature)
    done = await parts.control.freezes.begin(environment, wish.feature, by=by.name, reason=wish.message)
    return FreezeChange(environment=environment, feature=wish.feature, is_frozen=True, has_changed=done)


@router.post("/{environment}/unfreeze", summary="End a freeze", dependencies=PROMOTING)
async def unfreeze(environment: str, wish: FreezeWish, parts: Parts, by: By) -> FreezeChange:
    """Let releases be promoted again; a freeze of all features is not ended by naming one."""
    await require(parts, by, "promote", feature=wish.feature)
    require_environment(parts, environment)
    held = [freeze.feature for freeze in await parts.control.freezes.active() if freeze.environment == environment]
    if wish.feature not in held:  # what is frozen can be unfrozen, whatever has become of it
        await _require_feature(parts, by, wish.feature)
    done = await parts.control.freezes.end(environment, wish.feature, by=by.name, reason=wish.message)
    left = [feature for feature in held if feature not in (EVERY, wish.feature) and by.rights.may("read", feature)]
    return FreezeChange(
        environment=environment,
        feature=wish.feature,
        is_frozen=False,
        has_changed=done,
        still_frozen=left if wish.feature == EVERY else [],
    )


async def _require_feature(parts: Services, by: Operator, feature: str) -> None:
    """See that a feature is declared, has a release, or is `*`. Raises FeatureUnknown."""
    known = {*await parts.control.releases.features(), *parts.declared_features()}
    if feature != EVERY and feature not in known:
        readable = sorted(name for name in known if by.rights.may("read", name))
        raise FeatureUnknown(f"There is no feature {feature[:60]!r}{meant(feature, readable)} Nothing was changed.")


def rules_of(parts: Services, environment: str) -> Rules:
    """Return the rules of an environment. Raises EnvironmentUnknown."""
    environments = parts.release_basis().environments
    if environment not in environments:
        raise _unknown(environment, list(environments))
    return environments[environment]


def require_environment(parts: Services, environment: str) -> None:
    """See that there is an environment. Raises EnvironmentUnknown."""
    rules_of(parts, environment)


def standing_document(row: StandingRow, until: datetime | None = None) -> StandingDocument:
    """Show what is live, from a moment on."""
    rollout = row.rollout
    arms = [] if rollout is None else [ShareDocument(release=arm.release, share=arm.share) for arm in rollout.arms]
    in_front = [] if rollout is None or rollout.kind == "shadow" else arms
    rest = 1.0 - sum(arm.share for arm in in_front)
    return StandingDocument(
        feature=row.feature,
        environment=row.environment,
        number=row.number,
        kind=row.kind,
        release=row.release,
        rollout=None
        if rollout is None
        else RolloutDocument(id=rollout.id, kind=rollout.kind, sticky=rollout.sticky, arms=arms),
        shares=[*in_front, *([ShareDocument(release=row.release, share=round(rest, 9))] if row.release else [])],
        since=row.effective_at,
        until=until,
        at=row.at,
        by=row.by,
        reason=row.reason,
        review=row.review,
        eval_run=row.eval_run,
    )


async def _release(parts: Services, named: str) -> str:
    """Return the whole id of a release; whether it is one of the feature is looked at where it is put live."""
    return named if is_release_id(named) else (await find_release(parts, named)).id


async def _told(parts: Services, done: Done) -> DoneDocument:
    await parts.on_release_change()
    return DoneDocument(
        standing=standing_document(done.row),
        before=None if done.before is None else standing_document(done.before, done.row.effective_at),
        version=done.version,
        workers=len(parts.arrival()),
        passed_over=list(done.passed_over),
    )


def _unknown(environment: str, known: list[str]) -> EnvironmentUnknown:
    return EnvironmentUnknown(
        f"There is no environment {environment[:60]!r}{meant(environment, known)} The configuration names them "
        "under `environments`; nothing was changed."
    )


def _freeze(row: FreezeRow) -> FreezeDocument:
    return FreezeDocument(environment=row.environment, feature=row.feature, at=row.at, by=row.by, reason=row.reason)
