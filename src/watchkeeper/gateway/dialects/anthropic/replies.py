"""Plain replies of the Messages API whose bytes pass through."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, has_items, is_given
from watchkeeper.gateway.dialects.anthropic.reading import failure_of
from watchkeeper.gateway.outcome import Answer, Failure, not_a_reply
from watchkeeper.money.tiers import tier_in
from watchkeeper.money.usage import from_anthropic


class _Reply(Struct, gc=False):
    model: str | None = None
    content: Raw = ABSENT
    stop_reason: str | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT


class _Count(Struct, gc=False):
    input_tokens: int | None = None
    error: Raw = ABSENT


_reply_of = msgspec.json.Decoder(_Reply).decode
_count_of = msgspec.json.Decoder(_Count).decode


def read(status: int, body: bytes) -> Answer | Failure:
    """Read a message."""
    if status >= 400:
        return failure_of(status, body)
    try:
        reply = _reply_of(body)
    except UNREADABLE:
        return not_a_reply(status, body)
    usage = from_anthropic(bytes(reply.usage)) if is_given(reply.usage) else None
    if is_given(reply.error):
        return failure_of(status, body)._replace(usage=usage)
    if not has_items(reply.content) and reply.stop_reason is None:  # an empty list is an answer when it says why
        return Failure("malformed_reply", "no_content", f"The upstream answered {status} without `content`.", usage)
    return Answer(body, reply.model or "", usage, tier_in(bytes(reply.usage)) if usage is not None else "")


def read_count(status: int, body: bytes) -> Answer | Failure:
    """Read a count of tokens; counting uses none."""
    if status >= 400:
        return failure_of(status, body)
    try:
        count = _count_of(body)
    except UNREADABLE:
        return not_a_reply(status, body)
    if is_given(count.error):
        return failure_of(status, body)
    if count.input_tokens is None:
        return Failure("malformed_reply", "no_count", f"The upstream answered {status} without `input_tokens`.")
    return Answer(body, "", Usage())
