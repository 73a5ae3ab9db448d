"""Counts tokens roughly where an upstream did not say: after a cut, a cancellation, or a reply without usage.

Characters are counted, and turned into tokens at the rate that calls of the same model have shown (`gateway.ratios`).
Before there were any, it is four characters to a token, OpenAI's published rule of thumb for English. The result is
always marked `estimated`. Requests and replies of every dialect are read alike: by the names under which they carry
text.
"""

import math
from typing import Any, NamedTuple

import msgspec

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import UNREADABLE

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 85
"""OpenAI's count for one image at low detail; the true size is not known here."""

_ASKED = ("messages", "input", "prompt", "system", "instructions")
"""Fields of a request that hold what the model reads."""
_TOOLS = ("tools", "functions")
"""Fields of a request whose JSON the model reads in some writing; they count as long as they are sent."""
_ELSEWHERE = ("previous_response_id", "conversation", "container")
"""Fields of a request that stand for text which the upstream keeps."""
_TEXTS = frozenset({"content", "text", "arguments", "output", "thinking"})
_IMAGES = frozenset({"image_url", "image", "input_image"})
_FILES = frozenset({"document", "file", "input_file", "input_audio", "item_reference", "search_result"})
"""Parts of a request of which nobody here can say how long they are."""
_SAID = frozenset(
    {
        "content", "reasoning_content", "refusal", "name", "arguments", "text", "thinking", "partial_json", "delta",
    }
)  # fmt: skip
"""Names of what the model says, whole or in pieces."""
_DEPTH_MAX = 12

_json = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


class PerCharacter(NamedTuple):
    """How many tokens of a model a character makes."""

    input: float
    output: float


ROUGH = PerCharacter(1 / CHARACTERS_PER_TOKEN, 1 / CHARACTERS_PER_TOKEN)


class Asked(NamedTuple):
    """How long a request is."""

    characters: int
    """Of text and of the definitions of tools."""
    images: int = 0
    files: int = 0
    """Parts whose length is not known, and references to what the upstream keeps."""


def estimate(request_body: bytes, reply_body: bytes, *, is_stream: bool, per_character: PerCharacter = ROUGH) -> Usage:
    """Estimate the usage of a call from what was sent and what came back; reasoning and caching cannot be seen."""
    asked = read_asked(request_body)
    sent = _tokens(asked.characters, per_character.input) + asked.images * TOKENS_PER_IMAGE
    return Usage(
        input_uncached=sent,
        output_text=_tokens(characters_said(reply_body, is_stream=is_stream), per_character.output),
    )


def input_tokens(request_body: bytes) -> int:
    """Estimate how long a request is."""
    asked = read_asked(request_body)
    return _tokens(asked.characters, ROUGH.input) + asked.images * TOKENS_PER_IMAGE


def read_asked(request_body: bytes) -> Asked:
    """Count what a request brings; nothing where it cannot be read."""
    request = _decode(request_body)
    if not isinstance(request, dict):
        return Asked(0)
    read = [_read(request.get(name), 0) for name in _ASKED]
    tools = sum(len(_encode(request[name])) for name in _TOOLS if request.get(name))
    kept = sum(bool(request.get(name)) for name in _ELSEWHERE)
    return Asked(
        tools + sum(part.characters for part in read),
        sum(part.images for part in read),
        kept + sum(part.files for part in read),
    )


def characters_said(reply_body: bytes, *, is_stream: bool) -> int:
    """Count what the model said, with the names and arguments of its calls of tools."""
    replies = _chunks(reply_body) if is_stream else [_decode(reply_body)]
    return sum(_said(reply, 0) for reply in replies if not _repeats(reply))


def asked_of(request_body: bytes) -> dict[str, bool]:
    """Tell whether a request offers tools, and whether it brings images."""
    request = _decode(request_body)
    if not isinstance(request, dict):
        return {"tools": False, "images": False}
    images = sum(_read(request.get(name), 0).images for name in _ASKED)
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


def _tokens(characters: int, per_character: float) -> int:
    return math.ceil(characters * per_character)


def _decode(data: bytes) -> Any:
    try:
        return _json.decode(data)
    except UNREADABLE:
        return None


def _chunks(body: bytes) -> list[Any]:
    return [_decode(line[5:].strip()) for line in body.splitlines() if line.startswith(b"data:")]


def _read(found: Any, depth: int) -> Asked:
    """Count what is in a part of a request."""
    if isinstance(found, str):
        return Asked(len(found))
    if depth >= _DEPTH_MAX:
        return _NOTHING
    characters = images = files = 0
    parts: list[Any] = []
    if isinstance(found, list):
        parts = found
    elif isinstance(found, dict):
        kind = found.get("type")
        if isinstance(kind, str):
            if kind in _IMAGES:
                return _IMAGE
            files = int(kind in _FILES)
        parts = [found[name] for name in _TEXTS & found.keys()]
    for part in parts:
        if isinstance(part, str):
            characters += len(part)
        elif isinstance(part, int):  # a token's number
            characters += CHARACTERS_PER_TOKEN
        elif isinstance(part, (list, dict)):
            more = _read(part, depth + 1)
            characters, images, files = characters + more.characters, images + more.images, files + more.files
    return Asked(characters, images, files)


_NOTHING, _IMAGE = Asked(0), Asked(0, images=1)


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
