"""Persons are known by a keyed pseudonym: the same person is recognised again, and nobody reads who it is."""

import hmac
from hashlib import sha256

PREFIX = "sub_"
PSEUDONYM_BYTES = 16


class Pseudonyms:
    """Names the persons of one data folder; another folder, or another tenant, gives the same person another name."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, tenant: str, person: str) -> str:
        """Return the pseudonym of a person as a client named it."""
        message = f"{len(tenant)}:{tenant}{person}".encode()
        return PREFIX + hmac.digest(self._secret, message, sha256)[:PSEUDONYM_BYTES].hex()


def is_pseudonym(text: str) -> bool:
    """Tell whether a text has the form of a pseudonym."""
    digits = text.removeprefix(PREFIX)
    return text.startswith(PREFIX) and len(digits) == 2 * PSEUDONYM_BYTES and set(digits) <= set("0123456789abcdef")
