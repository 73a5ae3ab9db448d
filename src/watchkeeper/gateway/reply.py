"""What the client is told: response headers, errors, and the event that ends a broken stream."""

from typing import Literal, NamedTuple

from watchkeeper.core.call import Call
from watchkeeper.core.money import usd
from watchkeeper.gateway.judge import status_for_client
from watchkeeper.gateway.outcome import Answer, Failure
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.refusals import Refusal
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.surfaces.errors import error_body
from watchkeeper.gateway.wire.server import Exchange

_FORWARDED = frozenset({b"openai-processing-ms", b"openai-version", b"retry-after", b"retry-after-ms"})
"""Upstream headers that mean the same to our client. Rate-limit headers speak of our account, not of theirs."""
_PASSES_THROUGH = frozenset(
    {"bad_request", "context_length", "content_policy", "not_found", "too_large", "rate_limit", "upstream_error"}
)
"""Failures whose upstream body is shown as received to a client that can read it."""
_WORTH_A_RETRY = frozenset(
    {"rate_limit", "timeout", "unreachable", "capacity", "upstream_error", "broken_stream", "malformed_reply"}
)


class Reply(NamedTuple):
    """What is left to be sent when a call has ended.

    whole: a complete response. finish: the rest and the proper end of a stream. cut: a last event, and no proper end.
    nothing: the client has left.
    """

    kind: Literal["whole", "finish", "cut", "nothing"]
    status: int = 0
    headers: bytes = b""
    body: bytes = b""

    def send(self, exchange: Exchange) -> None:
        """Send it; to a client that has left, nothing is sent."""
        match self.kind:
            case "whole":
                exchange.reply(self.status, self.headers, self.body)
            case "finish":
                exchange.write(self.body)
                exchange.finish()
            case "cut":
                exchange.write(self.body)
                exchange.abort()
            case "nothing":
                pass


def head_block(passage: Passage, overhead_ms: float, *, content_type: bytes) -> bytes:
    """Write the headers of an answer. A stream's cost is not known yet, and the header says so."""
    block = b"content-type: %b\r\n%b%b" % (content_type, own_headers(passage, overhead_ms), _forwarded(passage.relay))
    return block + b"cache-control: no-cache\r\n" if passage.is_committed else block


def answer_reply(passage: Passage, answer: Answer) -> Reply:
    """Write the reply of a call that was answered; of a stream the answer's body is what the client still lacks."""
    if passage.is_committed:
        return Reply("finish", body=answer.body)
    relay = passage.relay
    content_type, status = b"application/json", 200
    if relay is not None:
        content_type, status = relay.content_type or content_type, relay.status
    return Reply("whole", status, head_block(passage, passage.call.overhead_ms, content_type=content_type), answer.body)


def made_up_reply(passage: Passage, body: bytes, *, extra: bytes = b"") -> Reply:
    """Write the reply of a call that no upstream has answered: from the cache, or the text that the route states."""
    content_type = b"text/event-stream" if passage.call.is_stream else b"application/json"
    head = b"content-type: %b\r\n%b%b" % (content_type, own_headers(passage, passage.call.overhead_ms), extra)
    return Reply("whole", 200, head, body)


def failure_reply(passage: Passage, failure: Failure) -> Reply:
    """Write the reply of a call whose attempts have failed: the upstream's own error where the caller can act on it."""
    relay, family = passage.relay, passage.room.family
    code = failure.code or failure.error_class
    message = _explain(passage, failure)
    if passage.is_committed:
        return _cut(passage, message, code)
    upstream_status = relay.status if relay is not None else 0
    status = status_for_client(failure, upstream_status)
    retry = b"x-should-retry: %b\r\n" % (b"true" if _is_worth_a_retry(passage, failure) else b"false")
    if passage.retry_after_s:
        retry += b"retry-after: %d\r\n" % max(1, round(passage.retry_after_s))
    head = b"content-type: application/json\r\n%b%b%b" % (
        own_headers(passage, passage.call.overhead_ms),
        _forwarded(relay),
        retry,
    )
    if (
        relay is not None
        and failure.is_readable
        and status == upstream_status
        and failure.error_class in _PASSES_THROUGH
        and passage.call.attempts[-1].dialect == family
    ):
        return Reply("whole", status, head, relay.whole_body())
    return Reply("whole", status, head, error_body(family, message, status=status, code=code, call_id=passage.call.id))


