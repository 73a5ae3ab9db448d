"""Scores of real calls: what scorers said of their answers, and what people did, by release and by day."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.filters import Moment, read_moment
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.strict import Strict
from watchkeeper.core.money import usd
from watchkeeper.store.scores import GROUPS_MAX, ScoreFigures, ScoreFilter

NAME_MAX = 200

router = APIRouter(prefix="/api/v1/scores", tags=["evals"])


class ScoreQuery(Strict):
    """Which scores."""

    feature: str = Field(default="", max_length=NAME_MAX)
    environment: str = Field(default="", max_length=NAME_MAX)
    release: str = Field(default="", max_length=NAME_MAX)
    tenant: str = Field(default="", max_length=NAME_MAX)
    rollout: str = Field(default="", max_length=NAME_MAX)
    name: str = Field(default="", max_length=NAME_MAX, description="Of a scorer, or `feedback:NAME`.")
    since: Moment = ""
    until: Moment = ""
    by: Literal["release", "day"] = Field(default="release", description="`day`: by release and day, for a trend.")
    limit: int = Field(default=1_000, ge=1, le=GROUPS_MAX)


class ScoreDocument(BaseModel):
    """What was said under one name of one release in one environment."""

    feature: str
    environment: str
    release: Annotated[str, Field(description="Empty for calls without one.")]
    name: Annotated[str, Field(description="Of the scorer; `feedback:NAME` is what people said.")]
    day: Annotated[date | None, Field(description="By UTC; null where days are summed up.")]
    origin: Literal["online", "label", "feedback"]
    count: int
    passed: int
    failed: int
    unmeasured: int
    scored: Annotated[int, Field(description="So many have a score.")]
    mean: Annotated[
        float | None, Field(description="Each score weighted by one over the probability of its call being drawn.")
    ]
    error: Annotated[float | None, Field(description="Standard error of the mean; null for fewer than two scores.")]
    judge_cost_usd: Annotated[str, Field(description="As far as it is known.")]
    first_at: datetime
    last_at: datetime


class ScoreList(BaseModel):
    """Scores by feature, environment, release and name."""

    scores: list[ScoreDocument]


@router.get("", summary="Sum scores up", dependencies=SOME)
async def sum_scores(query: Annotated[ScoreQuery, Query()], parts: Parts, by: By) -> ScoreList:
    """Sum up what scorers and people said of real answers, by release, and by day where that is asked."""
    if query.feature:
        await require(parts, by, "read", feature=query.feature)
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    chosen = ScoreFilter(
        **{name: getattr(query, name) for name in ("feature", "environment", "release", "tenant", "rollout", "name")},
        since=read_moment(query.since, now),
        until=read_moment(query.until, now),
        features=by.rights.features("read"),
    )
    found = await parts.analytics.scores.figures(chosen, by=query.by, limit=query.limit)
    return ScoreList(scores=[_document(one) for one in found])


def _document(one: ScoreFigures) -> ScoreDocument:
    names = set(ScoreDocument.model_fields) - {"judge_cost_usd"}
    return ScoreDocument(**{name: getattr(one, name) for name in names}, judge_cost_usd=usd(one.cost_nusd))
