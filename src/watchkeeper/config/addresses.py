"""Addresses as the configuration names them."""

import re
from urllib.parse import SplitResult, urlsplit

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def http_address(text: str) -> SplitResult:
    """Return the parts of an address of HTTP.

    Raises:
        ValueError: it is none, has blanks, or carries a secret; in words.
    """
    if re.search(r"[\s\x00-\x1f\x7f\\]", text):
        raise ValueError("must be one address without blanks")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user or a password; put the secret in `api_key`")
    return parts


def within_reach(url: str) -> str:
    """Return an address of one's own host as it can be asked: of one that listens everywhere, on loopback.

    Args:
        url: As `http_address` takes it, with a port.
    """
    found = urlsplit(url)
    host = _EVERYWHERE.get(found.hostname or "", found.hostname or "")
    return f"{found.scheme}://{f'[{host}]' if ':' in host else host}:{found.port}{found.path}"
