"""Addresses as the configuration names them."""

import re
from urllib.parse import SplitResult, urlsplit


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
