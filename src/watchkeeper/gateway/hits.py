"""Reads which documents an application has found for a call: the header `x-wk-hits`.

    x-wk-hits: kb/returns.md@3f2a;score=0.81, kb/fees.md
    x-wk-hits: [{"collection": "kb", "document": "returns.md", "version": "3f2a", "score": 0.81}]

In the short form a name that has a comma, a semicolon or an `@` in it is percent-encoded. What cannot be read is left
out, and stands among the call's request headers, as everything does that a client has sent.
"""

import math
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from watchkeeper.core.call import Hit
from watchkeeper.gateway.decoding import UNREADABLE

HEADER = b"x-wk-hits"
HITS_MAX = 50
"""Of one call; further ones are left out."""
NAME_LETTERS_MAX = 500
"""Of a document's name; collections and versions have 200. Longer ones are cut."""
_SHORT_LETTERS_MAX = 200


class _Hit(Struct):
    document: Annotated[str, Meta(min_length=1)]
    collection: str = ""
    version: str = ""
    score: float | None = None


_read = msgspec.json.Decoder(list[Any]).decode


def read_hits(value: bytes) -> list[Hit]:
    """Return the hits that a header names, in its order."""
    text = value.strip()
    if text.startswith(b"["):
        try:
            named = map(_whole, _read(text)[:HITS_MAX])
        except UNREADABLE:
            return []
    else:
        named = map(_short, text.decode("utf-8", "replace").split(",", HITS_MAX)[:HITS_MAX])
    return [
        Hit(
            hit.collection[:_SHORT_LETTERS_MAX],
            hit.document[:NAME_LETTERS_MAX],
            hit.version[:_SHORT_LETTERS_MAX],
            hit.score,
        )
        for hit in named
        if hit is not None
    ]


def _whole(item: Any) -> _Hit | None:
    """Read one of the JSON form; None where it is none."""
    try:
        return msgspec.convert(item, _Hit)
    except msgspec.ValidationError:
        return None


def _short(item: str) -> _Hit | None:
    """Read `collection/document@version;score=0.8`; None where no document is named, or the score is no number."""
    name, *settings = item.strip().split(";")
    place, _, version = name.partition("@")
    collection, slash, document = place.partition("/")
    if not slash:
        collection, document = "", collection
    if not document:
        return None
    score = None
    for setting in settings:
        word, _, number = setting.partition("=")
        if word.strip() == "score":
            try:
                score = float(number)
            except ValueError:
                return None
            if not math.isfinite(score):
                return None
    return _Hit(unquote(document), unquote(collection), unquote(version), score)
