"""The console: pages for people, added to the control API's application."""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from watchkeeper.api.auth import NotSignedIn
from watchkeeper.api.permits import Need, need_of
from watchkeeper.api.services import Services
from watchkeeper.console import (
    accessing,
    answers,
    budgeting,
    commands,
    drifting,
    editing,
    entry,
    evaluating,
    featuring,
    federated,
    labelling,
    measuring,
    records,
    releasing,
    reviewing,
    rolling,
    sharing,
    spending,
    trying,
)
from watchkeeper.console.pages.errors import error_page
from watchkeeper.console.pages.keys import MadeKey
from watchkeeper.console.render import Pages, bare_shell, pages_of
from watchkeeper.console.reveals import Reveals
from watchkeeper.console.static_files import PREFIX, PageFiles
from watchkeeper.core.errors import WatchkeeperError

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

MODULES = (
    entry, federated, answers, records, commands, spending, budgeting, reviewing, accessing,
    featuring, releasing, editing, rolling, trying, evaluating, measuring, sharing, labelling, drifting,
)  # fmt: skip
"""Whose routes are pages."""

_log = logging.getLogger(__name__)


def mount(app: FastAPI, services: Services) -> None:
    """Add the pages, their files, and what a person sees when something fails."""
    page_files = PageFiles()
    app.state.pages = Pages(services, page_files, _needs_of_pages())
    app.state.reveals = Reveals[MadeKey](services.clock)
    for module in MODULES:
        app.include_router(module.router, include_in_schema=False)
    app.mount(PREFIX, page_files, name="static")
    app.middleware("http")(_guard)
    for kind in (WatchkeeperError, HTTPException, RequestValidationError, Exception):
        _show_errors(app, kind)


def _needs_of_pages() -> dict[str, Need]:
    asked = {
        route.path: need_of(route)
        for module in MODULES
        for route in module.router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    }
    return {path: need for path, need in asked.items() if need is not None}


def _show_errors(app: FastAPI, kind: type[Exception]) -> None:
    """Answer a kind of error with a page, but under /api/ as the API does."""
    answer_api = app.exception_handlers.get(kind)

    async def failed(request: Request, error: Exception) -> Response:
        if not request.url.path.startswith("/api/") or answer_api is None:
            return await _error(request, error)
        answer = answer_api(request, error)
        return await answer if isinstance(answer, Awaitable) else answer

    app.add_exception_handler(kind, failed)


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse what another site's page sends, and say how our pages may be used."""
    is_page = not request.url.path.startswith("/api/")
    if is_page and request.method == "POST" and _is_from_elsewhere(request):
        return await _error(request, HTTPException(403, "The form came from another site; nothing was changed."))
    response = await call_next(request)
    if is_page:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("cache-control", "no-store")
    return response


def _is_from_elsewhere(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


async def _error(request: Request, error: Exception) -> Response:
    """Show what went wrong; an error that nobody expected is logged here, at the boundary, and told without details."""
    if isinstance(error, NotSignedIn):
        login = entry.login_href(request)
        is_fragment = "hx-request" in request.headers
        return (
            Response(status_code=401, headers={"hx-redirect": login}) if is_fragment else RedirectResponse(login, 303)
        )
    if not isinstance(error, WatchkeeperError | HTTPException | RequestValidationError):
        _log.error("the page %s could not be shown", request.url.path, exc_info=error)
    page = error_page(error, path=request.url.path)
    pages = pages_of(request)
    is_ours = page.status >= 500
    shell = bare_shell(request, title=page.title) if is_ours else await pages.shell(request, title=page.title)
    answer = pages.answer("error.html", page, shell, status=page.status)
    answer.headers.update(HEADERS)
    return answer
