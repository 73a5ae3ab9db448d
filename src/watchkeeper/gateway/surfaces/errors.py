"""Errors as each family of clients expects them."""

from typing import Literal

import msgspec

Family = Literal["openai", "anthropic"]

_write = msgspec.json.Encoder().encode

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(
    family: Family,
    message: str,
    *,
    status: int,
    code: str | None,
    error_type: str = "",
    param: str | None = None,
    call_id: str = "",
) -> bytes:
    """Write an error document; `error_type` is OpenAI's, and worked out from the status when empty."""
    if family == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
        # Anthropic's errors have neither code nor param; a client that does not know them passes over them.
        error = {"type": kind, "message": message, "code": code, "param": param}
        return _write({"type": "error", "error": error, "request_id": call_id or None})
    if not error_type:
        error_type = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return _write({"error": {"message": message, "type": error_type, "param": param, "code": code}})


def openai_event(message: str, code: str, call_id: str) -> bytes:
    """Write the event that tells a stream's reader that what it has is not the whole answer."""
    return b"data: %b\n\n" % error_body("openai", message, status=502, code=code, call_id=call_id)


def anthropic_event(message: str, code: str, call_id: str) -> bytes:
    """Write the same for a client of the Messages API."""
    return b"event: error\ndata: %b\n\n" % error_body("anthropic", message, status=502, code=code, call_id=call_id)
