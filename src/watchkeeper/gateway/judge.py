"""Decides what an attempt amounted to: an answer, or a failure with a class and a status for the client."""

import zlib
from typing import NamedTuple

from watchkeeper.core.call import ErrorClass
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import UNREADABLE, has_items, is_given
from watchkeeper.gateway.dialects.openai import replies as openai
from watchkeeper.gateway.dialects.openai.replies import Failure
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.wire.client import (
    BodyCut,
    ConnectFailed,
    ConnectionLost,
    ConnectRefused,
    ConnectTimeout,
    MalformedResponse,
    NameUnresolved,
    PoolFull,
    TlsFailed,
    WireFault,
)
from watchkeeper.money.usage import disjoint, from_openai

FAULT_CLASSES: dict[type[WireFault], ErrorClass] = {
    ConnectTimeout: "timeout",
    ConnectFailed: "unreachable",
    NameUnresolved: "unreachable",
    ConnectRefused: "unreachable",
    TlsFailed: "unreachable",
    ConnectionLost: "unreachable",
    BodyCut: "broken_stream",
    MalformedResponse: "malformed_reply",
    PoolFull: "capacity",
}
"""Every way the wire can fail, as a class of failed call; a test fails on one that is missing."""

FALLS_BACK: frozenset[ErrorClass] = frozenset(
    {
        "unreachable",
        "timeout",
        "rate_limit",
        "capacity",
        "upstream_auth",
        "upstream_error",
        "malformed_reply",
        "broken_stream",
    }
)
"""Failures after which the route's next target is tried, as long as nothing has reached the client."""

_STATUS: dict[ErrorClass, int] = {
    "unreachable": 502,
    "timeout": 504,
    "rate_limit": 429,
    "capacity": 503,
    "upstream_auth": 502,
    "upstream_error": 502,
    "broken_stream": 502,
    "malformed_reply": 502,
}


class Answer(NamedTuple):
    """A complete reply."""

    body: bytes
    model: str
    usage: Usage | None
    """None when the upstream did not say, or said something that cannot be read."""


def judge(relay: Relay) -> Answer | Failure:
    """Read how an attempt ended. Call it once the relay has ended, and not for a cancelled one."""
    match relay.end:
        case "whole":
            return _stream(relay) if relay.is_streaming else _plain(relay)
        case "fault" if relay.saw_done:
            # The upstream said that it was done and then did not end its response properly; the answer is whole.
            return _stream(relay)
        case "fault":
            return _fault(relay)
        case "expired":
            phase = "went silent in the middle of its reply" if relay.first_byte_at else "did not answer in time"
            return Failure("timeout", "upstream_timeout", f"The upstream {phase}.", _usage_so_far(relay))
        case "overrun":
            return Failure(
                "malformed_reply", "reply_too_large", "The upstream's reply is larger than the gateway holds."
            )
        case "cancelled":
            raise ValueError("a cancelled attempt is not judged")


def status_for_client(failure: Failure, upstream_status: int) -> int:
    """Choose the HTTP status of an error: the upstream's own where the caller can act on it, else a gateway status."""
    chosen = _STATUS.get(failure.error_class)
    if failure.error_class == "upstream_error" and upstream_status >= 500:
        return upstream_status
    if chosen is None:
        return upstream_status if upstream_status >= 400 else 502
    return chosen


def _fault(relay: Relay) -> Failure:
    fault = relay.fault
    assert fault is not None
    return Failure(FAULT_CLASSES[type(fault)], fault.code, str(fault), _usage_so_far(relay))


def _usage_so_far(relay: Relay) -> Usage | None:
    return from_openai(relay.usage) if relay.usage else None


def _stream(relay: Relay) -> Answer | Failure:
    usage = _usage_so_far(relay)
    if relay.stream_error:
        return openai.failure_of(200, relay.stream_error)._replace(error_class="upstream_error", usage=usage)
    if not relay.saw_done and not openai.has_finished(b"".join(relay.body)):
        message = "The upstream ended the stream without a finish reason or [DONE]."
        return Failure("broken_stream", "stream_cut", message, usage)
    return Answer(b"", relay.model, usage)


def _plain(relay: Relay) -> Answer | Failure:
    try:
        body = relay.whole_body()
    except zlib.error:
        message = "The upstream's reply says that it is compressed and is not."
        return Failure("malformed_reply", "bad_compression", message)
    if relay.status >= 400:
        return openai.failure_of(relay.status, body)
    if relay.status >= 300:
        message = f"The upstream answered {relay.status}, a redirect, which the gateway does not follow."
        return Failure("malformed_reply", "redirect", message)
    try:
        reply = openai.reply_of(body)
    except UNREADABLE:
        start = " ".join(body[:80].decode(errors="replace").split())
        message = f"The upstream answered {relay.status} with something that is not a reply: {start}"
        return Failure("malformed_reply", "not_json", message)
    usage = disjoint(reply.usage) if reply.usage is not None else None
    if is_given(reply.error):
        return openai.failure_of(relay.status, body)._replace(usage=usage)
    if not (has_items(reply.choices) or has_items(reply.data)):
        message = f"The upstream answered {relay.status} without `choices` or `data`."
        return Failure("malformed_reply", "no_choices", message, usage)
    return Answer(body, reply.model or "", usage)
