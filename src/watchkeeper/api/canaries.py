"""Canaries: models that are asked the same again and again; their rounds, and accepting how one answers now."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.drift import NoKeeper
from watchkeeper.api.permits import needs
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config.canaries import Canary
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import usd
from watchkeeper.evals.drift.rounds import Status, Verdict
from watchkeeper.store.canaries import LISTED_MAX, RoundRow
from watchkeeper.watch import drift as watching

MODEL_MAX = 400
REASON_MAX = 2_000
OF_NONE = "Canaries watch models that several features share."
READING = [needs("read", because=OF_NONE)]
ACTING = [needs("operate", because=OF_NONE)]

router = APIRouter(prefix="/api/v1/canaries", tags=["drift"])


class CanaryUnknown(CallerError):
    """No canary watches this model."""

    code = "canary_not_found"
    http_status = 404


class MovedDocument(BaseModel):
    """A prompt that is answered otherwise."""

    prompt: str
    before: str
    after: str
    distance: float


class VerdictDocument(BaseModel):
    """What a round came to."""

    status: Status
    reason: str
    p: float | None
    p_logprobs: float | None
    distance: float | None
    usual: Annotated[float | None, Field(description="The largest distance of an earlier round from the others.")]
    agreement: Annotated[float | None, Field(description="Share of answers that are the usual ones.")]
    agreement_before: float | None
    moved: list[MovedDocument]
    metadata: list[str]


class RoundDocument(BaseModel):
    """A round."""

    id: int
    at: datetime
    by: str
    answers: int
    failed: int
    cost_usd: Annotated[Dollars | None, Field(description="Null where a price is not known.")]
    verdict: VerdictDocument


class CanaryDocument(BaseModel):
    """A model that is watched, or was."""

    model: str
    every_s: Annotated[float | None, Field(description="Null for one that the configuration does not name any more.")]
    budget_usd: Annotated[Dollars | None, Field(description="Of a day.")]
    accepted_at: datetime | None
    accepted_by: str | None
    last: RoundDocument | None


class CanaryList(BaseModel):
    """Canaries, by model."""

    canaries: list[CanaryDocument]


class CanaryRounds(CanaryDocument):
    """A canary with its rounds, the newest first."""

    rounds: list[RoundDocument]


class RoundQuery(Strict):
    """Whose rounds."""

    model: str = Field(min_length=1, max_length=MODEL_MAX)
    limit: int = Field(default=30, ge=1, le=LISTED_MAX)


class RunWish(Strict):
    """Which model is asked now."""

    model: str = Field(min_length=1, max_length=MODEL_MAX)


class AcceptWish(RunWish):
    """Which model answers as it should."""

    reason: str = Field(default="", max_length=REASON_MAX)


@router.get("", summary="List canaries", dependencies=READING)
async def list_canaries(parts: Parts) -> CanaryList:
    """Return the models that are watched, and those that were."""
    latest = await parts.control.canaries.latest()
    names = dict.fromkeys([*(canary.model for canary in parts.canaries()), *sorted(latest)])
    return CanaryList(canaries=[CanaryDocument(**await _fields(parts, name, latest.get(name))) for name in names])


@router.get("/rounds", summary="Show a canary", dependencies=READING)
async def show_canary(chosen: Annotated[RoundQuery, Query()], parts: Parts) -> CanaryRounds:
    """Return one canary with its rounds."""
    rows = await parts.control.canaries.rounds(chosen.model, limit=chosen.limit)
    if not rows:
        named_canary(parts, chosen.model)
    fields = await _fields(parts, chosen.model, rows[0] if rows else None)
    return CanaryRounds(**fields, rounds=[round_document(row) for row in rows])


@router.post("/run", summary="Ask a canary now", dependencies=ACTING)
async def run_canary(wish: RunWish, parts: Parts, by: By) -> RoundDocument:
    """Ask every prompt now, whatever the time and the budget, and return what it came to."""
    canary = named_canary(parts, wish.model)
    if parts.ask_canary is None:
        raise NoKeeper("No keeper runs, so no model can be asked. Start it with `watchkeeper up`.")
    return round_document(await parts.ask_canary(canary, by.name))


@router.post("/accept", summary="Accept how a model answers now", dependencies=ACTING)
async def accept_canary(wish: AcceptWish, parts: Parts, by: By) -> CanaryRounds:
    """Hold a model to its answers from now on: its next rounds are learned from anew."""
    await accept_model(parts, by, wish.model, wish.reason.strip())
    return await show_canary(RoundQuery(model=wish.model), parts)


async def accept_model(parts: Services, by: Operator, model: str, reason: str) -> None:
    """Hold a model to its answers from its last round on; what is open of it is over.

    Raises:
        CanaryUnknown: it was never asked.
    """
    rows = await parts.control.canaries.rounds(model, limit=1)
    if not rows:
        raise CanaryUnknown(f"{model[:100]!r} was never asked, so there is nothing to accept.")
    await parts.control.canaries.accept(model, rows[0].id, by=by.name, reason=reason)
    mark = (await parts.control.alerts.marks(watching.CHANGED)).get(model)
    if mark is not None and mark.passed:
        await parts.control.alerts.apply(watching.canary_accepted(model, mark, by.name), parts.notifications())


def named_canary(parts: Services, model: str) -> Canary:
    """Return what the configuration says of a model's canary.

    Raises:
        CanaryUnknown: nothing.
    """
    known = {canary.model: canary for canary in parts.canaries()}
    if model not in known:
        raise CanaryUnknown(
            f"The configuration has no canary of the model {model[:100]!r}{meant(model, sorted(known))} Nothing was "
            "asked. They stand under `canaries`."
        )
    return known[model]


def round_document(row: RoundRow) -> RoundDocument:
    """Return a round for programs, without its answers."""
    answers = row.round.answers
    return RoundDocument(
        id=row.id,
        at=row.round.at,
        by=row.by,
        answers=len(answers),
        failed=sum(bool(one.error) for one in answers),
        cost_usd=None if row.cost_nusd is None else usd(row.cost_nusd),
        verdict=_verdict(row.verdict),
    )


def _verdict(verdict: Verdict) -> VerdictDocument:
    fields = msgspec.structs.asdict(verdict)
    moved = [MovedDocument(**msgspec.structs.asdict(one)) for one in verdict.moved]
    return VerdictDocument(**fields | {"moved": moved, "metadata": list(verdict.metadata)})


async def _fields(parts: Services, model: str, last: RoundRow | None) -> dict[str, Any]:
    canary = next((one for one in parts.canaries() if one.model == model), None)
    accepted = await parts.control.canaries.accepted(model)
    return {
        "model": model,
        "every_s": canary.every if canary is not None else None,
        "budget_usd": usd(canary.budget) if canary is not None else None,
        "accepted_at": accepted.at if accepted is not None else None,
        "accepted_by": accepted.by if accepted is not None else None,
        "last": round_document(last) if last is not None else None,
    }
