"""Rollouts: start, follow, change and conclude them."""

import asyncio
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.environments import rules_of
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.releases import find_release
from watchkeeper.api.rollout_documents import (
    DifferenceDocument,
    DifferenceList,
    LookList,
    PassageDocument,
    RolloutList,
    RolloutSummary,
    WholeRollout,
    arm_figures,
    look_document,
    pairs_document,
    rollout_fields,
)
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.core.conversation import read_conversation
from watchkeeper.releases.judging import Plan, Widening
from watchkeeper.releases.metrics import MetricName
from watchkeeper.releases.planning import ARMS_MAX, SHADOW_SHARE, STEPS_MAX, ab_plan, canary_plan, shadow_plan
from watchkeeper.releases.standing import Arm, RolloutKind, Sticky
from watchkeeper.releases.wording import differences
from watchkeeper.store.releases import ReleaseUnknown
from watchkeeper.store.rollout_figures import Followed
from watchkeeper.store.rollout_turns import Verb, Why, concluded, turned
from watchkeeper.store.rollouts import LISTED_MAX, LOOKS_MAX, RolloutDraft, RolloutRow, RolloutRuns, Settings, Turn
from watchkeeper.store.rows import CallDetail

NAME_MAX = 200
REASON_MAX = 2_000
DIFFERENCES_MAX = 20
BAKE_MAX_S = 30 * 86_400
CALLS_MAX = 10_000_000
ACTING = [needs("promote", "operate", somewhere=True)]

router = APIRouter(prefix="/api/v1/rollouts", tags=["rollouts"])

ShareWish = Annotated[float, Field(gt=0, le=1, description="Of the units: 0.05 for 5%.")]


class ArmWish(Strict):
    """A release to be tried."""

    release: str = Field(
        min_length=1, max_length=NAME_MAX, description="Its id or a beginning of it, or `FEATURE@ENVIRONMENT`."
    )
    share: ShareWish | None = Field(default=None, description="Without one: what its kind of rollout begins with.")


class RolloutWish(Strict):
    """A rollout to be started."""

    feature: str = Field(min_length=1, max_length=NAME_MAX)
    environment: str = Field(default="production", min_length=1, max_length=100)
    kind: RolloutKind = Field(default="canary", description="canary: widened by itself. ab: concluded by a person.")
    arms: list[ArmWish] = Field(min_length=1, max_length=ARMS_MAX, description="One, or for an A/B test several.")
    steps: list[ShareWish] = Field(
        default=[], max_length=STEPS_MAX, description="Shares of a canary, growing; without any 5%, 20%, 50%, 100%."
    )
    bake_s: int | None = Field(default=None, ge=0, le=BAKE_MAX_S, description="How long each step takes at least.")
    least_calls: int | None = Field(default=None, ge=0, le=CALLS_MAX, description="Of the candidate, in each step.")
    sticky: Sticky = Field(default="subject", description="What keeps its arm.")
    goal: MetricName | None = Field(default=None, description="What an A/B test is about; `cost` without one.")
    guards: dict[MetricName, Annotated[float, Field(ge=0, le=10)] | None] = Field(
        default={},
        description="By metric: how much worse a candidate may be, null for the usual. Every one without any.",
    )
    widening: Widening = Field(default="proven", description="When a canary passes a step.")
    reason: str = Field(default="", max_length=REASON_MAX)
    review: int | None = Field(default=None, description="The review request that is relied upon.")
    eval_run: str = Field(default="", max_length=100, description="The run of an evaluation that is relied upon.")

    @model_validator(mode="after")
    def _is_a_plan(self) -> Self:
        plan_of(self)
        return self


class ListQuery(Strict):
    """Which rollouts."""

    feature: str = Field(default="", max_length=NAME_MAX)
    environment: str = Field(default="", max_length=100)
    active: bool = Field(default=False, description="Only those by which calls are assigned now.")
    limit: int = Field(default=50, ge=1, le=LISTED_MAX)


class LookQuery(Strict):
    """How many looks."""

    limit: int = Field(default=100, ge=1, le=LOOKS_MAX)


class DifferenceQuery(Strict):
    """How many differences."""

    limit: int = Field(default=5, ge=1, le=DIFFERENCES_MAX)


class ReasonWish(Strict):
    """Why something is done."""

    reason: str = Field(default="", max_length=REASON_MAX)


