"""Decides what an attempt amounted to: an answer, or a failure with a class and a status for the client."""

import zlib
from collections.abc import Callable

from watchkeeper.core.call import ErrorClass
from watchkeeper.gateway.outcome import Answer, Failure
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

_LIMITS = {
    "first_token": "did not begin to answer in time",
    "reply": "did not answer in time",
    "idle": "went silent in the middle of its reply",
    "total": "had not answered when the call's time was up",
}


def judge(relay: Relay, read: Callable[[int, bytes], Answer | Failure]) -> Answer | Failure:
    """Read how an attempt ended, a plain reply with `read`. The relay must have ended, and not by the client."""
    match relay.end:
        case "whole":
            return _stream(relay) if relay.is_stream else _plain(relay, read)
        case "fault" if relay.is_stream and relay.reader is not None and relay.reader.is_done:
            # The upstream said that it was done and then did not end its response properly; the answer is whole.
            return _stream(relay)
        case "fault":
            fault = relay.fault
            assert fault is not None
            return _with_usage(Failure(FAULT_CLASSES[type(fault)], fault.code, str(fault)), relay)
        case "expired":
            failure = Failure("timeout", f"{relay.limit}_timeout", f"The upstream {_LIMITS[relay.limit]}.")
            return _with_usage(failure, relay)
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


def _with_usage(failure: Failure, relay: Relay) -> Failure:
    return failure._replace(usage=relay.reader.usage) if relay.is_stream and relay.reader is not None else failure


def _stream(relay: Relay) -> Answer | Failure:
    reader = relay.reader
    assert reader is not None
    if reader.failure is not None:
        return reader.failure._replace(usage=reader.usage)
    if not (reader.is_done or reader.is_finished):
        message = "The upstream ended the stream without a finish reason or its terminator."
        return Failure("broken_stream", "stream_cut", message, reader.usage)
    if not reader.has_content and reader.skipped:
        message = "The upstream's stream could not be read."
        return Failure("malformed_reply", "unreadable_stream", message, reader.usage)
    return Answer(b"", reader.model, reader.usage, reader.service_tier)


def _plain(relay: Relay, read: Callable[[int, bytes], Answer | Failure]) -> Answer | Failure:
    try:
        body = relay.whole_body()
    except zlib.error:
        message = "The upstream's reply says that it is compressed and is not."
        return Failure("malformed_reply", "bad_compression", message)
    if 300 <= relay.status < 400:
        message = f"The upstream answered {relay.status}, a redirect, which the gateway does not follow."
        return Failure("malformed_reply", "redirect", message)
    return read(relay.status, body)
