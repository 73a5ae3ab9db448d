"""Reading JSON that somebody else wrote."""

import msgspec
from msgspec import Raw

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding it can raise."""

ABSENT = Raw(b"")
_NULL = Raw(b"null")


def is_given(field: Raw) -> bool:
    """Tell whether a field is there and not null."""
    return bool(field) and field != _NULL


def has_items(field: Raw) -> bool:
    """Tell whether a field is a list with something in it."""
    beginning = memoryview(field)[:100].tobytes()
    return beginning.startswith(b"[") and beginning[1:].lstrip()[:1] != b"]"
