"""Pictures that came within a request, given out one by one so that pages stay small and hold no data of others."""

import base64
import binascii
from dataclasses import dataclass

from watchkeeper.core.call import Surface
from watchkeeper.core.conversation import Image, read_conversation

KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Formats that hold no script."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture."""

    kind: str
    data: bytes


def picture(request_body: bytes, surface: Surface, place: str) -> Picture | None:
    """Return a picture of a recorded request; None when there is none at that place, or it cannot be read.

    Args:
        request_body: As recorded.
        surface: The API that the client spoke.
        place: Position of the message and of the part in it, from 0, as `1.0`.
    """
    message, _, part = place.partition(".")
    if not (message.isdecimal() and part.isdecimal()):
        return None
    said = read_conversation(request_body, b"", surface=surface, is_stream=False)
    try:
        found = said.messages[int(message)].parts[int(part)]
    except (IndexError, ValueError):
        return None
    return _decoded(found.url) if isinstance(found, Image) else None


def _decoded(url: str) -> Picture | None:
    head, _, payload = url.partition(",")
    kind = head.removeprefix("data:").removesuffix(";base64")
    if kind not in KINDS or not head.endswith(";base64"):
        return None
    try:
        return Picture(kind, base64.b64decode(payload, validate=True))
    except (binascii.Error, ValueError):
        return None
