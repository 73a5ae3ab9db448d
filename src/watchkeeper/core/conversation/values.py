"""JSON as others have written it, read without trust: what is not of the wanted kind is taken for nothing."""

import msgspec


def decoded(body: bytes) -> object:
    """Decode JSON; None when it cannot be (nesting too deep for the decoder included)."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value


def json_object(body: bytes, name: str, notes: list[str]) -> dict[str, object]:
    """Decode a body that must be an object; where it is none, say so in the notes and return an empty one."""
    value = decoded(body)
    if value is None:
        value = decoded(body.decode("utf-8", "replace").encode())
        if value is not None:
            notes.append(f"The {name} is not valid UTF-8; the broken letters are replaced here.")
    if isinstance(value, dict):
        return value
    notes.append(f"The recorded {name} cannot be read as a JSON object; see the raw bytes.")
    return {}


def written(value: object) -> str:
    """Write JSON text."""
    return msgspec.json.encode(value).decode()


def text_or_json(value: object) -> str:
    """Return a string as it is, and JSON text for anything else."""
    return value if isinstance(value, str) else written(value)


def as_object(value: object) -> dict[str, object]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_array(value: object) -> list[object]:
    """Return an array, or an empty one."""
    return value if isinstance(value, list) else []


def as_string(value: object) -> str:
    """Return a string, or an empty one."""
    return value if isinstance(value, str) else ""


def as_place(value: object, otherwise: int) -> int:
    """Return a whole number, or another one instead."""
    return value if isinstance(value, int) else otherwise


def error_of(given: dict[str, object]) -> str:
    """Return what a reply, or an event, says went wrong; empty when it says nothing of the kind."""
    error = given.get("error")
    if not error:
        return as_string(given.get("message")) if given.get("type") == "error" else ""
    return error if isinstance(error, str) else as_string(as_object(error).get("message")) or written(error)
