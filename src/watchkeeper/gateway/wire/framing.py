"""Reads a request's head strictly: whatever two servers could understand differently is refused (RFC 9112).

llhttp refuses most of it: bare LF and CR, folded lines, white space before a colon, control characters, malformed,
repeated or contradictory lengths, malformed chunks. What it lets through is refused here.
"""

import string

from watchkeeper.gateway.wire.rejections import (
    BadRequest,
    BodyTooLarge,
    CodingUnknown,
    ExpectationUnknown,
    HeadTooLarge,
    VersionUnsupported,
)

METHODS = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
}
"""Methods that reach a handler; others that llhttp knows (CONNECT, WebDAV, RTSP) are refused."""

_HOST_LETTERS = (string.ascii_letters + string.digits + "-._~%!$&'()*+;=:[]").encode()
"""RFC 3986 host and port without the comma, which two joined fields would bring."""

_MUST_BE_SINGLE = frozenset({b"authorization", b"content-type", b"expect", b"host"})


def fold(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Join repeated fields in order.

    Raises:
        BadRequest: a field is repeated that must not be.
    """
    headers: dict[bytes, bytes] = {}
    for name, value in fields:
        earlier = headers.get(name)
        if earlier is None:
            headers[name] = value
        elif name in _MUST_BE_SINGLE:
            if name == b"host" or earlier != value:
                raise BadRequest(f"The request has more than one {name.decode()} header; it must have one.")
        else:
            headers[name] = earlier + (b"; " if name == b"cookie" else b", ") + value
    return headers


def method_of(raw: bytes) -> str:
    """Return the method as text.

    Raises:
        BadRequest: it is one that no handler takes.
    """
    method = METHODS.get(raw)
    if method is None:
        raise BadRequest(f"The method {raw.decode('ascii', 'replace')} is not served here.")
    return method


def target_of(raw: bytes, method: str, headers: dict[bytes, bytes]) -> tuple[str, str]:
    """Split a request target into path and query. Of an absolute target, the authority replaces the `host` header.

    Raises:
        BadRequest: the target is not in origin form, absolute form, or `*` for OPTIONS.
    """
    target = raw.decode("ascii")
    if not target.startswith("/"):
        if target == "*" and method == "OPTIONS":
            return "*", ""
        scheme, colon, rest = target.partition("://")
        if not colon or scheme.lower() not in ("http", "https"):
            raise BadRequest("The request target must be a path that starts with a slash, or an http address.")
        cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        headers[b"host"] = rest[:cut].encode()
        target = rest[cut:] if rest[cut:].startswith("/") else "/" + rest[cut:]
    if "#" in target:
        raise BadRequest("The request target has a fragment (#), which is never sent to a server.")
    path, _, query = target.partition("?")
    return path, query


def check_host(headers: dict[bytes, bytes], *, is_http_1_0: bool) -> None:
    """See that the request says which host it is for.

    Raises:
        BadRequest: the field is missing in HTTP/1.1, or is not a host and port.
    """
    host = headers.get(b"host")
    if host is None:
        if not is_http_1_0:
            raise BadRequest("The request has no host header, which HTTP/1.1 requires.")
    elif host.translate(None, _HOST_LETTERS):
        raise BadRequest("The host header is not a host name and port.")


def check_version(version: str) -> None:
    """See that the request is in a version that is spoken here.

    Raises:
        VersionUnsupported: it is not.
    """
    if version not in ("1.0", "1.1"):
        raise VersionUnsupported(f"HTTP/{version} is not spoken on this port; use HTTP/1.1.")


def check_coding(coding: bytes, *, is_http_1_0: bool) -> None:
    """See that a transfer coding is the one that can be read.

    Raises:
        BadRequest: HTTP/1.0 has no transfer codings.
        CodingUnknown: it is another than `chunked`.
    """
    if is_http_1_0:
        raise BadRequest("The request has a transfer-encoding header, which HTTP/1.0 does not have.")
    if coding.lower() != b"chunked":
        raise CodingUnknown(f"The transfer coding {coding[:80].decode('latin-1')} is not known here; use chunked.")


def check_length(length: bytes, *, body_bytes_max: int) -> None:
    """See that the announced body is not too long.

    Raises:
        BodyTooLarge: it is.
    """
    if int(length) > body_bytes_max:
        raise BodyTooLarge(f"The body of {int(length)} bytes is longer than the {body_bytes_max} taken here.")


def check_expectation(expectation: bytes) -> None:
    """See that the client expects nothing but a go-ahead.

    Raises:
        ExpectationUnknown: it does.
    """
    if expectation.lower() != b"100-continue":
        raise ExpectationUnknown("The request expects something other than 100-continue, the only expectation known.")


def check_head_size(target: bytes, fields: list[tuple[bytes, bytes]], *, head_bytes_max: int, headers_max: int) -> None:
    """See that a head that may be too large is not.

    Raises:
        HeadTooLarge: it is.
    """
    if len(fields) > headers_max:
        raise HeadTooLarge(f"The request has {len(fields)} header fields; {headers_max} are taken here.")
    size = len(target) + sum(len(name) + len(value) + 4 for name, value in fields)
    if size > head_bytes_max:
        raise HeadTooLarge(f"The request's head is longer than the {head_bytes_max} bytes taken here.")
