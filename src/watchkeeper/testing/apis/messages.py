"""Anthropic's Messages, whole and in named events, and the counting of their tokens."""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import Event, Refusal, Said, input_tokens, renamed_usage, signature_of, tokens_of, written

OVERLOADED = 529
START_TOKENS = 1
"""Output tokens that a stream's first event reports, before there are any to count."""
BROKEN = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","te'

STOP_REASONS = MappingProxyType(
    {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
)
ERROR_TYPES = MappingProxyType(
    {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        504: "timeout_error",
        OVERLOADED: "overloaded_error",
    }
)
WORDS = MappingProxyType(
    {
        "context_length_exceeded": "prompt is too long: 9 tokens > 8 maximum",
        "content_policy_violation": "Output blocked by content filtering policy",
    }
)
_CODE_STATUSES = MappingProxyType({"overloaded": OVERLOADED, "rate_limit_exceeded": 429})
_OPENAI_TYPES = frozenset({"server_error", "invalid_request_error", "rate_limit_error"})


class Messages:
    """Anthropic's Messages. A finish reason in OpenAI's words is said in its own; any other is left as it is."""

    def document(self, asked: Asked, said: Said) -> Json:
        """Write a whole message."""
        return {
            **_opening(asked, said),
            "content": [whole for whole, _ in _blocks(said)],
            **_stop(asked, said),
            **_reported(_usage(asked, said), said),
        }

    def events(self, asked: Asked, said: Said) -> list[Event]:
        """Write a message as a stream."""
        usage = _usage(asked, said)
        first: Json = {**_opening(asked, said), "content": [], "stop_reason": None, "stop_sequence": None}
        first |= _reported(_first_usage(usage, said), said)
        events = [_event({"type": "message_start", "message": first})]
        for index, (whole, deltas) in enumerate(_blocks(said)):
            events += _block_events(index, _emptied(whole), list(deltas))
            if index == 0 and said.has_ping:
                events.insert(2, _event({"type": "ping"}))
        last = usage if said.reports_usage != "asked" else {"output_tokens": usage.get("output_tokens")}
        events.append(_event({"type": "message_delta", "delta": _stop(asked, said), **_reported(last, said)}))
        return [*events, _stopped()] if said.is_terminated else events

    def refused(self, asked: Asked, refusal: Refusal) -> tuple[int, Json]:
        """Write an error with the status that Anthropic has for it."""
        status = OVERLOADED if refusal.code == "overloaded" else refusal.status
        return status, _error(asked, replace(refusal, status=status))

    def failed(self, asked: Asked, refusal: Refusal, _sent: list[Event]) -> list[Event]:
        """Write an error as an event."""
        status = _CODE_STATUSES.get(refusal.code or "", refusal.status)
        return [_event(_error(asked, replace(refusal, status=status))), _stopped()]

    def broken(self, data: bytes) -> Event:
        """Put what is not JSON where a piece of text would be."""
        return Event(data=data or BROKEN, name="content_block_delta")


class Counting(Messages):
    """The counting of a message's tokens: words, as everywhere here."""

    def document(self, asked: Asked, _said: Said) -> Json:
        """Write the count."""
        return {"input_tokens": input_tokens(asked)}


def _opening(asked: Asked, said: Said) -> Json:
    model = said.model or asked.model
    return {"id": f"msg_scripted_{asked.number}", "type": "message", "role": "assistant", "model": model}


def _blocks(said: Said) -> Iterator[tuple[Json, Iterator[tuple[Json, int]]]]:
    """Yield each content block, whole and as deltas with the tokens that each brings."""
    if said.thinking:
        signature = signature_of(said.thinking)
        yield {"type": "thinking", "thinking": said.thinking, "signature": signature}, _thinking(said, signature)
    if said.text:
        texts = (({"type": "text_delta", "text": token}, 1) for token in tokens_of(said.text))
        yield {"type": "text", "text": said.text}, texts
    for tool in said.tools:
        pieces = (({"type": "input_json_delta", "partial_json": piece}, 0) for piece in ["", *tool.fragments])
        yield {"type": "tool_use", "id": tool.id, "name": tool.name, "input": tool.arguments}, pieces


def _thinking(said: Said, signature: str) -> Iterator[tuple[Json, int]]:
    for token in tokens_of(said.thinking):
        yield {"type": "thinking_delta", "thinking": token}, 1
    yield {"type": "signature_delta", "signature": signature}, 0


def _emptied(block: Json) -> Json:
    """Return a block as it is before its first delta."""
    match block["type"]:
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "text":
            return {**block, "text": ""}
        case _:
            return {**block, "input": {}}


def _block_events(index: int, start: Json, deltas: list[tuple[Json, int]]) -> list[Event]:
    return [
        _event({"type": "content_block_start", "index": index, "content_block": start}),
        *(
            _event({"type": "content_block_delta", "index": index, "delta": delta}, tokens=tokens)
            for delta, tokens in deltas
        ),
        _event({"type": "content_block_stop", "index": index}),
    ]


def _stop(asked: Asked, said: Said) -> Json:
    reason = STOP_REASONS.get(said.reason, said.reason)
    asked_for = asked.json.get("stop_sequences")
    sequence = asked_for[0] if reason == "stop_sequence" and isinstance(asked_for, list) and asked_for else None
    return {"stop_reason": reason, "stop_sequence": sequence}


def _usage(asked: Asked, said: Said) -> Json:
    if said.usage is not None:
        return renamed_usage(said.usage)
    return {
        "input_tokens": input_tokens(asked),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": said.output_tokens,
    }


def _first_usage(usage: Json, said: Said) -> Json:
    """Return what a stream's first event says of usage."""
    if said.reports_usage == "last_choice":
        return {"input_tokens": 0, "output_tokens": 0}
    return {**usage, "output_tokens": START_TOKENS}


def _reported(usage: Json, said: Said) -> Json:
    return {} if said.reports_usage == "missing" else {"usage": usage}


def _error(asked: Asked, refusal: Refusal) -> Json:
    by_status = ERROR_TYPES.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
    kind = by_status if refusal.error_type in _OPENAI_TYPES else refusal.error_type
    message = WORDS.get(refusal.code or "", refusal.message)
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": f"req_scripted_{asked.number}"}


def _stopped() -> Event:
    return _event({"type": "message_stop"})


def _event(document: Json, *, tokens: int = 0) -> Event:
    return Event(data=written(document), tokens=tokens, name=document["type"])
