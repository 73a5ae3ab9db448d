"""Whatever an upstream sends, the sink hears of a reply's head, its bytes, and exactly one end."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
from tests.contract.wire.rig import Raw, Remembered, Upstream, post, until

from watchkeeper.gateway.wire.client import BodyCut, ConnectionLost, MalformedResponse, Pool, WireFault

Start = Callable[..., Awaitable[Upstream]]
OK = b"HTTP/1.1 200 OK\r\n"


def says(*parts: bytes) -> Callable[[Raw], Awaitable[None]]:
    """Answers each request with these bytes, then waits for the next."""

    async def script(raw: Raw) -> None:
        while await raw.read_until(b"\r\n\r\n"):
            for part in parts:
                await raw.send(part)

    return script


def says_and_closes(*parts: bytes) -> Callable[[Raw], Awaitable[None]]:
    async def script(raw: Raw) -> None:
        await raw.read_until(b"{}")
        for part in parts:
            await raw.send(part)

    return script


async def ask(pool: Pool, upstream: Upstream, method: bytes = b"POST") -> Remembered:
    head, body = post()
    sink = Remembered()
    await pool.send(upstream.origin, head.replace(b"POST", method), body, sink, connect_timeout_s=5)
    return sink


class Whole(NamedTuple):
    what: str
    raw: bytes
    status: int
    body: bytes
    is_kept: bool = True


WHOLE = [
    Whole("a length", OK + b"Content-Length: 3\r\n\r\nabc", 200, b"abc"),
    Whole("no body", OK + b"Content-Length: 0\r\n\r\n", 200, b""),
    Whole("chunks", OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n", 200, b"abc"),
    Whole("trailers", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-a: b\r\n\r\n", 200, b"abc"),
    Whole("connection: close", OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", is_kept=False),
    Whole("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc", is_kept=False),
    Whole("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    Whole("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 304, b""),
    Whole("100 first", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", 200, b"abc"),
    Whole(
        "103 first", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na", 200, b"a"
    ),
    Whole("no reason phrase", b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, b"a"),
    Whole("an unregistered status", b"HTTP/1.1 529 Overloaded\r\nContent-Length: 1\r\n\r\na", 529, b"a"),
    Whole("more than was asked for", OK + b"Content-Length: 1\r\n\r\na" + OK, 200, b"a", is_kept=False),
    Whole("rubbish behind the reply", OK + b"Content-Length: 1\r\n\r\nabc", 200, b"a", is_kept=False),
]


@pytest.mark.parametrize("whole", WHOLE, ids=[whole.what for whole in WHOLE])
@pytest.mark.parametrize("split", [False, True], ids=["at once", "byte by byte"])
async def test_whole_reply_is_heard(pool: Pool, upstream: Start, whole: Whole, split: bool) -> None:
    parts = [whole.raw[at : at + 1] for at in range(len(whole.raw))] if split else [whole.raw]
    one = await upstream(says(*parts))
    sink = await ask(pool, one)
    assert await sink.outcome() is None
    assert (sink.status, sink.body, sink.heads) == (whole.status, whole.body, 1)
    again = await ask(pool, one)
    assert await again.outcome() is None
    assert again.body == whole.body
    if not split:
        assert one.accepted == (1 if whole.is_kept else 2)


async def test_reply_without_a_length_ends_with_its_connection(pool: Pool, upstream: Start) -> None:
    sink = await ask(pool, await upstream(says_and_closes(OK + b"\r\nabc", b"def")))
    assert await sink.outcome() is None
    assert sink.body == b"abcdef"


async def test_reply_without_a_length_that_is_reset_is_cut(pool: Pool, upstream: Start) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(OK + b"\r\nabc")
        await until(sink.got_data.is_set)
        raw.reset()

    one = await upstream(script)
    head, body = post()
    sink = Remembered()
    await pool.send(one.origin, head, body, sink, connect_timeout_s=5)
    assert isinstance(await sink.outcome(), BodyCut)


async def test_reply_to_head_has_no_body_whatever_its_length_says(pool: Pool, upstream: Start) -> None:
    sink = await ask(pool, await upstream(says(OK + b"Content-Length: 3\r\n\r\n")), method=b"HEAD")
    assert await sink.outcome() is None
    assert dict(sink.headers)[b"content-length"] == b"3"


async def test_header_names_are_lower_case_and_values_trimmed_in_order(pool: Pool, upstream: Start) -> None:
    one = await upstream(says(OK + b"X-B:  1 \t\r\nContent-Length: 0\r\nX-A: 2\r\nx-b: 3\r\n\r\n"))
    sink = await ask(pool, one)
    await sink.outcome()
    assert sink.headers == [(b"x-b", b"1"), (b"content-length", b"0"), (b"x-a", b"2"), (b"x-b", b"3")]


async def test_chunks_of_one_read_are_heard_as_one(pool: Pool, upstream: Start) -> None:
    one = await upstream(says(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100 + b"0\r\n\r\n"))
    sink = await ask(pool, one)
    assert await sink.outcome() is None
    assert sink.parts == [b"a" * 100]


class Broken(NamedTuple):
    what: str
    raw: bytes
    fault: type[WireFault]
    says: str


BROKEN = [
    Broken("nothing", b"", ConnectionLost, "before any reply"),
    Broken("half a head", OK + b"Content-Le", ConnectionLost, "head"),
    Broken("only 100", b"HTTP/1.1 100 Continue\r\n\r\n", ConnectionLost, "head"),
    Broken("less than its length", OK + b"Content-Length: 3\r\n\r\nab", BodyCut, "middle"),
    Broken("no last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", BodyCut, "middle"),
    Broken("half a last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", BodyCut, "middle"),
    Broken(
        "less than its length, and close", OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nab", BodyCut, "middle"
    ),
    Broken("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n", MalformedResponse, "HTTP/1.1"),
    Broken("HTML alone", b"<html></html>", MalformedResponse, "HTTP/1.1"),
    Broken("two lengths", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", MalformedResponse, "Content-Length"),
    Broken(
        "both lengths", OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", MalformedResponse, "Transfer"
    ),
    Broken("a bad chunk size", OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", MalformedResponse, "chunk size"),
    Broken("a bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", MalformedResponse, "CR"),
    Broken("a control character", OK + b"X-A: a\0b\r\n\r\n", MalformedResponse, "header"),
    Broken(
        "an unasked switch",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        MalformedResponse,
        "switched",
    ),
    Broken("a head without end", OK + b"X-A: " + b"a" * 70_000, MalformedResponse, "too long"),
    Broken("interim replies without end", b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, MalformedResponse, "too long"),
    Broken("too many fields", OK + b"x: y\r\n" * 300 + b"\r\n", MalformedResponse, "header fields"),
    Broken(
        "compression as transfer coding",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        MalformedResponse,
        "gzip",
    ),
]


@pytest.mark.parametrize("broken", BROKEN, ids=[broken.what for broken in BROKEN])
async def test_broken_reply_is_a_fault_that_says_what_happened(pool: Pool, upstream: Start, broken: Broken) -> None:
    sink = await ask(pool, await upstream(says_and_closes(broken.raw)))
    fault = await sink.outcome()
    assert type(fault) is broken.fault
    assert broken.says.lower() in str(fault).lower()


async def test_endless_chunk_extension_is_a_fault(pool: Pool, upstream: Start) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_until(b"{}")
        await raw.send(OK + b"Transfer-Encoding: chunked\r\n\r\n3;")
        while True:
            await raw.send(b"a" * 10_000)

    fault = await (await ask(pool, await upstream(script))).outcome()
    assert isinstance(fault, MalformedResponse)


async def test_cut_comes_after_the_bytes_that_arrived(pool: Pool, upstream: Start) -> None:
    sink = await ask(pool, await upstream(says_and_closes(OK + b"Content-Length: 9\r\n\r\nabc")))
    assert isinstance(await sink.outcome(), BodyCut)
    assert sink.body == b"abc"
