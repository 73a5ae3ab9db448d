"""OpenAI's Responses API as upstreams speak it. Bytes pass through; what is read here tells how a reply ended."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.call import ErrorClass
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, is_given
from watchkeeper.gateway.dialects.openai.replies import ErrorView, failure_of
from watchkeeper.gateway.outcome import Answer, Failure, not_a_reply
from watchkeeper.gateway.streams import data_of, split_events
from watchkeeper.money.tiers import tier_of
from watchkeeper.money.usage import from_responses

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})
_MESSAGE_LIMIT = 500

_CLASS_OF_CODE: dict[str, ErrorClass] = {
    "rate_limit_exceeded": "rate_limit",
    "insufficient_quota": "rate_limit",
    "context_length_exceeded": "context_length",
    "string_above_max_length": "context_length",
    "invalid_prompt": "bad_request",
    "invalid_request_error": "bad_request",
    "bio_policy": "content_policy",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "image_content_policy_violation": "content_policy",
    "misalignment_policy_violation": "content_policy",
    "model_not_found": "not_found",
    "server_is_overloaded": "capacity",
    "slow_down": "capacity",
}
"""Codes of an error inside a 200; one that is not here is the upstream's own failure."""


class ResponsesReplyView(Struct, gc=False):
    """What the gateway reads of a response object: a plain reply, or the one inside a stream's last event."""

    model: str | None = None
    status: str | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    output: Raw = ABSENT
    service_tier: Raw = ABSENT


class EndView(Struct, gc=False):
    """The fields of an event that ends a stream. An error stands in the event itself, or in its `error`."""

    type: str = ""
    response: Raw = ABSENT
    error: Raw = ABSENT
    code: str | int | None = None
    message: str | None = None


_reply = msgspec.json.Decoder(ResponsesReplyView).decode
_end = msgspec.json.Decoder(EndView).decode
_error = msgspec.json.Decoder(ErrorView | str).decode


class ResponsesStream:
    """Watches a stream pass by for how it ends, and takes out what cannot be read; see `streams.StreamReader`."""

    __slots__ = (
        "failure", "has_content", "is_done", "is_finished", "model", "service_tier", "skipped", "usage", "usage_raw",
    )  # fmt: skip

    def __init__(self, _keeps_usage: bool) -> None:
        self.usage: Usage | None = None
        self.usage_raw = b""
        self.model = ""
        self.has_content = False
        self.is_finished = False
        self.is_done = False
        self.failure: Failure | None = None
        self.skipped = 0
        self.service_tier = ""

    def feed(self, events: bytes) -> bytes:
        """Take whole events; see `streams.StreamReader.feed`."""
        parts = split_events(events)
        if len(parts) == 1:
            return events if self._keeps(events) else b""
        return b"".join([event for event in parts if self._keeps(event)])

    def end(self) -> bytes:
        """Its last event carries the whole response, which cannot be made up here."""
        return b""

    def _keeps(self, event: bytes) -> bool:
        data = data_of(event)
        if not data or data == b"[DONE]":
            return True
        try:
            found = _end(data)
            kind = found.type or ("error" if is_given(found.error) else "")
            if kind in _ENDS:
                self._end(kind, found, _reply(found.response) if is_given(found.response) else ResponsesReplyView())
        except msgspec.ValidationError:  # JSON, but of another shape: the client may know what it means
            return True
        except UNREADABLE:
            self.skipped += 1
            return False
        if not self.has_content and (kind.endswith(".delta") or kind.startswith("response.output_item")):
            self.has_content = True
        return True

    def _end(self, kind: str, found: EndView, reply: ResponsesReplyView) -> None:
        self.is_done = self.is_finished = self.has_content = True
        self.model = reply.model or self.model
        if is_given(reply.usage):
            self.usage_raw = bytes(reply.usage)
            self.usage = from_responses(self.usage_raw)
            self.service_tier = tier_of(reply.service_tier)
        if kind == "error":
            error = _error_of(found.error) if is_given(found.error) else ErrorView(found.message, None, found.code)
            self.failure = _failure(error, self.usage)
        elif kind == "response.failed":
            if self.failure is None or is_given(reply.error):
                self.failure = _failure(_error_of(reply.error), self.usage)
            else:
                self.failure = self.failure._replace(usage=self.usage)


def read(status: int, body: bytes) -> Answer | Failure:
    """Read a complete reply. An empty list of output items is an answer: a model may spend its limit without a word."""
    if status >= 400:
        return failure_of(status, body)
    try:
        reply = _reply(body)
    except UNREADABLE:
        return not_a_reply(status, body)
    usage = from_responses(bytes(reply.usage)) if is_given(reply.usage) else None
    if is_given(reply.error) or reply.status == "failed":
        return _failure(_error_of(reply.error), usage)
    if memoryview(reply.output)[:1].tobytes() != b"[":
        return Failure("malformed_reply", "no_output", f"The upstream answered {status} without `output`.", usage)
    return Answer(body, reply.model or "", usage, tier_of(reply.service_tier))


def _error_of(raw: Raw) -> ErrorView:
    try:
        error = _error(raw)
    except UNREADABLE:
        return ErrorView()
    return ErrorView(message=error) if isinstance(error, str) else error


def _failure(error: ErrorView, usage: Usage | None) -> Failure:
    code = str(error.code) if error.code is not None else error.type
    message = (error.message or "The response failed without a message")[:_MESSAGE_LIMIT]
    error_class = _CLASS_OF_CODE.get(code or "") or _CLASS_OF_CODE.get(error.type or "") or "upstream_error"
    return Failure(error_class, code, message, usage)
