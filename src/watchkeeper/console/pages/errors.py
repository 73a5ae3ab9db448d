"""What a person sees when a page cannot be shown: what happened, what did not, what to do."""

from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from watchkeeper.core.errors import WatchkeeperError


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """The page."""

    status: int
    title: str
    message: str
    checks: tuple[str, ...]
    """What to look at, one sentence each."""


_TITLES = {400: "Not understood", 401: "Sign in", 403: "Refused", 404: "Not found", 422: "Not understood"}
_CALL_CHECKS = (
    "An id has 26 digits and capital letters, as in the response header x-wk-call-id.",
    "A call can be found about a second after it has ended.",
    "It may belong to another installation, or be older than what is kept.",
)


def error_page(error: Exception, *, path: str) -> ErrorPage:
    """Build the page for an error; of an unexpected one nothing is told but that it was logged."""
    match error:
        case WatchkeeperError():
            status, message = error.http_status, str(error)
        case HTTPException(status_code=404):
            status, message = 404, f"There is no page at {path[:200]}."
        case HTTPException():
            status, message = error.status_code, str(error.detail)
        case RequestValidationError():
            status, message = 422, "A field of the form is missing or cannot be understood; nothing was changed."
        case _:
            status, message = 500, "Watchkeeper failed to show this page. What happened is in the keeper's log."
    return ErrorPage(
        status=status,
        title=_TITLES.get(status, "Something failed"),
        message=message,
        checks=_CALL_CHECKS if status == 404 and path.startswith("/calls/") else (),
    )
