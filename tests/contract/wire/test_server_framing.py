"""A request that could be read in two ways is refused in words, and its connection is closed."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
from tests.contract.wire.rig import Served

from watchkeeper.gateway.wire.server import Exchange

Serve = Callable[..., Awaitable[Served]]
HOST = b"Host: gateway\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(headers: bytes, body: bytes = b"abc") -> bytes:
    return b"POST / HTTP/1.1\r\n%b%b\r\n%b" % (HOST, headers, body)


class Bad(NamedTuple):
    why: str
    raw: bytes
    status: int
    says: str


REFUSED = [
    # lengths
    Bad("both lengths", post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400, "Transfer-Encoding"),
    Bad("both lengths, reversed", post(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400, "Content-Length"),
    Bad("two different lengths", post(b"Content-Length: 3\r\nContent-Length: 4\r\n"), 400, "Duplicate Content-Length"),
    Bad("the same length twice", post(b"Content-Length: 3\r\nContent-Length: 3\r\n"), 400, "Duplicate Content-Length"),
    Bad("a list of lengths", post(b"Content-Length: 3, 3\r\n"), 400, "Content-Length"),
    Bad("a signed length", post(b"Content-Length: +3\r\n"), 400, "Content-Length"),
    Bad("a hexadecimal length", post(b"Content-Length: 0x3\r\n"), 400, "Content-Length"),
    Bad("a length with a space in it", post(b"Content-Length: 1 3\r\n"), 400, "Content-Length"),
    Bad("an empty length", post(b"Content-Length:\r\n"), 400, "Content-Length"),
    Bad("a length beyond 64 bits", post(b"Content-Length: 99999999999999999999999\r\n"), 400, "overflow"),
    # transfer codings
    Bad("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 501, "gzip, chunked"),
    Bad("chunked, not last", post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), 400, "Transfer-Encoding"),
    Bad("chunked twice", post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400, "Transfer-Encoding"),
    Bad("chunked in two fields", post(b"Transfer-Encoding: chunked\r\n" * 2, b"0\r\n\r\n"), 400, "Transfer-Encoding"),
    Bad("only gzip", post(b"Transfer-Encoding: gzip\r\n"), 501, "gzip"),
    Bad("identity", post(b"Transfer-Encoding: identity\r\n"), 501, "identity"),
    Bad("nearly chunked", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 501, "xchunked"),
    Bad("chunked behind a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n"), 400, "header value char"),
    Bad(
        "chunked in HTTP/1.0",
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "HTTP/1.0",
    ),
    # lines and fields
    Bad("a folded field", post(b"X-A: 1\r\n 2\r\n"), 400, "whitespace"),
    Bad("a field that begins with white space", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "space"),
    Bad("a bare LF behind the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "CRLF"),
    Bad("a bare LF behind a field", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, "CR"),
    Bad("a bare LF at the end of the head", b"GET / HTTP/1.1\r\nHost: a\r\n\nX", 400, "header field"),
    Bad("a lone CR in a field", b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "LF"),
    Bad("a lone CR at the end of the head", b"GET / HTTP/1.1\r\nHost: a\r\n\rX", 400, "LF"),
    Bad("white space before a colon", post(b"X-A : 1\r\n"), 400, "header"),
    Bad("white space before the colon of a length", post(b"Content-Length : 3\r\n"), 400, "header"),
    Bad("NUL in a value", post(b"X-A: a\0b\r\n"), 400, "header value"),
    Bad("a control character in a value", post(b"X-A: a\x01b\r\n"), 400, "header value"),
    Bad("DEL in a value", post(b"X-A: a\x7fb\r\n"), 400, "header value"),
    Bad("a parenthesis in a name", post(b"X(A: 1\r\n"), 400, "header"),
    Bad("an empty name", post(b": 1\r\n"), 400, "header"),
    Bad("a line without a colon", post(b"abc\r\n"), 400, "header"),
    # hosts
    Bad("no host", b"GET / HTTP/1.1\r\n\r\n", 400, "no host"),
    Bad("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "more than one host"),
    Bad("the same host twice", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "more than one host"),
    Bad("an empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "host"),
    Bad("a list of hosts", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "host"),
    Bad("a host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "host"),
    Bad("a host with a user", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "host"),
    Bad("two credentials", post(b"Authorization: a\r\nAuthorization: b\r\n"), 400, "more than one authorization"),
    Bad("two content types", post(b"Content-Type: a/b\r\nContent-Type: c/d\r\n"), 400, "more than one content-type"),
    # request lines
    Bad("a target that is not a path", b"GET abc HTTP/1.1\r\n" + HOST + b"\r\n", 400, "request"),
    Bad("a target with a fragment", b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", 400, "fragment"),
    Bad("a target with a control character", b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "url"),
    Bad("a target with a high byte", b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "url"),
    Bad("a target with a space", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400, "HTTP/"),
    Bad("an asterisk for GET", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "request target"),
    Bad("an absolute target of another scheme", b"GET ftp://a/b HTTP/1.1\r\n" + HOST + b"\r\n", 400, "request target"),
    Bad("an absolute target without a host", b"GET http:///b HTTP/1.1\r\n" + HOST + b"\r\n", 400, ""),
    Bad("an absolute target with a user", b"GET http://u@a/b HTTP/1.1\r\n" + HOST + b"\r\n", 400, "host"),
    Bad("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400, "CONNECT"),
    Bad("an unknown method", b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "method"),
    Bad("a method in lower case", b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "method"),
    Bad("a method of another protocol", b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "PROPFIND"),
    Bad("a tab behind the method", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n", 400, "method"),
    Bad("HTTP/2 in the clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2"),
    Bad("HTTP/2.0 in the request line", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505, "HTTP/2.0"),
    Bad("HTTP/1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400, "version"),
    Bad("HTTP/0.9 in the request line", b"GET / HTTP/0.9\r\n" + HOST + b"\r\n", 505, "HTTP/0.9"),
    Bad("a space behind the version", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400, "version"),
    Bad("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "method"),
    Bad("an unknown expectation", post(b"Expect: 200-ok\r\nContent-Length: 3\r\n"), 417, "100-continue"),
    # chunks
    Bad("a chunk size with a prefix", CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("a signed chunk size", CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("a negative chunk size", CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("an underscore in a chunk size", CHUNKED + b"1_0\r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("a space before a chunk size", CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("a space behind a chunk size", CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("no chunk size", CHUNKED + b"\r\nabc\r\n0\r\n\r\n", 400, "chunk size"),
    Bad("a chunk size beyond 64 bits", CHUNKED + b"fffffffffffffffff\r\nabc", 400, "overflow"),
    Bad("a bare LF behind a chunk size", CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400, "CR"),
    Bad("a lone CR behind a chunk size", CHUNKED + b"3\rabc\r\n0\r\n\r\n", 400, "LF"),
    Bad("a bare LF in an extension", CHUNKED + b"3;a\nabc\r\n0\r\n\r\n", 400, "extension"),
    Bad("NUL in an extension", CHUNKED + b"3;a=\0\r\nabc\r\n0\r\n\r\n", 400, "extension"),
    Bad("a line break in a quoted extension", CHUNKED + b'3;a="b\r\n"\r\nabc\r\n0\r\n\r\n', 400, "extension"),
    Bad("a chunk longer than its size", CHUNKED + b"3\r\nabcX\r\n0\r\n\r\n", 400, "chunk data"),
    Bad("a bare LF behind a chunk", CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400, "chunk data"),
    Bad("a bare LF behind the last chunk", CHUNKED + b"3\r\nabc\r\n0\n\n", 400, "chunk size"),
    Bad("a length in the trailers", CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", 400, "Content-Length"),
    Bad("a folded trailer", CHUNKED + b"3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n", 400, "whitespace"),
]


@pytest.mark.parametrize("bad", REFUSED, ids=[bad.why for bad in REFUSED])
async def test_ambiguous_request_is_refused_in_words_and_closed(serve: Serve, bad: Bad) -> None:
    seen: list[str] = []

    async def handle(exchange: Exchange) -> None:
        seen.append(exchange.request.path)
        exchange.reply(200, b"", b"")

    served = await serve(handle)
    client = await served.connect()
    await client.send(bad.raw)
    answer = await client.answer()
    assert answer.status == bad.status
    assert answer.headers[b"connection"] == b"close"
    assert answer.headers[b"content-type"] == b"application/json"
    error = answer.json["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] is None
    assert bad.says.lower() in str(error["message"]).lower()
    await client.send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert await client.rest() == b""
    assert seen == []
    assert served.server.rejected == {error["code"]: 1}


class Good(NamedTuple):
    what: str
    raw: bytes
    saw: bytes
    body: bytes = b""


ACCEPTED = [
    Good("a plain GET", b"GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /a?b=c"),
    Good("empty lines before the request", b"\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /a"),
    Good("a length", post(b"Content-Length: 3\r\n"), b"POST /", b"abc"),
    Good("white space around a length", post(b"Content-Length: \t3 \t\r\n"), b"POST /", b"abc"),
    Good("leading zeros in a length", post(b"Content-Length: 0003\r\n"), b"POST /", b"abc"),
    Good("a body of no bytes", post(b"Content-Length: 0\r\n", b""), b"POST /"),
    Good("no length at all", post(b"", b""), b"POST /"),
    Good("chunks", CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"POST /", b"abc"),
    Good(
        "chunk sizes in both cases",
        CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        b"POST /",
        b"0123456789" * 2,
    ),
    Good("a chunk extension", CHUNKED + b'3;a=b;c="d"\r\nabc\r\n0\r\n\r\n', b"POST /", b"abc"),
    Good("trailers", CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", b"POST /", b"abc"),
    Good("Chunked in capitals", post(b"Transfer-Encoding: CHUNKED\r\n", b"0\r\n\r\n"), b"POST /"),
    Good("an absolute target", b"GET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /c?d"),
    Good("an absolute target without a path", b"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /"),
    Good("an absolute target with only a query", b"GET http://b?c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /?c"),
    Good("OPTIONS on the server", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS *"),
    Good("a host with a port", b"GET / HTTP/1.1\r\nHost: [::1]:4000\r\n\r\n", b"GET /"),
    Good("HTTP/1.0 without a host", b"GET / HTTP/1.0\r\n\r\n", b"GET /"),
    Good("a body with GET", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"GET /", b"abc"),
    Good("a value with high bytes", post(b"X-A: \xe4\xff\r\nContent-Length: 3\r\n"), b"POST /", b"abc"),
    Good(
        "the same credential twice",
        post(b"Authorization: a\r\nAuthorization: a\r\nContent-Length: 3\r\n"),
        b"POST /",
        b"abc",
    ),
]


@pytest.mark.parametrize("good", ACCEPTED, ids=[good.what for good in ACCEPTED])
async def test_clear_request_is_understood(serve: Serve, good: Good) -> None:
    answer = await (await serve()).ask(good.raw)
    assert (answer.status, answer.headers[b"x-saw"], answer.body) == (200, good.saw, good.body)


async def test_fields_reach_the_handler_in_lower_case_trimmed_joined_and_in_order(serve: Serve) -> None:
    seen: list[tuple[dict[bytes, bytes], list[tuple[bytes, bytes]]]] = []

    async def handle(exchange: Exchange) -> None:
        seen.append((exchange.request.headers, exchange.request.header_list))
        exchange.reply(204, b"", b"")

    served = await serve(handle)
    await served.ask(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-B:  1 \t\r\nx-a: 2\r\nCookie: c=1\r\nX-b: 3\r\ncookie: d=2\r\nX-Empty:\r\n\r\n"
    )
    headers, header_list = seen[0]
    assert headers == {b"host": b"a", b"x-b": b"1, 3", b"x-a": b"2", b"cookie": b"c=1; d=2", b"x-empty": b""}
    assert [name for name, _ in header_list] == [b"host", b"x-b", b"x-a", b"cookie", b"x-b", b"cookie", b"x-empty"]


async def test_authority_of_an_absolute_target_replaces_the_host(serve: Serve) -> None:
    seen: list[bytes] = []

    async def handle(exchange: Exchange) -> None:
        seen.append(exchange.request.headers[b"host"])
        exchange.reply(204, b"", b"")

    await (await serve(handle)).ask(b"GET http://right:81/ HTTP/1.1\r\nHost: wrong\r\n\r\n")
    assert seen == [b"right:81"]


async def test_body_behind_an_ignored_upgrade_offer_is_read(serve: Serve) -> None:
    """Java's HTTP client offers h2c with every request; dropping the body breaks its calls."""
    served = await serve()
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAE\r\n"
    client = await served.connect()
    await client.send(post(offer + b"Content-Length: 3\r\n"))
    assert (await client.answer()).body == b"abc"
    await client.send(post(offer + b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n"))
    await client.send(b"2\r\nbc\r\n0\r\n\r\n")
    assert (await client.answer()).body == b"abc"
    await client.send(b"GET /c HTTP/1.1\r\nHost: a\r\n" + offer + b"\r\nGET /d HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.answer()).headers[b"x-saw"] == b"GET /c"
    assert (await client.answer()).headers[b"x-saw"] == b"GET /d"


async def test_bytes_behind_a_last_request_are_not_answered(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await client.answer()
    assert answer.headers[b"connection"] == b"close"
    assert await client.rest() == b""
