"""Every error of the control API has one shape: `{"error": {"code", "message"}}`.

`code` is stable and for programs; `message` says what happened, what did not happen, and what to do.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from watchkeeper.core.errors import WatchkeeperError

_log = logging.getLogger("watchkeeper.api")
_PREFIX = "Value error, "


class Problem(BaseModel):
    """What went wrong; some errors say it in `detail` for programs too."""

    code: str
    message: str
    detail: dict[str, Any] | None = None


class ErrorDocument(BaseModel):
    """The body of every answer that is an error."""

    error: Problem


def answer_errors(app: FastAPI) -> None:
    """Give every error of an application the one shape."""
    app.add_exception_handler(WatchkeeperError, _our_error)
    app.add_exception_handler(RequestValidationError, _refused_values)
    app.add_exception_handler(HTTPException, _refused_by_framework)
    app.add_exception_handler(Exception, _unexpected)


def error_response(status: int, code: str, message: str, detail: Mapping[str, Any] | None = None) -> JSONResponse:
    """Write an error in the one shape."""
    error: dict[str, Any] = {"code": code, "message": message}
    return JSONResponse({"error": error if detail is None else error | {"detail": dict(detail)}}, status)


async def _our_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WatchkeeperError)
    if error.http_status >= 500:
        _log.error("%s: %s", error.code, error)
    return error_response(error.http_status, error.code, str(error), error.detail)


async def _refused_values(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    named = "; ".join(_refusal(found) for found in error.errors())
    return error_response(422, "invalid_request", f"{named}. Nothing was done; /api/docs says what may be asked.")


async def _refused_by_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path[:200]}"
    match error.status_code:
        case 404:
            return error_response(404, "not_found", f"There is nothing at {asked}. /api/docs lists what there is.")
        case 405:
            message = f"{asked} is not possible: this path is asked in another way. /api/docs says how."
            return error_response(405, "method_not_allowed", message)
        case status:
            return error_response(status, "invalid_request", f"{asked} was refused: {error.detail}. Nothing was done.")


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    """Answer only: the error is raised again behind this, and the server logs it."""
    message = "Watchkeeper failed to answer; the keeper's log says how. Try again, and report it if it happens again."
    return error_response(500, "internal", message)


def _refusal(found: dict[str, Any]) -> str:
    """Say which value was refused and why; the first step of its place is only `query`, `path` or `body`."""
    if found["type"] == "json_invalid":
        return f"The body is not JSON: {found['ctx']['error']} at place {found['loc'][-1]}"
    where = ".".join(str(step) for step in found["loc"][1:])
    message: str = found["msg"]
    if message.startswith(_PREFIX):
        reason = message.removeprefix(_PREFIX)
        return f"`{where}`: {reason}" if where else reason
    return f"`{where or found['loc'][0]}`: {message[:1].lower()}{message[1:]}"
