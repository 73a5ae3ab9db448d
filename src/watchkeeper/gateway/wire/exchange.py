"""One request and the means to answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from watchkeeper.gateway.wire.heads import BODILESS, CHUNKED, CLOSE, KEEP_ALIVE, LAST_CHUNK, STATUS_LINES

if TYPE_CHECKING:
    from watchkeeper.gateway.wire.inbound import Connection

_JOINED_BYTES_MAX = 64 * 1024
"""Up to here, head and body are copied into one buffer; a longer body is handed over as it is."""


class Request(Struct, eq=False, gc=False):
    """A complete request. A struct, because one is made per call: four times as fast to make as a plain class."""

    method: str
    path: str
    """As received, without the query; `*` for OPTIONS on the server as a whole."""
    query: str
    headers: dict[bytes, bytes]
    """Lower-case names; outer white space taken off values, repeated fields joined with `, ` (cookies with `; `)."""
    header_list: list[tuple[bytes, bytes]]
    """The same fields in the order received, not joined."""
    is_http_1_0: bool
    keeps_alive: bool
    """Whether the client wants to use its connection again."""
    first_byte_at: float
    """`time.monotonic()` when the first byte was read."""
    body_at: float = 0.0
    """`time.monotonic()` when the last byte was read."""
    body: bytes = b""
    """Whole, with chunked coding taken off."""


class Exchange:
    """Answers one request: either `reply`, or `start`, `write` and `finish`.

    Once the client has gone, or the response was aborted, all of them do nothing. Out of order, or after the end, they
    raise RuntimeError: two answers to one request would be read as answers to two.
    """

    __slots__ = (
        "_connection", "_is_chunked", "_is_cut", "_is_started",
        "is_closed", "on_close", "on_pause", "on_resume", "request",
    )  # fmt: skip

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection: Connection | None = connection
        self._is_started = False
        self._is_chunked = False
        self._is_cut = False
        self.request = request
        self.is_closed = False
        """The client went away before the response was finished."""
        self.on_close: Callable[[], None] | None = None
        """Called once if the client goes away before the response is finished."""
        self.on_pause: Callable[[], None] | None = None
        """Called when more is waiting for the client than it takes; what is written meanwhile is kept in memory."""
        self.on_resume: Callable[[], None] | None = None
        """Called when the client has caught up."""

    @property
    def peer(self) -> str:
        """The client's address, without the port."""
        return self._connection.peer if self._connection is not None else ""

    def reply(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a complete response with a content length, in one write; `headers` is encoded lines, each with CRLF."""
        connection = self._open()
        if connection is None:
            return
        if self._is_started:
            raise RuntimeError("the response has been started already")
        request = self.request
        server = connection.server
        keeps_alive = request.keeps_alive and not server.is_draining
        if not keeps_alive:
            headers += CLOSE
        elif request.is_http_1_0:
            headers += KEEP_ALIVE
        if status not in BODILESS:
            headers += b"content-length: %d\r\n" % len(body)
        else:
            body = b""
        if request.method == "HEAD":
            body = b""
        if len(body) <= _JOINED_BYTES_MAX:
            connection.write(b"%b%b%b\r\n%b" % (STATUS_LINES[status], headers, server.date_line, body))
        else:
            connection.writelines([STATUS_LINES[status] + headers + server.date_line + b"\r\n", body])
        self._end(connection, keeps_alive=keeps_alive)

    def start(self, status: int, headers: bytes) -> None:
        """Send the head of a response whose length is not known; to an HTTP/1.0 client it ends with the connection."""
        connection = self._open()
        if connection is None:
            return
        if self._is_started:
            raise RuntimeError("the response has been started already")
        self._is_started = True
        if self.request.is_http_1_0:
            self.request.keeps_alive = False
        elif status not in BODILESS:
            self._is_chunked = True
            headers += CHUNKED
        if not self.request.keeps_alive or connection.server.is_draining:
            self.request.keeps_alive = False
            headers += CLOSE
        connection.write(b"%b%b%b\r\n" % (STATUS_LINES[status], headers, connection.server.date_line))

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        connection = self._started()
        if connection is None or not data or self.request.method == "HEAD":
            return
        if not self._is_chunked:
            connection.write(data)
        elif len(data) <= _JOINED_BYTES_MAX:
            connection.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            connection.writelines([b"%x\r\n" % len(data), data, b"\r\n"])

    def finish(self, trailers: bytes = b"") -> None:
        """End the response properly; `trailers` is encoded lines, dropped where the client's version has none."""
        connection = self._started()
        if connection is None:
            return
        if self._is_chunked and self.request.method != "HEAD":
            connection.write(b"%b%b\r\n" % (LAST_CHUNK, trailers))
        self._end(connection, keeps_alive=self.request.keeps_alive)

    def abort(self) -> None:
        """Cut the connection without a proper end. What was written before still goes out, and never looks complete."""
        connection = self._open()
        if connection is not None:
            self._connection = None
            self._is_cut = True
            connection.cut(must_reset=self._is_started and not self._is_chunked)

    async def drained(self) -> None:
        """Wait until the client has taken enough for more to be written, or has gone."""
        if self._connection is not None:
            waiter = self._connection.until_writable()
            if waiter is not None:
                await waiter

    @property
    def is_answered(self) -> bool:
        """The response has been finished or cut, or nobody is there to read it."""
        return self._connection is None

    @property
    def is_started(self) -> bool:
        """A head has been sent, and the end of the body has not."""
        return self._is_started

    def lose(self) -> None:
        """The client has gone; called once, by the connection."""
        self._connection = None
        self.is_closed = True
        if self.on_close is not None:
            self.on_close()

    def _open(self) -> Connection | None:
        if self._connection is None and not (self.is_closed or self._is_cut):
            raise RuntimeError("the response has been finished already")
        return self._connection

    def _started(self) -> Connection | None:
        if not self._is_started and not (self.is_closed or self._is_cut):
            raise RuntimeError("the response has not been started")
        return self._open()

    def _end(self, connection: Connection, *, keeps_alive: bool) -> None:
        self._connection = None
        connection.answered(keeps_alive=keeps_alive)
