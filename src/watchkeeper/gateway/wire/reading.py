"""Turns the bytes of one client connection into requests, or into the reason why they cannot be read."""

from collections import deque
from typing import Literal, cast

import httptools

from watchkeeper.gateway.wire import framing
from watchkeeper.gateway.wire.exchange import Request
from watchkeeper.gateway.wire.limits import ServerLimits
from watchkeeper.gateway.wire.rejections import (
    BadRequest,
    BodyTooLarge,
    HeadTooLarge,
    Rejection,
    TargetTooLong,
    VersionUnsupported,
)

Phase = Literal["idle", "head", "body", "over"]
"""What the next byte belongs to. over: nothing more is read, after a rejection or the client's last request."""

_SLICE_BYTES = 8 * 1024
"""Read at a time. Whatever is behind the slice in which a request ends is kept unread until it is that part's turn, so
that a read full of tiny requests becomes at most 300 of them at once."""
_PARTS_PER_SLICE_MAX = 16
"""More body parts in one slice (tiny chunks) are joined at once, to take little more memory than their bytes."""
_BYTES_PER_CHUNK = 16
"""Framing that a chunk may bring without being counted: its size line, and the line end behind it."""


class RequestReader:
    """Reads requests in order; complete ones and at most one rejection, the last, wait in `arrived`."""

    __slots__ = (
        "_chunks", "_fields", "_head_bytes", "_host", "_is_resuming", "_is_upgrading", "_limits", "_parser", "_parts",
        "_raw_body_bytes", "_read_at", "_request", "_target", "arrived", "body_bytes", "first_byte_at", "held_bytes",
        "phase", "unread", "wants_continue",
    )  # fmt: skip

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._request: Request | None = None
        self._read_at = 0.0
        self._host: bytes | None = None
        """Of the last request; it was good, and need not be looked at again."""
        self._head_bytes = 0
        self._raw_body_bytes = 0
        self._chunks = 0
        self._is_upgrading = False
        self._is_resuming = False
        self.arrived: deque[Request | Rejection] = deque()
        self.phase: Phase = "idle"
        self.first_byte_at = 0.0
        self.body_bytes = 0
        """Of the request that is being read."""
        self.unread = b""
        """Came behind a request that has to be answered first; see `read_on`."""
        self.held_bytes = 0
        """Unread bytes, and body bytes not yet released: whoever takes a request subtracts its body."""
        self.wants_continue = False
        """The client of the request that is being read waits for `100 Continue` before it sends the body."""

    def feed(self, data: bytes, read_at: float) -> None:
        """Take bytes that were read at a time; nothing is raised, a rejection goes to `arrived`."""
        self._read_at = read_at
        if self.arrived or self.unread:
            self._keep(data)
        elif len(data) <= _SLICE_BYTES:
            self._read(data)
        else:
            self._read_in_slices(data)

    def read_on(self) -> None:
        """Read what is unread; call it when `arrived` is empty."""
        unread, self.unread = self.unread, b""
        self.held_bytes -= len(unread)
        self._read_in_slices(unread)

    def _read_in_slices(self, data: bytes) -> None:
        view = memoryview(data)
        start = 0
        while start < len(data) and not self.arrived:
            self._read(view[start : start + _SLICE_BYTES])
            start += _SLICE_BYTES
        self._keep(data[start:])

    def _keep(self, data: bytes) -> None:
        if self.phase != "over":
            self.unread += data
            self.held_bytes += len(data)

    def _read(self, data: bytes | memoryview) -> None:
        if self.phase == "over":
            return
        if self.phase == "body":
            self._raw_body_bytes += len(data)
        else:
            self._head_bytes += len(data)
        parts_before = len(self._parts)
        try:
            self._parser.feed_data(data)
            if self.phase in ("head", "body"):
                self._check_unfinished(parts_before)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._give_up(error)
        except Rejection as rejection:
            self.fail(rejection)

    def fail(self, rejection: Rejection) -> None:
        """Read nothing more; what arrived before is still good."""
        self.phase = "over"
        self.held_bytes -= self.body_bytes + len(self.unread)
        self.body_bytes = 0
        self.unread = b""
        self._parts.clear()
        self._fields.clear()
        self.arrived.append(rejection)

    def stop(self) -> None:
        """Let go of the parser, which refers back to this reader; it can read nothing more."""
        self.phase = "over"
        del self._parser

    # what the parser calls

    def on_message_begin(self) -> None:
        if not self._is_resuming:
            self.phase = "head"
            self.first_byte_at = self._read_at

    def on_url(self, part: bytes) -> None:
        if not self._is_resuming:
            self._target = self._target + part if self._target else part
            if len(self._target) > self._limits.target_bytes_max:
                raise TargetTooLong(f"The path and query are longer than {self._limits.target_bytes_max} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        fields, target, limits = self._fields, self._target, self._limits
        self._fields = []
        if self._is_resuming:
            return
        self._target = b""
        if self._head_bytes > limits.head_bytes_max or len(fields) > limits.headers_max:
            framing.check_head_size(
                target, fields, head_bytes_max=limits.head_bytes_max, headers_max=limits.headers_max
            )
        self._head_bytes = 0
        self._request = self._read_head(target, fields)
        self.phase = "body"

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)
        self.body_bytes += len(part)
        self.held_bytes += len(part)

    def on_message_complete(self) -> None:
        if self._is_upgrading:
            return
        request = cast(Request, self._request)
        parts = self._parts
        if parts:
            self._check_body_size()
            request.body = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            self.body_bytes = self._raw_body_bytes = self._chunks = 0
        if self._fields:
            self._fields.clear()  # trailers; nothing here uses any
        request.body_at = self._read_at
        self._is_resuming = self.wants_continue = False
        self.phase = "idle" if request.keeps_alive else "over"
        self.arrived.append(request)

    def _read_head(self, target: bytes, fields: list[tuple[bytes, bytes]]) -> Request:
        headers = dict(fields)
        if len(headers) != len(fields):
            headers = framing.fold(fields)
        parser = self._parser
        keeps_alive = parser.should_keep_alive()
        is_http_1_0 = False
        if not keeps_alive or b"connection" in headers or b"proxy-connection" in headers:  # else it is HTTP/1.1
            version = parser.get_http_version()
            framing.check_version(version)
            is_http_1_0 = version == "1.0"
        method = framing.method_of(parser.get_method())
        path, query = framing.target_of(target, method, headers)
        host = headers.get(b"host")
        if host is None or host != self._host:
            framing.check_host(headers, is_http_1_0=is_http_1_0)
            self._host = host
        if b"transfer-encoding" in headers:
            framing.check_coding(headers[b"transfer-encoding"], is_http_1_0=is_http_1_0)
        if b"content-length" in headers:
            framing.check_length(headers[b"content-length"], body_bytes_max=self._limits.body_bytes_max)
        if b"expect" in headers and not is_http_1_0:
            framing.check_expectation(headers[b"expect"])
            self.wants_continue = True
        if b"upgrade" in headers:
            self._is_upgrading = parser.should_upgrade()
        return Request(
            method,
            path,
            query,
            headers=headers,
            header_list=fields,
            is_http_1_0=is_http_1_0,
            keeps_alive=keeps_alive,
            first_byte_at=self.first_byte_at,
        )

    def _give_up(self, error: httptools.HttpParserError) -> None:
        if self.phase != "over":  # llhttp refuses bytes behind the last request; here they are ignored
            self.fail(_rejection_of(error))

    def _check_unfinished(self, parts_before: int) -> None:
        limits = self._limits
        if self.phase == "head":
            if self._head_bytes > limits.head_bytes_max:
                raise HeadTooLarge(f"The request's head is longer than {limits.head_bytes_max} bytes.")
            return
        self._check_body_size()
        parts = self._parts
        if len(parts) - parts_before > _PARTS_PER_SLICE_MAX:
            parts[parts_before:] = [b"".join(parts[parts_before:])]
        framing_bytes = self._raw_body_bytes - self.body_bytes - self._chunks * _BYTES_PER_CHUNK
        if framing_bytes > limits.framing_bytes_max:
            raise BadRequest(
                f"The body brings more than {limits.framing_bytes_max} bytes of chunk extensions or trailers."
            )

    def _check_body_size(self) -> None:
        if self.body_bytes > self._limits.body_bytes_max:
            raise BodyTooLarge(f"The body is longer than the {self._limits.body_bytes_max} bytes taken here.")

    def _ignore_upgrade(self, rest: bytes | memoryview) -> None:
        """Ignore an offer to change protocols, as RFC 9110 section 7.8 allows; Java's client makes one with every call.

        llhttp stops behind the head of such a request and has lost its framing, so a new parser is told of it.
        """
        request = cast(Request, self._request)
        lengths = [
            b"%b: %b\r\n" % (name, request.headers[name])
            for name in (b"content-length", b"transfer-encoding")
            if name in request.headers
        ]
        self._is_upgrading = False
        self._is_resuming = True
        self._parser = httptools.HttpRequestParser(self)
        self._read(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(lengths))
        self._read(rest)


def _rejection_of(error: httptools.HttpParserError) -> Rejection:
    cause = error.__context__
    if isinstance(cause, Rejection):
        return cause
    if isinstance(error, httptools.HttpParserCallbackError):
        raise error
    reason = str(error)
    if "PRI" in reason:
        return VersionUnsupported("HTTP/2 is not spoken on this port; use HTTP/1.1.")
    return BadRequest(f"The request is not well-formed HTTP/1.1: {reason or 'it cannot be parsed'}.")
