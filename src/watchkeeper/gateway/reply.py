"""What the client is told: response headers, errors, and the event that ends a broken stream."""

from typing import Literal, NamedTuple

from watchkeeper.core.call import Call
from watchkeeper.core.money import usd
from watchkeeper.gateway.dialects.openai.replies import Failure
from watchkeeper.gateway.judge import Answer, status_for_client
from watchkeeper.gateway.refusals import Refusal
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.surfaces.openai import error_body
from watchkeeper.gateway.wire.server import Exchange

_FORWARDED = frozenset(
    {b"openai-processing-ms", b"openai-version", b"retry-after", b"retry-after-ms", b"x-should-retry"}
)
"""Upstream headers that mean the same to our client. Rate-limit headers speak of our account, not of theirs."""
_PASSES_THROUGH = frozenset(
    {"bad_request", "context_length", "content_policy", "not_found", "too_large", "rate_limit", "upstream_error"}
)
"""Failures whose upstream body is shown to the client as received, when it is an error in OpenAI's shape."""


class Reply(NamedTuple):
    """What is left to be sent when a call has ended.

    whole: a complete response. finish: the proper end of a stream. cut: a last event, and no proper end. nothing: the
    client has left.
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
                exchange.finish()
            case "cut":
                exchange.write(self.body)
                exchange.abort()
            case "nothing":
                pass


def head_block(call: Call, relay: Relay, overhead_ms: float) -> bytes:
    """Write the headers of an answer. A stream's cost is not known yet, and the header says so."""
    content_type = relay.content_type or b"application/json"
    block = b"content-type: %b\r\n%b%b" % (content_type, _own(call, relay.is_streaming, overhead_ms), _forwarded(relay))
    return block + b"cache-control: no-cache\r\n" if relay.is_streaming else block


def answer_reply(call: Call, relay: Relay | None, answer: Answer) -> Reply:
    """Write the reply of a call that was answered."""
    if relay is None or relay.is_streaming:
        return Reply("finish")
    return Reply("whole", relay.status, head_block(call, relay, call.overhead_ms), answer.body)


def failure_reply(call: Call, relay: Relay | None, failure: Failure) -> Reply:
    """Write the reply of a call whose attempts have failed: the upstream's own error where the caller can act on it."""
    code = failure.code or failure.error_class
    if relay is not None and relay.is_streaming:
        return _cut(_explain(call, failure), code)
    upstream_status = relay.status if relay is not None else 0
    status = status_for_client(failure, upstream_status)
    block = b"content-type: application/json\r\n%b%b" % (_own(call, False, call.overhead_ms), _forwarded(relay))
    if relay is not None and failure.code and status == upstream_status and failure.error_class in _PASSES_THROUGH:
        return Reply("whole", status, block, relay.whole_body())
    return Reply("whole", status, block, error_body(_explain(call, failure), status=status, code=code))


def refusal_reply(call: Call, refusal: Refusal, *, is_streaming: bool) -> Reply:
    """Write the gateway's own error."""
    if is_streaming:
        return _cut(f"{refusal} (call {call.id})", refusal.code)
    block = b"content-type: application/json\r\n%bx-should-retry: %b\r\n" % (
        _own(call, False, call.overhead_ms),
        b"true" if refusal.may_retry else b"false",
    )
    status = refusal.http_status
    body = error_body(
        str(refusal), status=status, code=refusal.code, error_type=refusal.error_type, param=refusal.param
    )
    return Reply("whole", status, block, body)


def _cut(message: str, code: str) -> Reply:
    """The event that tells a stream's reader that what it has is not the whole answer."""
    return Reply("cut", body=b"data: %b\n\n" % error_body(message, status=502, code=code))


def _explain(call: Call, failure: Failure) -> str:
    where = f"{call.attempts[-1].provider}/{call.attempts[-1].model}" if call.attempts else "the gateway"
    return f"{failure.message} ({where}, call {call.id})"


def _own(call: Call, is_streaming: bool, overhead_ms: float) -> bytes:
    if is_streaming:
        cost = "x-wk-cost-status: pending"
    elif call.cost_nusd is None:
        cost = "x-wk-cost-status: unpriced"
    else:
        cost = f"x-wk-cost: {usd(call.cost_nusd)}\r\nx-wk-cost-status: {call.cost_status}"
    call_id = call.id
    return (
        f"x-request-id: {call_id}\r\nx-wk-call-id: {call_id}\r\nx-wk-attempts: {len(call.attempts)}\r\n"
        f"x-wk-overhead-ms: {overhead_ms:.3f}\r\n{cost}\r\n"
    ).encode()


def _forwarded(relay: Relay | None) -> bytes:
    if relay is None or _FORWARDED.isdisjoint(relay.fields):
        return b""
    return b"".join(b"%b: %b\r\n" % pair for pair in relay.headers if pair[0] in _FORWARDED)
