"""Whether a key or token can be used: the word for it."""

from datetime import datetime
from typing import Literal

from watchkeeper.store.keys import KeyRow
from watchkeeper.store.people import TokenRow

State = Literal["valid", "ending", "expired", "revoked"]
"""ending: valid until a known moment."""


def state_of(row: KeyRow | TokenRow, now: datetime) -> State:
    """Return how it stands with a key or token."""
    if row.revoked_at is not None:
        return "revoked"
    if not row.is_valid_at(now):
        return "expired"
    return "valid" if row.expires_at is None else "ending"
