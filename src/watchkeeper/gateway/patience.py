"""How long the client waits, and whether it has asked before: what its library says in its headers."""

import math
from collections.abc import Mapping

SPARED_S = 0.25
"""Of the client's time, for the error to reach it."""

_LIMITS = (b"x-wk-timeout", b"x-litellm-timeout", b"x-stainless-read-timeout", b"x-stainless-timeout")
"""Seconds; the first that is there counts. The libraries of OpenAI and Anthropic send theirs."""
_OWN = (b"x-wk-timeout", b"x-litellm-timeout")


def patience_s(headers: Mapping[bytes, bytes], is_stream: bool) -> float:
    """Return the seconds that a call may take; infinite when the client does not say.

    A library's read timeout counts from one piece of a stream to the next and so bounds plain replies only.
    """
    for name in _OWN if is_stream else _LIMITS:
        value = headers.get(name)
        if value is not None:
            limit_s = _number(value)
            if math.isfinite(limit_s) and limit_s > 0:
                return max(0.1, limit_s - SPARED_S)
    return math.inf


def is_sdk_retry(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether the client's library has made this request before."""
    return headers.get(b"x-stainless-retry-count", b"0") not in (b"0", b"")


def _number(value: bytes) -> float:
    try:
        return float(value)
    except ValueError:
        return math.inf
