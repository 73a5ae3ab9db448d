"""Counts tokens roughly where an upstream did not say: after a cut, a cancellation, or a reply without usage.

Four characters to a token is OpenAI's published rule of thumb for English. The result is always marked `estimated`.
"""

from typing import Any

import msgspec

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import UNREADABLE

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 85
"""OpenAI's count for one image at low detail; the true size is not known here."""

_json = msgspec.json.Decoder()


def estimate(request_body: bytes, reply_body: bytes, *, is_stream: bool) -> Usage:
    """Estimate the usage of a call from what was sent and what came back; reasoning and caching cannot be seen."""
    request = _decode(request_body)
    sent = _input_tokens(request) if isinstance(request, dict) else 0
    replies = _chunks(reply_body) if is_stream else [_decode(reply_body)]
    received = sum(_reply_characters(reply) for reply in replies if isinstance(reply, dict))
    return Usage(input_uncached=sent, output_text=_tokens(received))


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _decode(data: bytes) -> Any:
    try:
        return _json.decode(data)
    except UNREADABLE:
        return None


def _chunks(body: bytes) -> list[Any]:
    return [_decode(line[5:].strip()) for line in body.splitlines() if line.startswith(b"data:")]


def _input_tokens(request: dict[str, Any]) -> int:
    images = characters = 0
    for message in _items(request.get("messages")):
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            characters += len(content)
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                characters += len(part["text"])
            elif isinstance(part, dict) and part.get("type") == "image_url":
                images += 1
    source = request.get("input")
    for text in source if isinstance(source, list) else [source]:
        characters += _length(text)
    return _tokens(characters) + images * TOKENS_PER_IMAGE


def _reply_characters(reply: dict[str, Any]) -> int:
    total = 0
    for choice in _items(reply.get("choices")):
        message = (choice.get("delta") or choice.get("message")) if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            continue
        for name in ("content", "reasoning_content", "refusal"):
            total += _length(message.get(name))
        for tool_call in _items(message.get("tool_calls")):
            function = tool_call.get("function") if isinstance(tool_call, dict) else None
            if isinstance(function, dict):
                total += sum(_length(function.get(name)) for name in ("name", "arguments"))
    return total


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else 0
