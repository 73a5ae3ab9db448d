"""Virtual keys: `sk-wk-<public id>-<secret>`. The public id may be shown; the whole is stored only as a hash."""

import hmac
import secrets
import string
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

PREFIX = "sk-wk-"
PUBLIC_ID_LENGTH = 12
SECRET_LENGTH = 40
_LETTERS = string.digits + string.ascii_letters
_LETTER_SET = frozenset(_LETTERS)


class NewKey(NamedTuple):
    """A key at the only moment when it is whole."""

    public_id: str
    key: str


class KeyHasher:
    """HMAC-SHA256 under the node's secret: a stolen database does not let anyone test guesses elsewhere."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def hash(self, key: str) -> bytes:
        """Return the 32 bytes that are stored for a key."""
        return hmac.digest(self._secret, key.encode(), sha256)

    def matches(self, key: str, stored: bytes) -> bool:
        """Tell in constant time whether a presented key is the stored one."""
        return hmac.compare_digest(self.hash(key), stored)


def make_key(*, choose: Callable[[Sequence[str]], str] = secrets.choice) -> NewKey:
    """Make a key: 71 random bits to find it by, 238 to prove it with."""
    public_id = "".join(choose(_LETTERS) for _ in range(PUBLIC_ID_LENGTH))
    secret = "".join(choose(_LETTERS) for _ in range(SECRET_LENGTH))
    return NewKey(public_id, f"{PREFIX}{public_id}-{secret}")


def public_id_of(key: str) -> str | None:
    """Return the public id of a presented key; None when it does not have a key's form."""
    public_id, dash, secret = key.removeprefix(PREFIX).partition("-")
    well_formed = (
        key.startswith(PREFIX)
        and dash == "-"
        and len(public_id) == PUBLIC_ID_LENGTH
        and len(secret) == SECRET_LENGTH
        and _LETTER_SET.issuperset(public_id)
        and _LETTER_SET.issuperset(secret)
    )
    return public_id if well_formed else None
