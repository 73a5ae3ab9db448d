"""Changes a few fields of a JSON object; all other values keep their bytes."""

from typing import Any

import msgspec
from msgspec import Raw

_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_write = msgspec.json.Encoder().encode


def patch(body: bytes, changes: dict[str, bytes | None]) -> bytes:
    """Return an object with some top-level fields replaced by the given JSON, or taken out."""
    fields: dict[str, Any] = _fields(body)
    for name, value in changes.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = Raw(value)
    return _write(fields)


def field(body: bytes, name: str) -> bytes:
    """Return the JSON of one top-level field; empty when it is absent or null."""
    found = _fields(body).get(name)
    return b"" if found is None or bytes(found) == b"null" else bytes(found)
