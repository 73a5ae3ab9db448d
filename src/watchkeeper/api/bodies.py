"""A recorded body as JSON can carry it. What is given here can always be written, whatever an upstream has sent."""

import base64
from typing import Any

import msgspec

DEPTH_MAX = 100
"""JSON nested deeper is given as text: not every reader could read it nested."""


def readable(body: bytes) -> Any:
    """Give JSON as JSON, other text as text, all else as `{"base64": ...}`; nothing as None."""
    if not body:
        return None
    try:
        value = msgspec.json.decode(body)
        if not _nests_deeper(value, DEPTH_MAX):
            return value
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # It is no JSON that can be read: below it is taken for text.
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _nests_deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
