"""Feedback on a call or a session, on its way from an application that holds a key to the store."""

from msgspec import Struct

ID_LETTERS_MAX = 200
NAME_LETTERS_MAX = 60
LABEL_LETTERS_MAX = 100
COMMENT_LETTERS_MAX = 2_000
VALUE_MAX = 10**9
"""Units of value, either way."""
DEFAULT_NAME = "rating"


class FeedbackEvent(Struct, array_like=True, gc=False, kw_only=True):
    """What was said. A wire format, as `core.call.Call` is: fields are added at the end, with a default."""

    entry: str
    """Unique, and in the order of time: a call id of its own."""
    id: str
    """Given by whoever reports; the same id is the same feedback."""
    received_ns: int
    """Unix time."""
    key_id: str
    """Public part of the key that it came under."""
    feature: str
    """The key's, as is the tenant; of the call, the store knows more."""
    tenant: str
    call_id: str = ""
    """Empty where a session is meant."""
    session: str = ""
    name: str = DEFAULT_NAME
    """What was asked: `rating`, `thumbs`, `resolved`."""
    score: float | None = None
    """Between 0 and 1; None where none was given."""
    label: str = ""
    comment: str = ""
    value_milli: int | None = None
    """Thousandths of a unit of value that it reports; None for none."""
