"""The list of models, as each family of clients expects it."""

from datetime import UTC, datetime

import msgspec

from watchkeeper.gateway.surfaces.errors import Family

_write = msgspec.json.Encoder().encode


def models_body(family: Family, names: list[str], *, created_s: int) -> bytes:
    """Write the list of models, in the given order; all of it, on one page."""
    rows = [_row(family, name, created_s) for name in names]
    if family == "anthropic":
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return _write({"data": rows, "has_more": False, **ends})
    return _write({"object": "list", "data": rows})


def model_body(family: Family, name: str, *, created_s: int) -> bytes:
    """Write one model."""
    return _write(_row(family, name, created_s))


def _row(family: Family, name: str, created_s: int) -> dict[str, object]:
    if family == "anthropic":
        created = datetime.fromtimestamp(created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"type": "model", "id": name, "display_name": name, "created_at": created}
    return {"id": name, "object": "model", "created": created_s, "owned_by": "watchkeeper"}
