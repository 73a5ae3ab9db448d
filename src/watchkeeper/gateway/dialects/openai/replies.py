"""OpenAI's API as upstreams speak it, and every server compatible with it."""

from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.call import ErrorClass, Surface
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE
from watchkeeper.money.usage import OpenAIUsage

PATHS: dict[Surface, str] = {"chat": "/chat/completions", "embeddings": "/embeddings"}

DONE = b"data: [DONE]"
_DONE_TIGHT = b"data:[DONE]"
_MESSAGE_LIMIT = 500


class Failure(NamedTuple):
    """Why an upstream's reply is not an answer."""

    error_class: ErrorClass
    code: str | None
    message: str
    usage: Usage | None = None
    """What the upstream says that it took all the same."""


class ReplyView(Struct, gc=False):
    """What the gateway reads of a complete reply."""

    model: str | None = None
    usage: OpenAIUsage | None = None
    error: Raw = ABSENT
    choices: Raw = ABSENT
    data: Raw = ABSENT


class ChunkView(Struct, gc=False):
    """What the gateway reads of a stream's chunk, when it reads it at all."""

    model: str | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    choices: list[Raw] | None = None


class ChoiceView(Struct, gc=False):
    """What tells whether a choice has ended."""

    index: int = 0
    finish_reason: str | None = None


class ChoicesView(Struct, gc=False):
    """The choices of a chunk."""

    choices: list[ChoiceView] = []


class ErrorView(Struct, gc=False):
    """The fields of an error object; servers differ in their types."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class ErrorReply(Struct, gc=False):
    """A body that carries an error, as an object or as plain text."""

    error: ErrorView | str


class ReplyWithoutUsage(Struct, gc=False):
    """A reply whose usage is not what it should be; the answer is an answer all the same."""

    model: str | None = None
    error: Raw = ABSENT
    choices: Raw = ABSENT
    data: Raw = ABSENT
    usage: Raw = ABSENT


_reply = msgspec.json.Decoder(ReplyView, strict=False).decode
_reply_without_usage = msgspec.json.Decoder(ReplyWithoutUsage).decode
chunk_of = msgspec.json.Decoder(ChunkView).decode
_choices = msgspec.json.Decoder(ChoicesView).decode
_error_reply = msgspec.json.Decoder(ErrorReply).decode

_CLASS_OF_CODE: dict[str, ErrorClass] = {
    "context_length_exceeded": "context_length",
    "exceed_context_size_error": "context_length",
    "string_above_max_length": "context_length",
    "content_policy_violation": "content_policy",
    "content_filter": "content_policy",
    "insufficient_quota": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "model_not_found": "not_found",
}


def request_head(*, path: str, host: str, api_key: str) -> bytes:
    """Write the part of a request's head that is the same for every call of a provider and surface."""
    authorization = f"authorization: Bearer {api_key}\r\n" if api_key else ""
    return f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}content-type: application/json\r\n".encode()


def reply_of(body: bytes) -> ReplyView:
    """Read a complete reply.

    Raises:
        any of `UNREADABLE`: it is not a JSON object with fields of the right types.
    """
    try:
        return _reply(body)
    except msgspec.ValidationError:
        found = _reply_without_usage(body)
        return ReplyView(model=found.model, error=found.error, choices=found.choices, data=found.data)


def failure_of(status: int, body: bytes) -> Failure:
    """Classify a reply that is not an answer: a status of 400 and above, or an error inside a 200."""
    try:
        error = _error_reply(body).error
    except UNREADABLE:
        text = body[:_MESSAGE_LIMIT].decode(errors="replace")
        return Failure(_class_of_status(status), None, " ".join(text.split()) or f"status {status} without a body")
    if isinstance(error, str):
        error = ErrorView(message=error)
    code = str(error.code) if error.code is not None else error.type
    message = (error.message or f"status {status} without a message")[:_MESSAGE_LIMIT]
    by_code = _CLASS_OF_CODE.get(code or "") or _CLASS_OF_CODE.get(error.type or "")
    return Failure(by_code or _class_of_status(status), code, message)


def is_done(events: bytes) -> bool:
    """Tell whether whole events contain the stream's terminator."""
    return any(events.startswith(mark) or b"\n" + mark in events for mark in (DONE, _DONE_TIGHT))


def has_finished(stream: bytes) -> bool:
    """Tell whether a stream without a terminator is whole all the same: every choice names a finish reason."""
    finished: dict[int, bool] = {}
    for line in stream.splitlines():
        if line.startswith(b"data:"):
            try:
                choices = _choices(line[5:]).choices
            except UNREADABLE:
                continue
            for choice in choices:
                finished[choice.index] = finished.get(choice.index, False) or choice.finish_reason is not None
    return bool(finished) and all(finished.values())


def _class_of_status(status: int) -> ErrorClass:
    match status:
        case 401 | 403:
            return "upstream_auth"
        case 404:
            return "not_found"
        case 408 | 504:
            return "timeout"
        case 413:
            return "too_large"
        case 429:
            return "rate_limit"
        case 503 | 529:
            return "capacity"
        case _ if 400 <= status < 500:
            return "bad_request"
        case _:
            return "upstream_error"
