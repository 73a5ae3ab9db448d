"""Pages about recorded calls: the list, what arrives, one call and its bytes."""

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.auth import require_operator, services_of
from watchkeeper.console.pages.call import DEFAULT_VIEW, VIEWS, Neighbours, View, call_page
from watchkeeper.console.pages.calls import PAGE_SIZE, Tail, call_line, calls_page
from watchkeeper.console.pictures import picture
from watchkeeper.console.query import CallQuery, read_query
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.store.rows import CallDetail, CallFilter, CallRow

SESSION_REACH = timedelta(hours=12)
"""How far around a call its session is looked for; the link to the session has all of it."""
LATER_MAX = 50
"""How many later calls of a session are looked through for the next one."""
EARLIER_MAX = 6
TAIL_MAX = 50

router = APIRouter(dependencies=[Depends(require_operator)])


class CallMissing(CallerError):
    """There is no call with this id, or no such part of it."""

    code = "call_not_found"
    http_status = 404


@router.get("/calls")
async def calls(request: Request) -> Response:
    """The list, its facets, and the form that narrows it."""
    services, pages = services_of(request), pages_of(request)
    query = query_of(request)
    chosen = filter_of(request, query)
    is_followed = query.is_live and not query.before and query.window.until is None
    cursor = (await services.analytics.follow(None, chosen, 1))[0] if is_followed else ""
    found, facets, matching = await asyncio.gather(
        services.analytics.calls(chosen, before=query.before or None, limit=PAGE_SIZE),
        services.analytics.facets(chosen),
        services.analytics.count(chosen),
    )
    page = calls_page(found, facets, query, matching=matching, cursor=cursor)
    shell = await pages.shell(request, title="Calls", here="calls", scripts=("calls.js",))
    return pages.answer("calls.html", page, shell)


@router.get("/calls/tail")
async def tail(request: Request, after: str = "") -> Response:
    """Rows stored behind a cursor, newest first, and where to look next."""
    query = query_of(request)
    cursor, rows = await services_of(request).analytics.follow(after or None, filter_of(request, query), TAIL_MAX)
    lines = tuple(call_line(row) for row in reversed(rows))
    page = Tail(lines=lines, href=query.url("/calls/tail", after=cursor))
    return HTMLResponse(pages_of(request).html("tail.html", page))


@router.get("/calls/{call_id}")
async def call(request: Request, call_id: str, view: str = DEFAULT_VIEW) -> Response:
    """One call in one of its views."""
    services, pages = services_of(request), pages_of(request)
    detail = await _found(request, call_id)
    chosen: View = next((name for name in VIEWS if name == view), DEFAULT_VIEW)
    neighbours = await _neighbours(request, detail.row) if detail.row.session else None
    page = call_page(detail, chosen, neighbours, gateway_url=services.gateway_url.removesuffix("/v1"))
    return pages.answer("call.html", page, await pages.shell(request, title=f"Call {call_id}", here="calls"))


@router.get("/calls/{call_id}/images/{place}")
async def image(request: Request, call_id: str, place: str) -> Response:
    """A picture that came within the request."""
    detail = await _found(request, call_id)
    found = picture(detail.request_body, detail.row.surface, place)
    if found is None:
        raise CallMissing("The call has no picture at this place that can be shown. Its raw bytes have everything.")
    return Response(found.data, media_type=found.kind, headers={"content-security-policy": "sandbox"})


@router.get("/calls/{call_id}/{part}")
async def body(request: Request, call_id: str, part: str) -> Response:
    """The recorded bytes of `request`, `sent` or `response`, as a file: what others wrote is never a page of ours."""
    detail = await _found(request, call_id)
    bodies = {"request": detail.request_body, "sent": detail.sent_body, "response": detail.response_body}
    found = bodies.get(part)
    if found is None:
        raise CallMissing("The call has no such part. There are `request`, `response`, and `sent` if it differs.")
    headers = {"content-disposition": f'attachment; filename="{call_id}-{part}.bin"'}
    return Response(found, media_type="application/octet-stream", headers=headers)


def query_of(request: Request) -> CallQuery:
    """Read the URL's parameters."""
    now = datetime.fromtimestamp(services_of(request).clock.unix_ns() / 1e9, UTC)
    return read_query(dict(request.query_params), now=now)


def filter_of(request: Request, query: CallQuery) -> CallFilter:
    """Return the query's filter, a person's name in it turned into the pseudonym that is stored."""
    subject = query.chosen.get("subject", "")
    if not subject or is_pseudonym(subject):
        return query.call_filter()
    known_as = services_of(request).pseudonyms.of(query.chosen.get("tenant", ""), subject)
    return query.call_filter(subject=known_as)


async def _found(request: Request, call_id: str) -> CallDetail:
    """Return a call.

    Raises:
        CallMissing: there is none.
    """
    found = await services_of(request).analytics.call(call_id)
    if found is None:
        raise CallMissing(f"There is no call {call_id[:50]}.")
    return found


async def _neighbours(request: Request, row: CallRow) -> Neighbours:
    """Find the calls around one in its session; a next one is named only when it surely is the next."""
    analytics = services_of(request).analytics
    begin, end = row.started_at - SESSION_REACH, row.started_at + SESSION_REACH
    later, earlier = await asyncio.gather(
        analytics.calls(CallFilter(session=row.session, since=row.started_at, until=end), limit=LATER_MAX),
        analytics.calls(
            CallFilter(session=row.session, since=begin, until=row.started_at), before=row.id, limit=EARLIER_MAX
        ),
    )
    after = [one for one in later.rows if one.id > row.id] if later.next_before is None else []
    return Neighbours(earlier=earlier.rows, later=tuple(after))
