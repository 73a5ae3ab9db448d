"""Pages about recorded calls: the list, what arrives, one call and its bytes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.feedback_documents import feedback_seen, subject_of
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.sight import calls_seen, detail_seen, row_seen
from watchkeeper.console.pages.call import DEFAULT_VIEW, VIEWS, WITHOUT_TEXT, Neighbours, View, call_page
from watchkeeper.console.pages.calls import PAGE_SIZE, Tail, call_line, calls_page
from watchkeeper.console.pages.feedback import feedback_lines
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

TEXT_OF_SOME = [needs("read_bodies", somewhere=True)]

router = APIRouter(dependencies=[Depends(require_operator)])
By = Annotated[Operator, Depends(require_operator)]


class CallMissing(CallerError):
    """There is no call with this id, or no such part of it."""

    code = "call_not_found"
    http_status = 404


@router.get("/calls", dependencies=SOME)
async def calls(request: Request, by: By) -> Response:
    """The list, its facets, and the form that narrows it."""
    services, pages = services_of(request), pages_of(request)
    query = query_of(request)
    chosen = await filter_of(request, query)
    is_followed = query.is_live and not query.before and query.window.until is None
    cursor = (await services.analytics.follow(None, chosen, 1))[0] if is_followed else ""
    found, facets, matching = await asyncio.gather(
        services.analytics.calls(chosen, before=query.before or None, limit=PAGE_SIZE),
        services.analytics.facets(chosen),
        services.analytics.count(chosen),
    )
    found = replace(found, rows=tuple(row_seen(row, by) for row in found.rows))
    page = calls_page(found, facets, query, matching=matching, cursor=cursor)
    shell = await pages.shell(request, title="Calls", here="calls", scripts=("calls.js",))
    return pages.answer("calls.html", page, shell)


@router.get("/calls/tail", dependencies=SOME)
async def tail(request: Request, by: By, after: str = "") -> Response:
    """Rows stored behind a cursor, newest first, and where to look next."""
    query = query_of(request)
    chosen = await filter_of(request, query)
    cursor, rows = await services_of(request).analytics.follow(after or None, chosen, TAIL_MAX)
    lines = tuple(call_line(row_seen(row, by)) for row in reversed(rows))
    page = Tail(lines=lines, href=query.url("/calls/tail", after=cursor))
    return HTMLResponse(pages_of(request).html("tail.html", page))


@router.get("/calls/{call_id}", dependencies=SOME)
async def call(request: Request, call_id: str, by: By, view: str = DEFAULT_VIEW) -> Response:
    """One call in one of its views; those that show its text are noted, and shown only to who may read it."""
    services, pages = services_of(request), pages_of(request)
    detail = detail_seen(await _found(request, call_id), by)
    is_readable = by.rights.may("read_bodies", detail.row.feature)
    offered: tuple[View, ...] = VIEWS if is_readable else WITHOUT_TEXT
    chosen: View = next((name for name in offered if name == view), offered[0])
    if chosen not in WITHOUT_TEXT:
        await services.control.changes.note_reading(call_id, actor=by.name, feature=detail.row.feature)
    neighbours = await _neighbours(request, detail.row, by) if detail.row.session else None
    page = call_page(detail, chosen, neighbours, gateway_url=services.gateway_url.removesuffix("/v1"), offered=offered)
    said = await services.analytics.feedback.about(subject_of(detail.row))
    page = replace(page, feedback=feedback_lines(feedback_seen(one, by) for one in said))
    return pages.answer("call.html", page, await pages.shell(request, title=f"Call {call_id}", here="calls"))


@router.get("/calls/{call_id}/images/{place}", dependencies=TEXT_OF_SOME)
async def image(request: Request, call_id: str, place: str, by: By) -> Response:
    """A picture that came within the request."""
    detail = await _read(request, call_id, by)
    found = picture(detail.request_body, detail.row.surface, place)
    if found is None:
        raise CallMissing("The call has no picture at this place that can be shown. Its raw bytes have everything.")
    return Response(found.data, media_type=found.kind, headers={"content-security-policy": "sandbox"})


@router.get("/calls/{call_id}/{part}", dependencies=TEXT_OF_SOME)
async def body(request: Request, call_id: str, part: str, by: By) -> Response:
    """The recorded bytes of `request`, `sent` or `response`, as a file: what others wrote is never a page of ours."""
    detail = await _read(request, call_id, by)
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


async def filter_of(request: Request, query: CallQuery) -> CallFilter:
    """Return the query's filter within what who asks may see, a person's name turned into the pseudonym stored."""
    services, subject = services_of(request), query.chosen.get("subject", "")
    if subject and not is_pseudonym(subject):
        known_as = services.pseudonyms.of(query.chosen.get("tenant", ""), subject)
        chosen = query.call_filter(subject=known_as)
    else:
        chosen = query.call_filter()
    return await calls_seen(chosen, services, await require_operator(request))


async def _found(request: Request, call_id: str) -> CallDetail:
    """Return a call.

    Raises:
        CallMissing: there is none.
        NotAllowed: who asks may not read calls of its feature.
    """
    services = services_of(request)
    found = await services.analytics.call(call_id)
    if found is None:
        raise CallMissing(f"There is no call {call_id[:50]}.")
    await require(services, await require_operator(request), "read", feature=found.row.feature)
    return found


async def _read(request: Request, call_id: str, by: Operator) -> CallDetail:
    """Return a call whose text is given out, and note that it is."""
    services, found = services_of(request), await _found(request, call_id)
    await require(services, by, "read_bodies", feature=found.row.feature)
    await services.control.changes.note_reading(call_id, actor=by.name, feature=found.row.feature)
    return found


async def _neighbours(request: Request, row: CallRow, by: Operator) -> Neighbours:
    """Find the calls around one in its session; a next one is named only when it surely is the next."""
    services = services_of(request)
    begin, end = row.started_at - SESSION_REACH, row.started_at + SESSION_REACH
    session = await calls_seen(CallFilter(session=row.session, since=begin, until=end), services, by)
    later, earlier = await asyncio.gather(
        services.analytics.calls(replace(session, since=row.started_at), limit=LATER_MAX),
        services.analytics.calls(replace(session, until=row.started_at), before=row.id, limit=EARLIER_MAX),
    )
    after = [row_seen(one, by) for one in later.rows if one.id > row.id] if later.next_before is None else []
    return Neighbours(earlier=tuple(row_seen(one, by) for one in earlier.rows), later=tuple(after))
