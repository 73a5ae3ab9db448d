"""Passwords of local users, kept as argon2id hashes."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH_MIN = 10
LENGTH_MAX = 200

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return what is stored for a password; takes about 50 ms on purpose."""
    return _hasher.hash(password)


def password_matches(password: str, stored: str) -> bool:
    """Tell whether a password is the stored one."""
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def password_fault(password: str) -> str:
    """Say what is wrong with a new password; empty when nothing is."""
    if len(password) < LENGTH_MIN:
        return f"A password needs at least {LENGTH_MIN} characters."
    if len(password) > LENGTH_MAX:
        return f"A password may have at most {LENGTH_MAX} characters."
    return ""
