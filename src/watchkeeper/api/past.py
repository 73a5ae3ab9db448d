"""What was live of a feature, and at a moment."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.environments import (
    NAME_MAX,
    EnvironmentUnknown,
    FeatureUnknown,
    StandingDocument,
    StandingList,
    standing_document,
)
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.services import Services
from watchkeeper.config.problems import meant
from watchkeeper.core.errors import CallerError
from watchkeeper.store.environments import LEAD, StandingRow
from watchkeeper.store.freezes import EVERY

LISTED_MAX = 1_000

router = APIRouter(prefix="/api/v1/environments", tags=["environments"])


class NotYet(CallerError):
    """The moment is ahead: nobody knows what will be live then."""

    code = "not_yet"
    http_status = 422


class OriginDocument(BaseModel):
    """What brought the release that stands; what was tried beside it since does not count."""

    kind: str
    since: Annotated[datetime, Field(description="From this moment on it stands without a break.")]
    at: datetime
    by: str
    reason: str
    review: int | None
    approved_by: Annotated[list[str], Field(description="Who has approved of it in that review.")]
    eval_run: str


class StandingThen(StandingDocument):
    """What was live at a moment."""

    origin: OriginDocument


class StandingAt(BaseModel):
    """What was live at a moment."""

    at: datetime
    environment: str
    standings: list[StandingThen]


@router.get("/history", summary="List what was live", dependencies=SOME)
async def history(
    parts: Parts,
    by: By,
    feature: Annotated[str, Query(min_length=1, max_length=NAME_MAX)],
    environment: Annotated[list[str], Query(max_length=50)] = [],  # noqa: B006 - FastAPI copies it
    limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 100,
) -> StandingList:
    """Return what was live of a feature, the latest first."""
    await require(parts, by, "read", feature=feature)
    rows = await parts.control.environments.history(feature, environment, limit=limit)
    await require_released(parts, by, feature)
    for name in environment:
        await _require_known(parts, name)
    return StandingList(standings=[standing_document(row) for row in rows])


@router.get("/at", summary="Tell what was live at a moment", dependencies=SOME)
async def live_at(
    parts: Parts,
    by: By,
    at: Annotated[AwareDatetime, Query(description="With its zone; not ahead.")],
    feature: Annotated[str, Query(min_length=1, max_length=NAME_MAX, description="`*` for every one.")],
    environment: Annotated[str, Query(max_length=NAME_MAX)] = "production",
) -> StandingAt:
    """Return what every worker served at a moment; exact to the microsecond."""
    store = parts.control.environments
    if feature != EVERY:
        await require(parts, by, "read", feature=feature)
        await require_released(parts, by, feature)
    await _require_known(parts, environment)
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    if at > now + LEAD:  # until then it is decided, whatever anybody does
        raise NotYet(f"{at.isoformat(' ')} is not yet: it is {now:%Y-%m-%d %H:%M:%S} UTC.")
    found = [await store.at(feature, environment, at)] if feature != EVERY else await store.all_at(environment, at)
    rows = [row for row in found if row is not None and by.rights.may("read", row.feature)]
    return StandingAt(at=at, environment=environment, standings=[await _then(parts, row) for row in rows])


async def require_released(parts: Services, by: Operator, feature: str) -> None:
    """See that a feature has or had a release. Raises FeatureUnknown."""
    known = await parts.control.releases.features()
    if feature not in known:
        readable = [name for name in known if by.rights.may("read", name)]
        raise FeatureUnknown(f"There never was a release of a feature {feature[:60]!r}{meant(feature, readable)}")


async def _require_known(parts: Services, environment: str) -> None:
    """See that the configuration or the history knows an environment."""
    once = await parts.control.environments.names()
    if environment in once:
        return
    known = {*once, *parts.release_basis().environments}
    if environment not in known:
        raise EnvironmentUnknown(
            f"There is and was no environment {environment[:60]!r}{meant(environment, sorted(known))}"
        )


async def _then(parts: Services, row: StandingRow) -> StandingThen:
    store = parts.control.environments
    origin = await store.origin_of(row)
    review = None if origin.review is None else await parts.control.reviews.get(origin.review)
    shown = standing_document(row, await store.end_of(row))
    return StandingThen(
        **{name: getattr(shown, name) for name in StandingDocument.model_fields},
        origin=OriginDocument(
            kind=origin.kind,
            since=origin.effective_at,
            at=origin.at,
            by=origin.by,
            reason=origin.reason,
            review=origin.review,
            approved_by=[] if review is None else [vote.by for vote in review.votes if vote.verdict == "approve"],
            eval_run=origin.eval_run,
        ),
    )