def refusal_reply(passage: Passage, refusal: Refusal) -> Reply:
    """Write the gateway's own error."""
    call = passage.call
    if passage.is_committed:
        return _cut(passage, f"{refusal} (call {call.id})", refusal.code)
    head = b"content-type: application/json\r\n%bx-should-retry: %b\r\n" % (
        own_headers(passage, call.overhead_ms),
        b"true" if refusal.may_retry else b"false",
    )
    if refusal.retry_after_s:
        head += b"retry-after: %d\r\n" % refusal.retry_after_s
    body = error_body(
        passage.room.family,
        str(refusal),
        status=refusal.http_status,
        code=refusal.code,
        error_type=refusal.error_type,
        param=refusal.param,
        call_id=call.id,
    )
    return Reply("whole", refusal.http_status, head, body)


def own_headers(passage: Passage, overhead_ms: float) -> bytes:
    """Write the gateway's own headers."""
    call = passage.call
    if passage.is_committed:
        cost = "x-wk-cost-status: pending"
    elif call.cost_nusd is None:
        cost = "x-wk-cost-status: unpriced"
    else:
        cost = f"x-wk-cost: {usd(call.cost_nusd)}\r\nx-wk-cost-status: {call.cost_status}"
    call_id = call.id
    name = "request-id" if passage.room.family == "anthropic" else "x-request-id"
    return (
        f"{name}: {call_id}\r\nx-wk-call-id: {call_id}\r\nx-wk-attempts: {len(call.attempts)}\r\n"
        f"x-wk-overhead-ms: {overhead_ms:.3f}\r\n{_where(passage)}{_under(call)}{cost}\r\n"
    ).encode() + (passage.tab.headers if passage.tab is not None else b"")


def _under(call: Call) -> str:
    """Name the release that served the call, whether its answer was mended, and whether what is known is old."""
    if not (call.release or call.is_stale):
        return ""
    told = f"x-wk-release: {call.release}\r\n" if call.release else ""
    if call.output_status:
        told += f"x-wk-output: {call.output_status}\r\n"
    return told + "x-wk-stale: true\r\n" if call.is_stale else told


def _where(passage: Passage) -> str:
    """Name the target that answers, where another one might have."""
    call = passage.call
    if passage.cache_key or call.served_from == "cache":
        told = "x-wk-cache: hit\r\n" if call.served_from in ("cache", "stale_cache") else "x-wk-cache: miss\r\n"
    else:
        told = ""
    if len(call.attempts) > 1:
        last = call.attempts[-1]
        told += f"x-wk-target: {last.provider}/{last.model}\r\n"
    return told


def _cut(passage: Passage, message: str, code: str) -> Reply:
    """The event that tells a stream's reader that what it has is not the whole answer."""
    return Reply("cut", body=passage.room.error_event(message, code, passage.call.id))


def _is_worth_a_retry(passage: Passage, failure: Failure) -> bool:
    """A client's library need not try again what the gateway has tried again already."""
    if failure.error_class not in _WORTH_A_RETRY:
        return False
    relay = passage.relay
    if relay is not None and relay.fields.get(b"x-should-retry") == b"false":
        return False
    return len(passage.call.attempts) <= 1


def _explain(passage: Passage, failure: Failure) -> str:
    call = passage.call
    where = f"{call.attempts[-1].provider}/{call.attempts[-1].model}, " if call.attempts else ""
    return f"{failure.message} ({where}call {call.id})"


def _forwarded(relay: Relay | None) -> bytes:
    if relay is None or _FORWARDED.isdisjoint(relay.fields):
        return b""
    return b"".join(b"%b: %b\r\n" % pair for pair in relay.headers if pair[0] in _FORWARDED)
