"""Calls: lists, one by its id, facets, the overview, and those that arrive."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from watchkeeper.api.auth import services_of
from watchkeeper.api.documents import call_document, call_summary, overview_document
from watchkeeper.api.filters import FilterFault, call_filter
from watchkeeper.core.errors import CallerError
from watchkeeper.core.ids import is_call_id
from watchkeeper.store.rows import CallFilter

PAGE_MAX = 1_000
STEPS_MAX = 1_000

router = APIRouter(prefix="/api/v1", tags=["calls"])
Chosen = Annotated[CallFilter, Depends(call_filter)]


class CallUnknown(CallerError):
    """There is no call with this id."""

    code = "call_not_found"
    http_status = 404


@router.get("/calls", summary="List calls, newest first")
async def list_calls(
    request: Request,
    chosen: Chosen,
    before: Annotated[str | None, Query(description="Id of the last call of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
) -> dict[str, Any]:
    """Return a page of calls and the id to pass as `before` for the next one, null on the last."""
    page = await services_of(request).analytics.calls(chosen, before=before, limit=limit)
    return {"calls": [call_summary(row) for row in page.rows], "next_before": page.next_before}


@router.get("/calls/count", summary="Count calls")
async def count_calls(request: Request, chosen: Chosen) -> dict[str, int]:
    """Return how many calls match."""
    return {"count": await services_of(request).analytics.count(chosen)}


@router.get("/calls/follow", summary="Calls stored since a cursor")
async def follow_calls(
    request: Request,
    chosen: Chosen,
    after: Annotated[str | None, Query(description="Cursor of the answer before; without one, begin now.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 200,
) -> dict[str, Any]:
    """Return the calls stored behind a cursor, oldest first, and the next cursor; who asks again misses none."""
    cursor, rows = await services_of(request).analytics.follow(after, chosen, limit)
    return {"calls": [call_summary(row) for row in rows], "after": cursor}


@router.get("/calls/{call_id}", summary="One call, whole")
async def get_call(request: Request, call_id: str) -> dict[str, Any]:
    """Return everything known of a call."""
    if not is_call_id(call_id):
        raise CallUnknown(f"{call_id[:50]!r} is not a call id: they have 26 letters and digits, as in `x-wk-call-id`.")
    found = await services_of(request).analytics.call(call_id)
    if found is None:
        raise CallUnknown(
            f"There is no call {call_id}. A call can be found about a second after it has ended; "
            "it may also belong to another installation, or be older than what is kept."
        )
    return call_document(found)


@router.get("/facets", summary="Values of the filter's fields, with counts")
async def facets(request: Request, chosen: Chosen) -> dict[str, list[dict[str, Any]]]:
    """Return for each field its most frequent values among the matching calls."""
    found = await services_of(request).analytics.facets(chosen)
    return {facet.field: [{"value": value, "calls": count} for value, count in facet.values] for facet in found}


@router.get("/overview", summary="Volume, errors, latency and cost of a window")
async def overview(
    request: Request, chosen: Chosen, steps: Annotated[int, Query(ge=1, le=STEPS_MAX)] = 60
) -> dict[str, Any]:
    """Return a window in equal steps, its totals, and the window before it; without `since` the last hour."""
    services = services_of(request)
    until = chosen.until or datetime.fromtimestamp(services.clock.unix_ns() / 1e9, UTC)
    since = chosen.since or until - timedelta(hours=1)
    if since >= until:
        raise FilterFault("`since` must lie before `until`.")
    return overview_document(await services.analytics.overview(since, until, steps=steps, where=chosen))
