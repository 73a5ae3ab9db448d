"""Pages that answer questions; none of them changes anything."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from watchkeeper.access.subjects import is_pseudonym
from watchkeeper.api.auth import require_operator, services_of
from watchkeeper.api.health import examine
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.pages.call import call_view
from watchkeeper.console.pages.calls import PAGE_SIZE, call_line, calls_page
from watchkeeper.console.pages.overview import overview_page
from watchkeeper.console.query import CallQuery, read_query
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.store.rows import CallFilter, CallRow

STEPS = 60
NEIGHBOURS_MAX = 20
TAIL_MAX = 50

router = APIRouter(dependencies=[Depends(require_operator)])


class CallMissing(CallerError):
    """There is no call with this id."""

    code = "call_not_found"
    http_status = 404


@router.get("/")
async def overview(request: Request) -> Response:
    """Is it healthy, what changed, what does it cost."""
    services = services_of(request)
    now = _now(request)
    query = read_query(dict(request.query_params), now=now)
    since = query.window.since or now - timedelta(days=30)
    until = query.window.until or now
    found, changes = await asyncio.gather(
        services.analytics.overview(since, until, steps=STEPS, where=_filter(request, query)),
        services.control.changes.between(since, until),
    )
    if not found.total.calls and not found.previous.calls and (await services.analytics.stats())["calls"] == 0:
        return await start(request)
    markers = [Marker(change.at, change.summary) for change in changes]
    page = overview_page(found, query, markers)
    return await pages_of(request).page(request, "overview.html", title="Overview", here="overview", page=page)


@router.get("/calls")
async def calls(request: Request) -> Response:
    """The list, its facets, and the form that narrows it."""
    services = services_of(request)
    query = read_query(dict(request.query_params), now=_now(request))
    chosen = _filter(request, query)
    found, facets, matching = await asyncio.gather(
        services.analytics.calls(chosen, before=query.before or None, limit=PAGE_SIZE),
        services.analytics.facets(chosen),
        services.analytics.count(chosen),
    )
    page = calls_page(found, facets, query, matching=matching)
    return await pages_of(request).page(
        request, "calls.html", title="Calls", here="calls", scripts=("calls.js",), page=page
    )


@router.get("/calls/tail")
async def tail(request: Request, after: str = "") -> Response:
    """Rows stored behind a cursor, newest first; the cursor behind them comes in a header."""
    query = read_query(dict(request.query_params), now=_now(request))
    cursor, rows = await services_of(request).analytics.follow(after or None, _filter(request, query), TAIL_MAX)
    lines = [call_line(row) for row in reversed(rows)]
    pages = pages_of(request)
    shell = await pages.shell(request, title="", here="calls")
    return HTMLResponse(pages.html("call_rows.html", shell, lines=lines), headers={"x-wk-after": cursor})


@router.get("/calls/{call_id}")
async def call(request: Request, call_id: str) -> Response:
    """One call, whole."""
    services = services_of(request)
    found = await services.analytics.call(call_id)
    if found is None:
        raise CallMissing(
            f"There is no call {call_id[:50]}. An id has 26 letters and digits, as in the header x-wk-call-id; "
            "a call can be found about a second after it has ended."
        )
    neighbours: Sequence[CallRow] = ()
    if found.row.session:
        session = CallFilter(session=found.row.session)
        neighbours = (await services.analytics.calls(session, limit=NEIGHBOURS_MAX)).rows
    page = call_view(found, tuple(reversed(neighbours)), gateway_url=services.gateway_url)
    title = f"Call {found.row.id}"
    return await pages_of(request).page(request, "call.html", title=title, here="calls", page=page)


@router.get("/start")
async def start(request: Request) -> Response:
    """How to make the first call, and whether it has arrived."""
    services = services_of(request)
    first = await services.analytics.calls(CallFilter(), limit=1)
    values: dict[str, Any] = {
        "gateway_url": services.gateway_url,
        "model": services.first_model() or "provider/model",
        "arrived": call_line(first.rows[0]) if first.rows else None,
    }
    return await pages_of(request).page(
        request, "start.html", title="First call", here="start", scripts=("start.js",), **values
    )


@router.get("/start/arrived")
async def arrived(request: Request) -> Response:
    """Whether a call has arrived, as the part of the page that waits for it."""
    first = await services_of(request).analytics.calls(CallFilter(), limit=1)
    pages = pages_of(request)
    shell = await pages.shell(request, title="", here="start")
    line = call_line(first.rows[0]) if first.rows else None
    return HTMLResponse(pages.html("arrived.html", shell, arrived=line))


@router.get("/health")
async def health(request: Request) -> Response:
    """How every part is doing."""
    services = services_of(request)
    found = await examine(services)
    now = _now(request)
    changes = await services.control.changes.between(now - timedelta(days=7), now + timedelta(seconds=1))
    parts = {name: part if isinstance(part, dict) else {name: part} for name, part in found.model_dump().items()}
    return await pages_of(request).page(
        request, "health.html", title="Health", here="health", parts_found=parts, changes=changes[::-1]
    )


def _now(request: Request) -> datetime:
    return datetime.fromtimestamp(services_of(request).clock.unix_ns() / 1e9, UTC)


def _filter(request: Request, query: CallQuery) -> CallFilter:
    """The query's filter, a person's name in it turned into the pseudonym that is stored."""
    chosen = query.chosen
    subject = chosen.get("subject", "")
    if subject and not is_pseudonym(subject):
        known_as = services_of(request).pseudonyms.of(chosen.get("tenant", ""), subject)
        query = CallQuery(
            chosen=chosen | {"subject": known_as}, window=query.window, before=query.before, problems=query.problems
        )
    return query.call_filter()