class ConclusionWish(ReasonWish):
    """What an experiment came to."""

    winner: str = Field(min_length=1, max_length=NAME_MAX, description="The release that serves everybody from now on.")


def plan_of(wish: RolloutWish) -> Plan:
    """Return the plan of a wish.

    Raises:
        ValueError: it is none; the message says why.
    """
    shares = [arm.share for arm in wish.arms]
    if wish.kind != "ab" and len(shares) > 1:
        raise ValueError(f"a {wish.kind} tries one release; only an A/B test tries several")
    if wish.kind != "canary" and (wish.steps or wish.bake_s is not None or wish.least_calls is not None):
        raise ValueError("`steps`, `bake_s` and `least_calls` are of a canary")
    if wish.kind != "ab" and wish.goal is not None:
        raise ValueError("`goal` is of an A/B test")
    if len({arm.release for arm in wish.arms}) < len(shares):
        raise ValueError("two arms name the same release")
    match wish.kind:
        case "canary":
            if wish.steps and shares[0] is not None:
                raise ValueError("say `steps`, or the share of the first one; not both")
            return canary_plan(
                wish.steps,
                first=shares[0],
                guards=wish.guards,
                bake_s=wish.bake_s,
                least_calls=wish.least_calls,
                widening=wish.widening,
            )
        case "ab":
            return ab_plan(sum(_shares_of(wish)), wish.goal or "cost", guards=wish.guards)
        case "shadow":
            if wish.guards:
                raise ValueError("a shadow has no guards: nobody is served by it")
            return shadow_plan(shares[0] or SHADOW_SHARE)


@router.get("", summary="List rollouts", dependencies=SOME)
async def list_rollouts(query: Annotated[ListQuery, Query()], parts: Parts, by: By) -> RolloutList:
    """Return rollouts, the newest first."""
    if query.feature:
        await require(parts, by, "read", feature=query.feature)
    rows = await parts.control.rollouts.list_rollouts(
        query.feature, query.environment, only_active=query.active, limit=query.limit
    )
    seen = [row for row in rows if by.rights.may("read", row.feature)]
    return RolloutList(rollouts=[RolloutSummary(**rollout_fields(row)) for row in seen])


@router.post("", status_code=201, summary="Start a rollout", dependencies=[needs("promote", somewhere=True)])
async def start_rollout(wish: RolloutWish, parts: Parts, by: By) -> RolloutSummary:
    """Try releases beside the one that stands; every worker does within a second."""
    await require(parts, by, "promote", feature=wish.feature)
    plan = plan_of(wish)
    shares = [plan.steps[0].share] if wish.kind != "ab" else _shares_of(wish)
    arms = [
        Arm(await _release_of(parts, wish.feature, arm.release), share)
        for arm, share in zip(wish.arms, shares, strict=True)
    ]
    draft = RolloutDraft(
        feature=wish.feature,
        environment=wish.environment,
        kind=wish.kind,
        arms=tuple(arms),
        settings=Settings(plan, wish.sticky),
        by=by.name,
        reason=wish.reason,
        review=wish.review,
        eval_run=wish.eval_run,
    )
    row = await parts.control.rollouts.start(draft, rules_of(parts, wish.environment))
    await parts.on_release_change()
    return RolloutSummary(**rollout_fields(row))


@router.get("/{rollout_id}", summary="Show a rollout", dependencies=SOME)
async def show_rollout(rollout_id: str, parts: Parts, by: By) -> WholeRollout:
    """Return a rollout with its figures, what was seen last, and what was decided."""
    row = await _found(rollout_id, parts, by)
    looks = await parts.control.rollouts.looks(row.id, limit=1)
    decided = await parts.control.rollouts.looks(row.id, only_decided=True)
    followed = _followed(row)
    details = await parts.analytics.rollouts.details(followed)
    pairs = await parts.analytics.rollouts.pairs(followed) if row.kind == "shadow" else None
    return WholeRollout(
        **rollout_fields(row),
        figures=arm_figures(details),
        pairs=pairs_document(pairs) if pairs is not None else None,
        latest=look_document(looks[0]) if looks else None,
        decisions=[look_document(look) for look in decided],
    )


