"""Pages about the whole: the overview and its charts, the first call, health, and every component on one page."""

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from watchkeeper.api.auth import Operator, require_operator, services_of
from watchkeeper.api.health import examine
from watchkeeper.api.permits import SOME, needs
from watchkeeper.api.services import Services
from watchkeeper.api.sight import calls_seen, row_seen
from watchkeeper.console.changing import changes_of, markers_of
from watchkeeper.console.charts.series import Marker
from watchkeeper.console.pages.chart import chart_page
from watchkeeper.console.pages.drift_patterns import drift_patterns
from watchkeeper.console.pages.health import health_page
from watchkeeper.console.pages.money_patterns import money_patterns
from watchkeeper.console.pages.overview import overview_page
from watchkeeper.console.pages.panels import QUESTIONS
from watchkeeper.console.pages.patterns import HOSTILE, LONG, patterns_page
from watchkeeper.console.pages.release_patterns import release_patterns
from watchkeeper.console.pages.start import arrival, start_page
from watchkeeper.console.query import CallQuery
from watchkeeper.console.records import filter_of, query_of
from watchkeeper.console.render import pages_of
from watchkeeper.core.errors import CallerError
from watchkeeper.store.rows import CallFilter, CallRow, Overview

CHANGES_SHOWN = timedelta(days=7)

router = APIRouter(dependencies=[Depends(require_operator)])


class ChartMissing(CallerError):
    """There is no chart of this name."""

    code = "chart_not_found"
    http_status = 404


@router.get("/", dependencies=SOME)
async def overview(request: Request) -> Response:
    """Is it healthy, what changed, what does it cost; where no call was ever made, how to make one."""
    pages, query = pages_of(request), query_of(request)
    found, markers = await _asked(request, query)
    if not found.total.calls and not found.previous.calls and not await _has_calls(request):
        return await start(request)
    page = overview_page(found, query, markers)
    shell = await pages.shell(request, title="Overview", here="overview", scripts=("charts.js",))
    return pages.answer("overview.html", page, shell)


@router.get("/charts/{name}", dependencies=SOME)
async def chart(request: Request, name: str) -> Response:
    """One chart, large, with its figures."""
    question = QUESTIONS.get(name)
    if question is None:
        raise ChartMissing(f"There is no chart {name[:40]!r}. There are {', '.join(QUESTIONS)}.")
    pages, query = pages_of(request), query_of(request)
    found, markers = await _asked(request, query)
    page = chart_page(question, found, query, markers)
    shell = await pages.shell(
        request,
        title=question.title,
        here="overview",
        scripts=("vendor/uPlot.iife.min.js", "zoom.js"),
        styles=("vendor/uPlot.min.css",),
    )
    return pages.answer("chart.html", page, shell)


@router.get("/start", dependencies=SOME)
async def start(request: Request) -> Response:
    """How to make the first call, and whether it has arrived."""
    services, pages = services_of(request), pages_of(request)
    by = await require_operator(request)
    newest, keys = await asyncio.gather(_newest(services, by), services.control.keys.all(by.rights.features("read")))
    now = _now(request)
    page = start_page(
        newest,
        [key for key in keys if key.is_valid_at(now)],
        gateway_url=services.gateway_url,
        model=services.first_model(),
    )
    return pages.answer("start.html", page, await pages.shell(request, title="First call", here="start"))


@router.get("/start/arrival", dependencies=SOME)
async def arrived(request: Request) -> Response:
    """Whether a call has arrived, as the part of the page that waits for it."""
    newest = await _newest(services_of(request), await require_operator(request))
    return HTMLResponse(pages_of(request).html("arrival.html", arrival(newest)))


@router.get("/health", dependencies=SOME)
async def health(request: Request) -> Response:
    """How every part is doing."""
    services, pages, by = services_of(request), pages_of(request), await require_operator(request)
    now = _now(request)
    found, changes, faults = await asyncio.gather(
        examine(services),
        changes_of(services, by, now - CHANGES_SHOWN, now + timedelta(seconds=1)),
        services.control.faults.active(),
    )
    page = health_page(found.model_dump(), changes, faults=faults)
    return pages.answer("health.html", page, await pages.shell(request, title="Health", here="health"))


@router.get("/patterns", dependencies=[needs()])
async def patterns(request: Request) -> Response:
    """Every component: with ordinary data, with none, with too much, with hostile data, in trouble."""
    pages = pages_of(request)
    shell = await pages.shell(request, title="Patterns", scripts=("charts.js",))
    return pages.answer("patterns.html", patterns_page(), shell)


@router.get("/patterns/releases", dependencies=[needs()])
async def patterns_of_releases(request: Request) -> Response:
    """Every component of the pages about features, releases and rollouts."""
    pages = pages_of(request)
    styles = ("money.css", "releases.css")
    shell = await pages.shell(request, title="Patterns of releases", scripts=("charts.js",), styles=styles)
    return pages.answer("patterns_releases.html", release_patterns(hostile=HOSTILE, long=LONG), shell)


@router.get("/patterns/drift", dependencies=[needs()])
async def patterns_of_drift(request: Request) -> Response:
    """Every component of the pages about drift."""
    pages = pages_of(request)
    styles = ("money.css", "releases.css", "drift.css")
    shell = await pages.shell(request, title="Patterns of drift", scripts=("charts.js",), styles=styles)
    return pages.answer("patterns_drift.html", drift_patterns(hostile=HOSTILE, long=LONG), shell)


@router.get("/patterns/money", dependencies=[needs()])
async def patterns_of_money(request: Request) -> Response:
    """Every component of the pages about money."""
    pages = pages_of(request)
    shell = await pages.shell(request, title="Patterns of money", scripts=("charts.js",), styles=("money.css",))
    return pages.answer("patterns_money.html", money_patterns(hostile=HOSTILE, long=LONG), shell)


async def _asked(request: Request, query: CallQuery) -> tuple[Overview, list[Marker]]:
    """Ask for a window and the changes made in it; one of another feature is none of a feature's."""
    services, by = services_of(request), await require_operator(request)
    since, until, steps = query.window.steps(_now(request))
    found, markers = await asyncio.gather(
        services.analytics.overview(since, until, steps=steps, where=await filter_of(request, query)),
        markers_of(services, by, since, until, feature=query.chosen.get("feature", "")),
    )
    return found, markers


async def _newest(services: Services, by: Operator) -> tuple[CallRow, ...]:
    found = await services.analytics.calls(await calls_seen(CallFilter(), services, by), limit=1)
    return tuple(row_seen(row, by) for row in found.rows)


async def _has_calls(request: Request) -> bool:
    return bool((await services_of(request).analytics.stats())["calls"])


def _now(request: Request) -> datetime:
    return datetime.fromtimestamp(services_of(request).clock.unix_ns() / 1e9, UTC)
