"""Asks a retriever over HTTP: one question, one answer, within limits."""

import math
from asyncio import AbstractEventLoop, Future
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from watchkeeper.core.errors import UpstreamError
from watchkeeper.gateway.snapshot import RetrieverEntry
from watchkeeper.gateway.wire.client import ConnectFailed, ConnectionLost, Flight, Pool, WireFault, origin_of

REPLY_BYTES_MAX = 4 << 20
CONNECT_S = 1.0
ID_LETTERS_MAX = 500
TRIES = 2
"""A question is asked once more where the connection failed: nobody is hurt when it is answered twice."""


class EndpointFailed(UpstreamError):
    """A retriever gave no answer that can be used; the message says why, without a full stop."""

    code = "retriever_failed"


class FoundDocument(Struct, frozen=True):
    """A document as a retriever answers it."""

    id: str
    text: str
    title: str = ""
    score: float | None = None
    version: str = ""


class _Answer(Struct, frozen=True):
    documents: list[FoundDocument]


class _Question(Struct, frozen=True):
    query: str
    top_k: int
    collection: str
    version: str


_read = msgspec.json.Decoder(_Answer, strict=False).decode


class Endpoints:
    """Asks retrievers over the worker's own pool."""

    def __init__(self, loop: AbstractEventLoop, pool: Pool) -> None:
        self._loop = loop
        self._pool = pool

    async def ask(
        self, entry: RetrieverEntry, query: str, *, collection: str, version: str, top_k: int
    ) -> list[FoundDocument]:
        """Return what a retriever finds, in its order, at most `top_k`.

        The caller bounds the time; a question that is given up is cut off.

        Raises:
            EndpointFailed: it could not be reached, or answered with an error, with too much or with something else.
        """
        body = msgspec.json.encode(_Question(query, top_k, collection, version))
        head = _head(entry, len(body))
        origin, _ = origin_of(entry.url)
        for left in reversed(range(TRIES)):
            reply = _Reply(self._loop)
            flight: Flight | None = None
            try:
                flight = await self._pool.send(origin, head, body, reply, connect_timeout_s=CONNECT_S)
                await reply.ended
            except (ConnectFailed, ConnectionLost) as fault:
                if not left:
                    raise EndpointFailed(_said(fault)) from fault
            except WireFault as fault:
                raise EndpointFailed(_said(fault)) from fault
            else:
                return _documents(reply)[:top_k]
            finally:
                reply.ended.cancel()  # nobody looks at what comes later
                if flight is not None and not reply.is_whole:
                    flight.cancel()
        raise AssertionError("the last try answers or raises")


class _Reply:
    """Gathers one response."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.ended: Future[None] = loop.create_future()
        self.status = 0
        self.is_whole = False
        self.body = bytearray()

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status

    def on_data(self, data: bytes) -> None:
        if len(self.body) <= REPLY_BYTES_MAX:
            self.body += data
        if len(self.body) > REPLY_BYTES_MAX:
            self._end(EndpointFailed(f"it answered with more than {REPLY_BYTES_MAX >> 20} MiB"))

    def on_end(self) -> None:
        self.is_whole = True
        self._end(None)

    def on_fault(self, fault: WireFault) -> None:
        self._end(fault)

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


def _documents(reply: _Reply) -> list[FoundDocument]:
    if reply.status != 200:
        raise EndpointFailed(f"it answered with the status {reply.status}")
    try:
        found = _read(reply.body).documents
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EndpointFailed(f"its answer is not what was asked for: {str(error)[:200]}") from error
    for document in found:
        if not document.id or len(document.id) > ID_LETTERS_MAX:
            raise EndpointFailed("it answered with a document without an id, or with one of more than 500 letters")
        if document.score is not None and not math.isfinite(document.score):
            raise EndpointFailed("it answered with a score that is no number")
    return found


def _head(entry: RetrieverEntry, length: int) -> bytes:
    parts = urlsplit(entry.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc
    lines = [f"POST {target} HTTP/1.1", f"host: {host}", "accept: application/json", "accept-encoding: identity"]
    lines += [f"{name}: {value}" for name, value in entry.headers.items()]
    if entry.api_key:
        lines.append(f"authorization: Bearer {entry.api_key}")
    lines += ["content-type: application/json", f"content-length: {length}", "", ""]
    return "\r\n".join(lines).encode()


def _said(fault: WireFault) -> str:
    return str(fault).rstrip(".")
