"""Response heads, encoded: status lines made in advance, the date made once a second."""

import time
from email.utils import formatdate
from http import HTTPStatus

CLOSE = b"connection: close\r\n"
KEEP_ALIVE = b"connection: keep-alive\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n"
JSON = b"content-type: application/json\r\n"

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

STATUS_LINES = {code: f"HTTP/1.1 {code} {_PHRASES.get(code, '')}\r\n".encode() for code in range(100, 1000)}
"""Status line of every code; a code without a registered phrase has an empty one, as RFC 9112 section 4 allows."""

BODILESS = frozenset({204, 304})
"""Final statuses whose responses never have a body."""


def date_line(unix_s: float | None = None) -> bytes:
    """Write the `date` header for a Unix time, by default now."""
    return b"date: %b\r\n" % formatdate(time.time() if unix_s is None else unix_s, usegmt=True).encode()
