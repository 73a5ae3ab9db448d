"""OpenAI's API as upstreams speak it, and every server compatible with it."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.call import ErrorClass
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, has_items, is_given
from watchkeeper.gateway.outcome import Answer, Failure, class_of_status, not_a_reply
from watchkeeper.money.tiers import tier_of
from watchkeeper.money.usage import OpenAIUsage, disjoint

_MESSAGE_LIMIT = 500


class ReplyView(Struct, gc=False):
    """What the gateway reads of a complete reply."""

    model: str | None = None
    usage: OpenAIUsage | None = None
    error: Raw = ABSENT
    choices: Raw = ABSENT
    data: Raw = ABSENT
    service_tier: Raw = ABSENT


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
        return Failure(class_of_status(status), None, " ".join(text.split()) or f"status {status} without a body")
    if isinstance(error, str):
        error = ErrorView(message=error)
    code = str(error.code) if error.code is not None else error.type
    message = (error.message or f"status {status} without a message")[:_MESSAGE_LIMIT]
    by_code = _CLASS_OF_CODE.get(code or "") or _CLASS_OF_CODE.get(error.type or "")
    return Failure(by_code or class_of_status(status), code, message, is_readable=True)


def read(status: int, body: bytes) -> Answer | Failure:
    """Read a plain reply whose bytes pass through."""
    if status >= 400:
        return failure_of(status, body)
    try:
        reply = reply_of(body)
    except UNREADABLE:
        return not_a_reply(status, body)
    usage = disjoint(reply.usage) if reply.usage is not None else None
    if is_given(reply.error):
        return failure_of(status, body)._replace(usage=usage)
    if not (has_items(reply.choices) or has_items(reply.data)):
        message = f"The upstream answered {status} without `choices` or `data`."
        return Failure("malformed_reply", "no_choices", message, usage)
    return Answer(body, reply.model or "", usage, tier_of(reply.service_tier))
