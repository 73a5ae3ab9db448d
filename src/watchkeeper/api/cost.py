"""Cost: by any dimensions, between two periods, what was wasted and saved, by unit of value, and as a table."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from watchkeeper.api.auth import Operator, Parts, require_operator
from watchkeeper.api.comparison import ComparisonDocument, comparison
from watchkeeper.api.economy import UnitsDocument, WasteDocument, units_document, waste_document
from watchkeeper.api.periods import By, PeriodQuery, PeriodText, ScopeQuery, read_dimensions, read_period
from watchkeeper.api.permits import SOME
from watchkeeper.api.sight import scope_seen
from watchkeeper.api.spend import CostDocument, cost_document
from watchkeeper.core.errors import CallerError
from watchkeeper.store.cost import GROUPS_MAX
from watchkeeper.store.cost_rows import Step
from watchkeeper.store.value import OF_EVENTS

router = APIRouter(prefix="/api/v1/cost", tags=["cost"])
Asker = Annotated[Operator, Depends(require_operator)]

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
NOT_COMPARED = frozenset({"tag", *get_args(Step)})
"""By these, a call is in several groups, or the groups of two periods have nothing in common."""


class QuestionUnclear(CallerError):
    """What was asked makes no sense for this question; nothing was counted."""

    code = "question_unclear"
    http_status = 422


class CostQuery(PeriodQuery):
    """Which calls, and how they are put into groups."""

    by: Annotated[By, Field(description="Dimensions between commas.", examples=["feature,model"])] = "feature"
    limit: Annotated[int, Field(ge=1, le=GROUPS_MAX, description="Groups to list; the others come in one sum.")] = 20


class CompareQuery(ScopeQuery):
    """Two periods."""

    first: Annotated[PeriodText, Field(examples=["2026-09"])]
    second: Annotated[PeriodText, Field(examples=["2026-10"])]
    by: Annotated[By, Field(description="Dimensions between commas; neither `tag` nor a stretch of time.")] = "model"
    limit: Annotated[int, Field(ge=1, le=GROUPS_MAX)] = 20


class ExportQuery(PeriodQuery):
    """Which calls, as which table."""

    format: Literal["csv", "parquet"] = "csv"
    by: Annotated[By, Field(description="Dimensions between commas; empty for one row a call.")] = ""


@router.get("", summary="What calls cost, by any dimensions", dependencies=SOME)
async def cost(query: Annotated[CostQuery, Query()], parts: Parts, asker: Asker) -> CostDocument:
    """Return the dearest groups of calls, the sum of the others, and the total."""
    scope = await scope_seen(query.scope(parts), parts, asker)
    found = await parts.analytics.cost.by(scope, *read_dimensions(query.by), tz=query.tz, limit=query.limit)
    return cost_document(found, scope, query.tz, parts.cost_basis())


@router.get("/compare", summary="Why the cost of two periods differs", dependencies=SOME)
async def compare(query: Annotated[CompareQuery, Query()], parts: Parts, asker: Asker) -> ComparisonDocument:
    """Return the difference in parts that add up to it: price, volume, mix and efficiency, by group."""
    by = read_dimensions(query.by)
    if not by or NOT_COMPARED.intersection(by):
        raise QuestionUnclear(
            f"Periods cannot be compared by {query.by or 'nothing'!r}; nothing was counted. Name dimensions in which "
            "each call is in one group, such as model or feature, but no tag and no stretch of time."
        )
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    scopes = [
        await scope_seen(query.scope_of(read_period(text, query.tz, now), parts), parts, asker)
        for text in (query.first, query.second)
    ]
    first, second = await asyncio.gather(
        *(parts.analytics.cost.by(scope, *by, tz=query.tz, limit=GROUPS_MAX) for scope in scopes)
    )
    return comparison((scopes[0], first), (scopes[1], second), tz=query.tz, limit=query.limit)


@router.get("/waste", summary="What was paid for nothing, and what was saved", dependencies=SOME)
async def waste(query: Annotated[PeriodQuery, Query()], parts: Parts, asker: Asker) -> WasteDocument:
    """Return retries, failed and abandoned calls and repeats that were paid for; savings of cache and routing."""
    scope = await scope_seen(query.scope(parts), parts, asker)
    basis, questions = parts.cost_basis(), parts.analytics.waste
    wasted, cached, routed = await asyncio.gather(
        questions.waste(scope, ttl_s=basis.cache_ttl_s),
        questions.saved_by_cache(scope),
        questions.routed(scope, routes=list(basis.targets)),
    )
    return waste_document(scope, wasted, (cached, routed), basis)


@router.get("/units", summary="What a unit of value costs, by feature", dependencies=SOME)
async def units(query: Annotated[PeriodQuery, Query()], parts: Parts, asker: Asker) -> UnitsDocument:
    """Return for each feature its units of value and the cost of one."""
    scope = await scope_seen(query.scope(parts), parts, asker)
    if not OF_EVENTS.issuperset(name for name, _ in scope.where):
        raise QuestionUnclear(
            "Units of value are known by feature and tenant only; nothing was counted. Leave out the other conditions."
        )
    found, counted = await asyncio.gather(
        parts.analytics.cost.by(scope, "feature", limit=GROUPS_MAX), parts.analytics.value.units(scope)
    )
    spends = {group.names[0]: group.spend for group in found.groups}
    return units_document(scope, spends, counted, parts.cost_basis())


@router.get(
    "/export",
    summary="Costs as a table for other programs",
    dependencies=SOME,
    response_class=StreamingResponse,
    responses={200: {"content": {media: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()}}},
)
async def export(query: Annotated[ExportQuery, Query()], parts: Parts, asker: Asker) -> StreamingResponse:
    """Return groups, or one row a call, as CSV or Parquet."""
    scope, exports = await scope_seen(query.scope(parts), parts, asker), parts.analytics.exports
    by = read_dimensions(query.by)
    pieces = (
        exports.groups(scope, by, tz=query.tz, form=query.format) if by else exports.calls(scope, form=query.format)
    )
    first = await anext(pieces)

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    name = f"cost-{scope.since:%Y%m%d}-{scope.until:%Y%m%d}.{query.format}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return StreamingResponse(body(), media_type=MEDIA_TYPES[query.format], headers=headers)
