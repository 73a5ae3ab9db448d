"""The control API as an application: routes, errors in one shape, and its own reference page."""

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from watchkeeper import __version__
from watchkeeper.api import calls, health, keys, people, reference
from watchkeeper.api.auth import require_operator
from watchkeeper.api.services import Services
from watchkeeper.core.errors import WatchkeeperError

DESCRIPTION = (
    "What the console and the command line ask. Authenticate with `Authorization: Bearer wk-api-...`; "
    "make a token with `watchkeeper tokens create NAME`."
)


def build_api(services: Services) -> FastAPI:
    """Build the application; the console is added to it by `console.app`."""
    app = FastAPI(
        title="Watchkeeper",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.services = services
    signed_in = [Depends(require_operator)]
    for module in (calls, keys, people, health):
        app.include_router(module.router, dependencies=signed_in)
    app.include_router(reference.router)
    app.add_exception_handler(WatchkeeperError, _our_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    return app


def error_document(code: str, message: str) -> dict[str, dict[str, str]]:
    """The one shape of an error."""
    return {"error": {"code": code, "message": message}}


async def _our_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WatchkeeperError)
    return JSONResponse(error_document(error.code, str(error)), error.http_status)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    parts = [f"`{'.'.join(str(step) for step in detail['loc'][1:])}`: {detail['msg']}" for detail in error.errors()]
    return JSONResponse(error_document("invalid_request", "; ".join(parts)), 422)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    message = (
        "There is no such path; the API is described at /api/docs." if error.status_code == 404 else str(error.detail)
    )
    return JSONResponse(error_document("http_error", message), error.status_code)
