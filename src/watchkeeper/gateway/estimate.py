"""Counts tokens roughly where an upstream did not say: after a cut, a cancellation, or a reply without usage.

Four characters to a token is OpenAI's published rule of thumb for English. The result is always marked `estimated`.
Requests and replies of every dialect are read alike: by the names under which they carry text.
"""

from typing import Any

import msgspec

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import UNREADABLE

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 85
"""OpenAI's count for one image at low detail; the true size is not known here."""

_ASKED = ("messages", "input", "prompt", "system", "instructions")
"""Fields of a request that hold what the model reads."""
_TEXTS = frozenset({"content", "text", "arguments", "output", "thinking"})
_IMAGES = frozenset({"image_url", "image", "input_image"})
_SAID = frozenset(
    {
        "content", "reasoning_content", "refusal", "name", "arguments", "text", "thinking", "partial_json", "delta",
    }
)  # fmt: skip
"""Names of what the model says, whole or in pieces."""
_DEPTH_MAX = 12

_json = msgspec.json.Decoder()


def estimate(request_body: bytes, reply_body: bytes, *, is_stream: bool) -> Usage:
    """Estimate the usage of a call from what was sent and what came back; reasoning and caching cannot be seen."""
    replies = _chunks(reply_body) if is_stream else [_decode(reply_body)]
    received = sum(_said(reply, 0) for reply in replies if not _repeats(reply))
    return Usage(input_uncached=input_tokens(request_body), output_text=_tokens(received))


def input_tokens(request_body: bytes) -> int:
    """Estimate how long a request is."""
    request = _decode(request_body)
    if not isinstance(request, dict):
        return 0
    characters = images = 0
    for name in _ASKED:
        more, pictures = _read(request.get(name), 0)
        characters += more
        images += pictures
    return _tokens(characters) + images * TOKENS_PER_IMAGE


def asked_of(request_body: bytes) -> dict[str, bool]:
    """Tell whether a request offers tools, and whether it brings images."""
    request = _decode(request_body)
    if not isinstance(request, dict):
        return {"tools": False, "images": False}
    images = sum(_read(request.get(name), 0)[1] for name in _ASKED)
    return {"tools": bool(request.get("tools")), "images": images > 0}


def last_words(request_body: bytes) -> str:
    """Return the text of the last user turn; of the whole input where there are no turns."""
    request = _decode(request_body)
    if not isinstance(request, dict):
        return ""
    turns = request.get("messages") or request.get("input") or request.get("prompt")
    if isinstance(turns, str):
        return turns
    if not isinstance(turns, list):
        return ""
    mine = [turn for turn in turns if isinstance(turn, dict) and turn.get("role") == "user"]
    return _words(mine[-1].get("content"), 0) if mine else ""


def _words(found: Any, depth: int) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list) and depth < _DEPTH_MAX:
        return " ".join(_words(part, depth + 1) for part in found)
    return _words(found.get("text"), depth + 1) if isinstance(found, dict) and depth < _DEPTH_MAX else ""


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _decode(data: bytes) -> Any:
    try:
        return _json.decode(data)
    except UNREADABLE:
        return None


def _chunks(body: bytes) -> list[Any]:
    return [_decode(line[5:].strip()) for line in body.splitlines() if line.startswith(b"data:")]


def _read(found: Any, depth: int) -> tuple[int, int]:
    """Return the characters of text and the number of images in a part of a request."""
    if isinstance(found, str):
        return len(found), 0
    if depth >= _DEPTH_MAX:
        return 0, 0
    characters = images = 0
    if isinstance(found, list):
        for part in found:
            more, pictures = _read(part, depth + 1)
            characters, images = characters + more, images + pictures
    elif isinstance(found, dict):
        if found.get("type") in _IMAGES:
            return 0, 1
        for name in _TEXTS & found.keys():
            more, pictures = _read(found[name], depth + 1)
            characters, images = characters + more, images + pictures
    return characters, images


def _repeats(reply: Any) -> bool:
    """Tell whether an event only says again what others have said piece by piece."""
    kind = reply.get("type") if isinstance(reply, dict) else None
    return isinstance(kind, str) and kind.startswith("response.") and not kind.endswith(".delta")


def _said(found: Any, depth: int) -> int:
    if depth >= _DEPTH_MAX:
        return 0
    if isinstance(found, list):
        return sum(_said(part, depth + 1) for part in found)
    if not isinstance(found, dict):
        return 0
    return sum(
        len(value) if isinstance(value, str) and name in _SAID else _said(value, depth + 1)
        for name, value in found.items()
        if isinstance(value, (str, list, dict))
    )
