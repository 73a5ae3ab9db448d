"""The errors raised on purpose, told apart by who must act.

    WatchkeeperError
      CallerError      the client that made the request
      OperatorError    the person who runs Watchkeeper
      UpstreamError    the provider
      InternalError    us

Each class has a stable `code`. A message says what happened, what did not happen, and what to do.
They are logged once, where they are answered, never where they are made.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class WatchkeeperError(Exception):
    """Root of every error that is raised on purpose."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    may_retry: ClassVar[bool] = False
    detail: Mapping[str, Any] | None = None
    """The same for programs, as JSON, where there is more than `code` says."""


class CallerError(WatchkeeperError):
    """The request cannot be served as it is; sending it again unchanged will fail again."""

    code = "invalid_request"
    http_status = 400


class OperatorError(WatchkeeperError):
    """Something in the set-up must be changed by the person who runs Watchkeeper."""

    code = "operator"
    http_status = 500


class UpstreamError(WatchkeeperError):
    """A provider failed or could not be reached."""

    code = "upstream_error"
    http_status = 502
    may_retry = True


class InternalError(WatchkeeperError):
    """Watchkeeper itself failed; the call was not answered."""

    code = "internal"
    http_status = 500
    may_retry = True
