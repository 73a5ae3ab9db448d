"""The objects of the Responses API as its clients expect them: the response, its items, their content, its usage."""

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, is_given
from watchkeeper.gateway.neutral import Declined, Stop, Text, Thinking, ToolUse
from watchkeeper.gateway.surfaces.responses.sealing import sealed

Json = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]

_ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""Fields of the request that a response repeats, with what stands there when the client did not say."""

_ERROR_CODES = frozenset({"server_error", "rate_limit_exceeded", "invalid_prompt"})
"""Codes of a failed response that its clients know and that can be meant here."""

_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class Envelope(Struct, frozen=True):
    """What is the same in every state of one response."""

    reply_id: str
    created_s: int
    """Unix time."""
    echo: Json
    """As `echo_of` returns it."""

    def response(
        self, model: str, output: list[Json], *, status: str, reason: str = "", usage: Usage | None = None
    ) -> Json:
        """Write the response in one state; `reason` says why it is incomplete."""
        return {
            "id": self.reply_id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": model,
            "output": output,
            "previous_response_id": None,
            "store": False,
            "top_logprobs": 0,
            **self.echo,
            "usage": None if usage is None else usage_object(usage),
        }

    def item_id(self, prefix: str, index: int) -> str:
        """Name an output item; the names are the same whenever the same reply is written."""
        return f"{prefix}_{self.reply_id.removeprefix('resp_')}_{index}"


def echo_of(body: bytes) -> Json:
    """Read what a response repeats of its request; of a body that cannot be read, the defaults."""
    try:
        given = _fields(body)
    except UNREADABLE:
        return _ECHOED
    return {name: given[name] if is_given(given.get(name, ABSENT)) else default for name, default in _ECHOED.items()}


def ending(stop: Stop | None, *, has_declined: bool) -> str:
    """Say why a response is incomplete; empty when it is complete.

    A model that would not answer and said nothing of it is told apart from one that had nothing to say.
    """
    match stop:
        case "length":
            return "max_output_tokens"
        case "filtered":
            return "content_filter"
        case "declined" if not has_declined:
            return "content_filter"
        case _:
            return ""


def text_part(text: str) -> Json:
    """Write a piece of a message's text."""
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def refusal_part(text: str) -> Json:
    """Write a model's refusal."""
    return {"type": "refusal", "refusal": text}


def content_part(part: Text | Declined) -> Json:
    """Write a piece of a message."""
    return text_part(part.text) if isinstance(part, Text) else refusal_part(part.text)


def message_item(item_id: str, content: list[Json], status: Status) -> Json:
    """Write a message of the model."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(item_id: str, tool: ToolUse, status: Status) -> Json:
    """Write a tool that the model asks for."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": tool.id,
        "name": tool.name,
        "arguments": tool.arguments,
    }


def reasoning_item(item_id: str, thinking: Thinking) -> Json:
    """Write the model's reasoning; what only its provider can read goes back to it with the client's next request."""
    summary = [{"type": "summary_text", "text": thinking.text}] if thinking.text else []
    return {"id": item_id, "type": "reasoning", "summary": summary, "encrypted_content": sealed(thinking)}


def usage_object(usage: Usage) -> Json:
    """Write usage as this API counts it: parts within their totals."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.output_reasoning},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def error_object(message: str, code: str) -> Json:
    """Write the error of a failed response; its clients know a closed set of codes."""
    return {"code": code if code in _ERROR_CODES else "server_error", "message": message}
