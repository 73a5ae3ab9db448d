"""Requests that the wire answers itself, because they cannot be read safely. Each one ends its connection."""

from typing import ClassVar

import msgspec

from watchkeeper.core.errors import CallerError


class Rejection(CallerError):
    """Root of the wire's own refusals; the message is shown to the client."""

    code = "invalid_http"
    http_status = 400
    error_type: ClassVar[str] = "invalid_request_error"
    """OpenAI's `error.type`."""

    def body(self) -> bytes:
        """Write the error in OpenAI's shape."""
        error = {"message": str(self), "type": self.error_type, "param": None, "code": self.code}
        return msgspec.json.encode({"error": error})


class BadRequest(Rejection):
    """The bytes are not a well-formed HTTP/1.1 request, or can be read in two ways."""


class RequestTimeout(Rejection):
    """The request did not arrive in time."""

    code = "request_timeout"
    http_status = 408
    may_retry = True


class BodyTooLarge(Rejection):
    """The body is longer than this server takes."""

    code = "body_too_large"
    http_status = 413


class TargetTooLong(Rejection):
    """The path and query are longer than this server takes."""

    code = "target_too_long"
    http_status = 414


class ExpectationUnknown(Rejection):
    """The request expects something other than `100-continue`."""

    code = "expectation_unknown"
    http_status = 417


class HeadTooLarge(Rejection):
    """The header fields are too many or too long."""

    code = "headers_too_large"
    http_status = 431


class CodingUnknown(Rejection):
    """The body is in a transfer coding other than `chunked`."""

    code = "transfer_coding_unknown"
    http_status = 501


class VersionUnsupported(Rejection):
    """The request is not in HTTP/1.0 or HTTP/1.1."""

    code = "http_version_unsupported"
    http_status = 505


class Overloaded(Rejection):
    """The server holds as much as it may; the same request may succeed a moment later."""

    code = "overloaded"
    http_status = 503
    may_retry = True
    error_type = "server_error"
