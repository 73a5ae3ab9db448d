"""Rollouts as the API shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from watchkeeper.core.money import usd
from watchkeeper.releases.judging import Action, Verdict, Widening
from watchkeeper.releases.metrics import METRIC, MetricName
from watchkeeper.releases.standing import RolloutKind, Sticky
from watchkeeper.store.rollout_figures import ArmDetails, Pairs
from watchkeeper.store.rollouts import LookRow, RolloutRow, RolloutState

Share = Annotated[float, Field(description="Of the units: 0.05 for 5%.")]
Usd = Annotated[str, Field(description="An exact decimal in US dollars.", examples=["0.0021"])]
Unit = Literal["share", "nusd"]


class ArmDocument(BaseModel):
    """A release that is tried."""

    release: str
    share: Share


class StepDocument(BaseModel):
    """A share, and what must be seen of it before the next."""

    share: Share
    bake_s: float
    least_calls: Annotated[int, Field(description="Of the candidate.")]


class PlanDocument(BaseModel):
    """How a rollout is judged."""

    steps: list[StepDocument]
    guards: Annotated[dict[MetricName, float], Field(description="By metric: how much worse a candidate may be.")]
    goal: Annotated[MetricName | None, Field(description="What an A/B test is about; null for other kinds.")]
    widening: Widening
    error_budget: Annotated[float, Field(description="Probability that any interval, at any look, is ever wrong.")]
    sticky: Sticky
    slow_ms: Annotated[
        float | None, Field(description="Answers that take longer count as slow; null while that is not known.")
    ]


class RolloutSummary(BaseModel):
    """A rollout, and where it stands."""

    id: str
    feature: str
    environment: str
    kind: RolloutKind
    state: RolloutState
    baseline: Annotated[str, Field(description="The release that stood when it began.")]
    arms: list[ArmDocument]
    plan: PlanDocument
    step: Annotated[int, Field(description="1 for the first.")]
    step_since: Annotated[datetime, Field(description="Calls count from then on.")]
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    outcome: Annotated[str, Field(description="Why it stands as it does; empty at its start.")]


class RolloutList(BaseModel):
    """Rollouts, the newest first."""

    rollouts: list[RolloutSummary]


class FindingDocument(BaseModel):
    """One metric of one candidate against the standing release."""

    metric: MetricName
    release: str
    verdict: Verdict
    unit: Annotated[Unit, Field(description="Of every figure here: a share, or nano-dollars of an answer.")]
    baseline: Annotated[float | None, Field(description="Mean; null where nothing was observed.")]
    candidate: float | None
    baseline_count: Annotated[int, Field(description="Observations.")]
    candidate_count: int
    harm: Annotated[float, Field(description="By how much the candidate is worse; below 0 it is better.")]
    harm_low: Annotated[float | None, Field(description="The interval that holds however often one looks.")]
    harm_high: float | None
    margin: Annotated[float, Field(description="What is allowed.")]
    alpha: Annotated[float, Field(description="Probability that the interval is ever wrong.")]
    needed: Annotated[
        int | None, Field(description="Observations after which it would be known to be no worse, as figures stand.")
    ]


class LookDocument(BaseModel):
    """What was seen and decided."""

    at: datetime
    step: int
    decision: Action | Literal["by hand"]
    reason: str
    findings: list[FindingDocument]


class LookList(BaseModel):
    """Looks, the newest first."""

    looks: list[LookDocument]


class ArmFigures(BaseModel):
    """What the calls of one arm came to since the rollout began."""

    release: str
    is_shadow: Annotated[bool, Field(description="Whether these are copies, which nobody was served by.")]
    calls: int
    answers: Annotated[int, Field(description="That came from a provider.")]
    p50_ms: float | None
    p95_ms: float | None
    cost_usd: Annotated[Usd, Field(description="Of the answers that have a price.")]
    estimated_usd: Annotated[Usd, Field(description="The part of it that is estimated.")]
    unpriced: Annotated[int, Field(description="Answers without a price: not in the cost.")]
    errors: Annotated[dict[str, int], Field(description="By class.")]
    parse_failures: int
    repaired: int


class PairsDocument(BaseModel):
    """Calls of clients beside the copies of a shadow."""

    pairs: int
    both_answered: int
    same: Annotated[int, Field(description="Same first 200 letters, same tools, same length.")]
    only_own_answered: int
    only_copy_answered: int
    priced: Annotated[int, Field(description="Pairs of which both prices are known; the amounts are theirs.")]
    own_usd: Usd
    copy_usd: Annotated[Usd, Field(description="What the shadow has cost on top.")]
    slower_ms: float | None


class WholeRollout(RolloutSummary):
    """A rollout with its figures."""

    figures: Annotated[list[ArmFigures], Field(description="Of each arm since the rollout began.")]
    pairs: Annotated[PairsDocument | None, Field(description="Of a shadow.")]
    latest: Annotated[LookDocument | None, Field(description="What was seen last; null before the first look.")]
    decisions: Annotated[list[LookDocument], Field(description="Looks that changed something, the newest first.")]


class PassageDocument(BaseModel):
    """A part of two answers."""

    place: Annotated[Literal["both", "first", "second"], Field(description="first: only the client's answer has it.")]
    text: str


class DifferenceDocument(BaseModel):
    """Two answers to the same call that differ."""

    call: str
    copy_call: Annotated[str, Field(description="The call that the shadow made.")]
    passages: list[PassageDocument]


class DifferenceList(BaseModel):
    """Differing answers, the newest first."""

    differences: list[DifferenceDocument]


def rollout_fields(row: RolloutRow) -> dict[str, Any]:
    """What every document of a rollout says."""
    plan, settings = row.settings.plan, row.settings
    return {
        "id": row.id,
        "feature": row.feature,
        "environment": row.environment,
        "kind": row.kind,
        "state": row.state,
        "baseline": row.baseline,
        "arms": [ArmDocument(release=arm.release, share=arm.share) for arm in row.arms],
        "plan": PlanDocument(
            steps=[
                StepDocument(share=step.share, bake_s=step.bake_s, least_calls=step.least_calls) for step in plan.steps
            ],
            guards={guard.metric: guard.margin for guard in plan.guards},
            goal=plan.goal,
            widening=plan.widening,
            error_budget=plan.budget,
            sticky=settings.sticky,
            slow_ms=settings.slow_ms,
        ),
        "step": row.step + 1,
        "step_since": row.step_at,
        "started_at": row.started_at,
        "started_by": row.started_by,
        "ended_at": row.ended_at,
        "outcome": row.outcome,
    }


def look_document(look: LookRow) -> LookDocument:
    """A look with what it saw."""
    return LookDocument(
        at=look.at,
        step=look.step + 1,
        decision=look.decision,
        reason=str(look.evidence.get("reason", "")),
        findings=[_finding(found) for found in look.evidence.get("findings", ())],
    )


def arm_figures(found: Sequence[ArmDetails]) -> list[ArmFigures]:
    """The arms with their figures."""
    return [
        ArmFigures(
            **{name: value for name, value in asdict(one).items() if not name.endswith("nusd")},
            cost_usd=usd(one.nusd),
            estimated_usd=usd(one.estimated_nusd),
        )
        for one in found
    ]


def pairs_document(found: Pairs) -> PairsDocument:
    """The pairs of a shadow."""
    return PairsDocument(
        **{name: value for name, value in asdict(found).items() if not name.endswith("nusd")},
        own_usd=usd(found.own_nusd),
        copy_usd=usd(found.copy_nusd),
    )


def _finding(found: Mapping[str, Any]) -> FindingDocument:
    metric: MetricName = found["metric"]
    unit: Unit = "share" if METRIC[metric].is_share else "nusd"
    return FindingDocument(**found, unit=unit)
