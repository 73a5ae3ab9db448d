"""The console: pages for people, added to the control API's application."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from watchkeeper.api.auth import NotSignedIn
from watchkeeper.api.services import Services
from watchkeeper.console import answers, commands, entry
from watchkeeper.console.render import Pages
from watchkeeper.core.errors import WatchkeeperError

POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


def mount(app: FastAPI, services: Services) -> None:
    """Add the pages, their files, and what a person sees when something fails."""
    app.state.pages = Pages(services)
    for module in (entry, answers, commands):
        app.include_router(module.router, include_in_schema=False)
    static = Path(str(files("watchkeeper.console") / "static"))
    app.mount("/static", StaticFiles(directory=static), name="static")
    app.middleware("http")(_secure)
    handlers = {kind: app.exception_handlers.get(kind) for kind in (WatchkeeperError, HTTPException)}

    async def failed(request: Request, error: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            handler = handlers[WatchkeeperError if isinstance(error, WatchkeeperError) else HTTPException]
            assert handler is not None
            answer = handler(request, error)
            return await answer if isinstance(answer, Awaitable) else answer
        return await _error_page(request, error)

    app.add_exception_handler(WatchkeeperError, failed)
    app.add_exception_handler(HTTPException, failed)


async def _secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    if not request.url.path.startswith("/api/"):
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.url.path.startswith("/static/"):
            response.headers.setdefault("cache-control", "no-store")
    return response


async def _error_page(request: Request, error: Exception) -> Response:
    if isinstance(error, NotSignedIn):
        return RedirectResponse(entry.login_href(request), 303)
    if isinstance(error, WatchkeeperError):
        status, message = error.http_status, str(error)
    else:
        assert isinstance(error, HTTPException)
        status = error.status_code
        message = "There is no such page." if status == 404 else str(error.detail)
    pages: Pages = request.app.state.pages
    shell = await pages.shell(request, title=f"Error {status}", here="")
    return HTMLResponse(pages.html("error.html", shell, status=status, message=message), status)
