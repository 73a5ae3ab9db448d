"""Calls: lists, one by its id, facets, the overview, and those that arrive."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.charges import BookedDocument, booked_document
from watchkeeper.api.documents import Arrivals, CallDocument, CallList, call_document, call_summary
from watchkeeper.api.feedback_documents import feedback_document, feedback_seen, subject_of
from watchkeeper.api.figures import FacetValue, OverviewDocument, facet_values, overview_document
from watchkeeper.api.filters import CallQuery, FollowQuery, ListQuery, OverviewQuery
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.sight import calls_seen, row_seen, without_messages
from watchkeeper.core.errors import CallerError
from watchkeeper.core.ids import is_call_id
from watchkeeper.store.rows import CallDetail

WINDOW = timedelta(hours=1)
"""What the overview looks at when nothing is said."""

TEXT_OF_SOME = [needs("read_bodies", somewhere=True)]

router = APIRouter(prefix="/api/v1", tags=["calls"])


class CallUnknown(CallerError):
    """There is no call with this id."""

    code = "call_not_found"
    http_status = 404


class WindowEmpty(CallerError):
    """A window ends before it begins."""

    code = "window_empty"
    http_status = 422


class Count(BaseModel):
    """How many calls."""

    count: int


@router.get("/calls", summary="List calls, newest first", dependencies=SOME)
async def list_calls(query: Annotated[ListQuery, Query()], parts: Parts, by: By) -> CallList:
    """Return a page of calls and the id to pass as `before` for the next one."""
    chosen = await calls_seen(query.call_filter(parts), parts, by)
    page = await parts.analytics.calls(chosen, before=query.before or None, limit=query.limit)
    return CallList(calls=[call_summary(row_seen(row, by)) for row in page.rows], next_before=page.next_before)


@router.get("/calls/count", summary="Count calls", dependencies=SOME)
async def count_calls(query: Annotated[CallQuery, Query()], parts: Parts, by: By) -> Count:
    """Return how many calls match."""
    return Count(count=await parts.analytics.count(await calls_seen(query.call_filter(parts), parts, by)))


@router.get("/calls/follow", summary="Calls stored since a cursor", dependencies=SOME)
async def follow_calls(query: Annotated[FollowQuery, Query()], parts: Parts, by: By) -> Arrivals:
    """Return the calls stored behind a cursor, oldest first, and the next cursor; who asks again misses none."""
    chosen = await calls_seen(query.call_filter(parts), parts, by)
    cursor, rows = await parts.analytics.follow(query.after or None, chosen, query.limit)
    return Arrivals(calls=[call_summary(row_seen(row, by)) for row in rows], after=cursor)


@router.get("/calls/{call_id}", summary="One call, whole", dependencies=SOME)
async def get_call(
    call_id: str,
    parts: Parts,
    by: By,
    text: Annotated[bool, Query(description="False leaves out what was asked and answered.")] = True,
) -> CallDocument:
    """Return everything known of a call; what was asked and answered only to who may read it, which is noted."""
    found = await _found(call_id, parts, by)
    is_readable = by.rights.may("read_bodies", found.row.feature)
    is_read = text and is_readable
    if is_read:
        await parts.control.changes.note_reading(call_id, actor=by.name, feature=found.row.feature)
    document = call_document(found if is_readable else without_messages(found), is_text_shown=is_read)
    said = await parts.analytics.feedback.about(subject_of(found.row))
    document.feedback = [feedback_document(feedback_seen(one, by)) for one in said]
    return document


@router.get("/calls/{call_id}/charges", summary="What a call took from which budgets", dependencies=SOME)
async def get_charges(call_id: str, parts: Parts, by: By) -> BookedDocument:
    """Return its charges, what budgets did to it, and how its cost was corrected since."""
    return booked_document(await parts.analytics.booked((await _found(call_id, parts, by)).row.id))


@router.get(
    "/calls/{call_id}/request",
    summary="A call's request, byte for byte",
    response_class=Response,
    dependencies=TEXT_OF_SOME,
)
async def get_request_body(call_id: str, parts: Parts, by: By) -> Response:
    """Return the body as the client sent it."""
    return _bytes((await _read(call_id, parts, by)).request_body, f"{call_id}-request")


@router.get(
    "/calls/{call_id}/response",
    summary="A call's response, byte for byte",
    response_class=Response,
    dependencies=TEXT_OF_SOME,
)
async def get_response_body(call_id: str, parts: Parts, by: By) -> Response:
    """Return the body as the upstream sent it at the last attempt."""
    return _bytes((await _read(call_id, parts, by)).response_body, f"{call_id}-response")


@router.get("/facets", summary="Values of the filter's fields, with counts", dependencies=SOME)
async def facets(query: Annotated[CallQuery, Query()], parts: Parts, by: By) -> dict[str, list[FacetValue]]:
    """Return for each field its most frequent values among the matching calls."""
    found = await parts.analytics.facets(await calls_seen(query.call_filter(parts), parts, by))
    return {facet.field: facet_values(facet) for facet in found}


@router.get("/overview", summary="Volume, errors, latency and cost of a window", dependencies=SOME)
async def overview(query: Annotated[OverviewQuery, Query()], parts: Parts, by: By) -> OverviewDocument:
    """Return a window in equal steps, its totals, and the window before it; without `since` the last hour."""
    where = await calls_seen(query.call_filter(parts), parts, by)
    until = where.until or datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    since = where.since or until - WINDOW
    if since >= until:
        raise WindowEmpty("The window ends before it begins; nothing was counted. Let `since` lie before `until`.")
    return overview_document(await parts.analytics.overview(since, until, steps=query.steps, where=where))


async def _found(call_id: str, parts: Services, by: Operator) -> CallDetail:
    if not is_call_id(call_id):
        raise CallUnknown(
            f"{call_id[:50]!r} is not a call id. An id has 26 digits and capital letters, as in `x-wk-call-id`."
        )
    found = await parts.analytics.call(call_id)
    if found is None:
        raise CallUnknown(
            f"There is no call {call_id}. A call can be found about a second after it has ended; "
            "it may also belong to another installation, or be older than what is kept."
        )
    await require(parts, by, "read", feature=found.row.feature)
    return found


async def _read(call_id: str, parts: Services, by: Operator) -> CallDetail:
    """Find a call whose text is given out, and note that it is."""
    found = await _found(call_id, parts, by)
    await require(parts, by, "read_bodies", feature=found.row.feature)
    await parts.control.changes.note_reading(call_id, actor=by.name, feature=found.row.feature)
    return found


def _bytes(body: bytes, name: str) -> Response:
    # What clients and upstreams have sent must never be shown as a page of ours.
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return Response(body, media_type="application/octet-stream", headers=headers)