@router.get("/{rollout_id}/looks", summary="What was seen and decided", dependencies=SOME)
async def list_looks(rollout_id: str, query: Annotated[LookQuery, Query()], parts: Parts, by: By) -> LookList:
    """Return the looks at a rollout that were kept, the newest first."""
    row = await _found(rollout_id, parts, by)
    looks = await parts.control.rollouts.looks(row.id, limit=query.limit)
    return LookList(looks=[look_document(look) for look in looks])


@router.get(
    "/{rollout_id}/differences",
    summary="Where a shadow's answers differ",
    dependencies=[needs("read_bodies", somewhere=True)],
)
async def list_differences(
    rollout_id: str, query: Annotated[DifferenceQuery, Query()], parts: Parts, by: By
) -> DifferenceList:
    """Return the newest answers of a shadow that differ from what the client got; that they are read is noted."""
    row = await _found(rollout_id, parts, by)
    await require(parts, by, "read_bodies", feature=row.feature)
    found = []
    for own, copy in await parts.analytics.rollouts.differences(_followed(row), limit=query.limit):
        calls = await asyncio.gather(parts.analytics.call(own), parts.analytics.call(copy))
        for call_id in (own, copy):
            await parts.control.changes.note_reading(call_id, actor=by.name, feature=row.feature)
        first, second = (_answer(call) for call in calls)
        passages = [PassageDocument(place=one.place, text=one.text) for one in differences(first, second)]
        found.append(DifferenceDocument(call=own, copy_call=copy, passages=passages))
    return DifferenceList(differences=found)


@router.post("/{rollout_id}/conclude", summary="Conclude a rollout with a winner", dependencies=ACTING)
async def conclude(rollout_id: str, wish: ConclusionWish, parts: Parts, by: By) -> RolloutSummary:
    """Have one of its releases serve everybody."""
    row = await _found(rollout_id, parts, by)
    await require(parts, by, "promote", feature=row.feature)
    known = (row.baseline, *(arm.release for arm in row.arms))
    fitting = [release for release in known if release.startswith(wish.winner)]
    winner = fitting[0] if len(fitting) == 1 else wish.winner
    return await _take(row, concluded(row, winner, _why(wish, by, "concluded")), parts)


@router.post("/{rollout_id}/{verb}", summary="Pause, resume, widen or stop a rollout", dependencies=ACTING)
async def change_rollout(rollout_id: str, verb: Verb, wish: ReasonWish, parts: Parts, by: By) -> RolloutSummary:
    """Do it; every worker follows within a second."""
    row = await _found(rollout_id, parts, by)
    if verb in ("widen", "resume"):
        await require(parts, by, "promote", feature=row.feature)
    else:
        await require(parts, by, "promote", "operate", feature=row.feature)
    return await _take(row, turned(row, verb, _why(wish, by, f"{verb} by hand")), parts)


async def _take(row: RolloutRow, turn: Turn, parts: Services) -> RolloutSummary:
    taken = await parts.control.rollouts.take(row, turn, parts.notifications())
    if taken is None:
        raise RolloutRuns(
            f"Somebody, or the keeper, has changed {row.id} at the same moment; nothing was done now. Look again: "
            f"`watchkeeper rollout show {row.id}`."
        )
    await parts.on_release_change()
    return RolloutSummary(**rollout_fields(taken))


async def _found(rollout_id: str, parts: Services, by: Operator) -> RolloutRow:
    row = await parts.control.rollouts.get(rollout_id)
    await require(parts, by, "read", feature=row.feature)
    return row


async def _release_of(parts: Services, feature: str, named: str) -> str:
    found = await find_release(parts, named)
    if found.feature != feature:
        raise ReleaseUnknown(
            f"{found.id} is a release of {found.feature} and not of {feature}; no rollout was started."
        )
    return found.id


def _shares_of(wish: RolloutWish) -> list[float]:
    """Of an A/B test's arms: as they say, else all alike, the release that stands included."""
    return [arm.share or 1 / (len(wish.arms) + 1) for arm in wish.arms]


def _followed(row: RolloutRow) -> Followed:
    return Followed(rollout=row.id, feature=row.feature, environment=row.environment, since=row.started_at)


def _why(wish: ReasonWish, by: Operator, otherwise: str) -> Why:
    return Why(by.name, wish.reason or otherwise)


def _answer(call: CallDetail | None) -> str:
    if call is None:
        return ""
    row = call.row
    found = read_conversation(call.request_body, call.response_body, surface=row.surface, is_stream=row.is_stream)
    return "\n".join(answer.message.text for answer in found.answers)
