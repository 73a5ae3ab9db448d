"""Every limit towards clients has a stated end: slow, oversized, too many, too much."""

import asyncio
import os
import resource
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.contract.wire.rig import Hand, Served, until

from watchkeeper.gateway.wire.server import Exchange, ServerLimits

Serve = Callable[..., Awaitable[Served]]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


async def settled(served: Served) -> None:
    """Let the server read what has been sent."""
    before = served.server.accepted
    await until(lambda: served.server.accepted >= before)
    await asyncio.sleep(0.03)


# size


async def test_target_that_is_too_long_is_refused_before_it_has_ended(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(target_bytes_max=100))
    answer = await served.ask(b"GET /" + b"a" * 100)
    assert (answer.status, answer.json["error"]["code"]) == (414, "target_too_long")
    assert (await served.ask(b"GET /" + b"a" * 99 + b" HTTP/1.1\r\nHost: a\r\n\r\n")).status == 200


async def test_head_that_is_too_long_is_refused_before_it_has_ended(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(head_bytes_max=1000))
    answer = await served.ask(HEAD + b"x-a: " + b"a" * 1000)
    assert (answer.status, answer.json["error"]["code"]) == (431, "headers_too_large")


async def test_head_that_is_too_long_is_refused_though_it_came_at_once(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(head_bytes_max=1000))
    assert (await served.ask(HEAD + b"x-a: " + b"a" * 1000 + b"\r\n\r\n")).status == 431
    assert (await served.ask(HEAD + b"Content-Length: 5000\r\n\r\n" + b"a" * 5000)).status == 200


async def test_too_many_fields_are_refused(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(headers_max=10))
    fields = b"".join(b"x-%d: 1\r\n" % n for n in range(9))
    assert (await served.ask(HEAD + fields + b"\r\n")).status == 200
    answer = await served.ask(HEAD + fields + b"x-last: 1\r\n\r\n")
    assert answer.status == 431
    assert "11 header fields" in str(answer.json["error"]["message"])


@pytest.mark.parametrize("chunked", [False, True])
async def test_body_that_is_too_long_is_refused_and_the_answer_is_heard(serve: Serve, chunked: bool) -> None:
    """The client is still sending when it is refused: closing at once would reset the answer away."""
    served = await serve(limits=ServerLimits(body_bytes_max=1000))
    client = await served.connect()
    if chunked:
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        part = b"3e8\r\n" + b"a" * 1000 + b"\r\n"
    else:
        await client.send(HEAD + b"Content-Length: 4000000\r\n\r\n")
        part = b"a" * 1000
    for _ in range(1000):
        await client.send(part)
    answer = await client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (413, "body_too_large")
    assert served.server.buffered_bytes == 0


async def test_chunked_body_is_refused_also_when_it_came_at_once(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(body_bytes_max=10))
    whole = HEAD + b"Transfer-Encoding: chunked\r\n\r\nb\r\n" + b"a" * 11 + b"\r\n0\r\n\r\n"
    assert (await served.ask(whole)).status == 413


async def test_endless_chunk_extension_is_refused(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;")
    for _ in range(20):
        await client.send(b"a" * 1000)
        await asyncio.sleep(0)
    answer = await client.answer()
    assert (answer.status, "chunk extensions" in str(answer.json["error"]["message"])) == (400, True)


async def test_endless_zeros_of_a_chunk_size_are_refused(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        await client.send(b"0" * 1000)
        await asyncio.sleep(0)
    assert (await client.answer()).status == 400


async def test_endless_trailers_are_refused(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    for n in range(40):
        await client.send(b"x-%d: " % n + b"a" * 500 + b"\r\n")
        await asyncio.sleep(0)
    assert (await client.answer()).status == 400


async def test_body_of_single_byte_chunks_is_taken(serve: Serve) -> None:
    client = await (await serve()).connect()
    await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")
    assert (await client.answer()).body == b"x" * 50_000


async def test_bodies_of_all_connections_together_are_limited(serve: Serve) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await gate.wait()
        exchange.reply(200, b"", b"")

    served = await serve(handle, limits=ServerLimits(buffered_bytes_max=2500))
    first, second, third, small = [await served.connect() for _ in range(4)]
    whole = HEAD + b"Content-Length: 1000\r\n\r\n" + b"a" * 1000
    await first.send(whole)
    await second.send(whole)
    await until(lambda: served.server.requests == 2)
    await third.send(whole)
    answer = await third.answer()
    assert (answer.status, answer.json["error"]["code"], answer.json["error"]["type"]) == (
        503,
        "overloaded",
        "server_error",
    )
    assert served.server.buffered_bytes == 2000
    await small.send(HEAD + b"Content-Length: 4000\r\n\r\n" + b"a" * 600)
    assert (await small.answer()).status == 503
    assert served.server.buffered_bytes == 2000
    gate.set()
    assert [(await one.answer()).status for one in (first, second)] == [200, 200]
    await until(lambda: served.server.buffered_bytes == 0)


async def test_bytes_of_a_client_that_leaves_are_counted_no_more(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(HEAD + b"Content-Length: 1000\r\n\r\n" + b"a" * 600)
    await until(lambda: served.server.buffered_bytes == 600)
    client.close()
    await until(lambda: served.server.open_connections == 0)
    assert served.server.buffered_bytes == 0


async def test_connection_beyond_the_limit_is_told_so(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(connections_max=2))
    clients = [await served.connect() for _ in range(2)]
    await until(lambda: served.server.open_connections == 2)
    extra = await served.connect()
    assert (await extra.answer()).status == 503
    clients[0].close()
    await until(lambda: served.server.open_connections == 1)
    assert (await served.ask(GET)).status == 200


# time


@pytest.mark.parametrize("part", [b"G", b"GET / HT", HEAD, HEAD + b"x-a"])
async def test_head_that_does_not_end_in_time_is_refused(serve: Serve, hand: Hand, part: bytes) -> None:
    served = await serve(limits=ServerLimits(head_s=15))
    client = await served.connect()
    await client.send(part)
    await settled(served)
    hand.move(16)
    answer = await client.answer()
    assert (answer.status, answer.json["error"]["code"]) == (408, "request_timeout")
    assert await client.rest() == b""


async def test_head_sent_byte_by_byte_gets_no_more_time(serve: Serve, hand: Hand) -> None:
    served = await serve(limits=ServerLimits(head_s=15))
    client = await served.connect()
    for letter in (b"G", b"E", b"T", b" "):
        await client.send(letter)
        await settled(served)
        hand.move(5)
    assert (await client.answer()).status == 408


async def test_body_that_trickles_is_refused(serve: Serve, hand: Hand) -> None:
    served = await serve(limits=ServerLimits(body_window_s=30, body_window_bytes_min=100))
    client = await served.connect()
    await client.send(HEAD + b"Content-Length: 1000\r\n\r\n" + b"a" * 200)
    await settled(served)
    hand.move(31)
    await settled(served)
    await client.send(b"a" * 50)
    await settled(served)
    hand.move(31)
    answer = await client.answer()
    assert answer.status == 408
    assert "100 bytes" in str(answer.json["error"]["message"])


async def test_body_that_flows_slowly_is_taken(serve: Serve, hand: Hand) -> None:
    served = await serve(limits=ServerLimits(body_window_s=30, body_window_bytes_min=100))
    client = await served.connect()
    await client.send(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(10):
        await client.send(b"a" * 100)
        await settled(served)
        hand.move(20)
    assert (await client.answer()).body == b"a" * 1000


async def test_idle_connection_is_closed_without_a_word(serve: Serve, hand: Hand) -> None:
    served = await serve(limits=ServerLimits(idle_s=75))
    fresh, used = await served.connect(), await served.connect()
    await used.send(GET)
    await used.answer()
    await settled(served)
    hand.move(74)
    await settled(served)
    assert served.server.open_connections == 2
    hand.move(2)
    assert (await fresh.rest(), await used.rest()) == (b"", b"")


async def test_slow_handler_is_not_the_clients_fault(serve: Serve, hand: Hand) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await gate.wait()
        exchange.reply(200, b"", b"")

    served = await serve(handle)
    client = await served.connect()
    await client.send(GET + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
    await until(lambda: served.server.requests == 1)
    hand.move(1000)
    await settled(served)
    gate.set()
    assert (await client.answer()).status == 200
    await client.send(b"b")
    assert (await client.answer()).status == 200


@pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"])
async def test_client_that_takes_nothing_is_cut_off(serve: Serve, hand: Hand, last: bytes) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, b"", b"a" * 20_000_000)

    served = await serve(handle)
    client = await served.connect()
    client.pause()
    await client.send(GET[:-2] + last + b"\r\n")
    await until(lambda: served.server.requests == 1)
    await settled(served)
    hand.move(61)
    await settled(served)
    hand.move(61)
    await until(lambda: served.server.open_connections == 0)


@pytest.mark.parametrize("last", [b"", b"Connection: close\r\n"])
async def test_client_that_takes_slowly_is_served(serve: Serve, hand: Hand, last: bytes) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, b"", b"a" * 20_000_000)

    served = await serve(handle)
    client = await served.connect(receive_buffer=65536)
    await client.send(GET[:-2] + last + b"\r\n")
    await until(lambda: served.server.requests == 1)
    await settled(served)
    hand.move(40)
    await settled(served)
    head = await client.read_until(b"\r\n\r\n")
    assert b"content-length: 20000000" in head
    for _ in range(20):
        assert await client.read(1_000_000) == b"a" * 1_000_000
        hand.move(40)
        await asyncio.sleep(0.015)


async def test_refused_client_that_stays_is_cut_off(serve: Serve, hand: Hand) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(b"nonsense\r\n\r\n")
    assert (await client.answer()).status == 400
    await settled(served)
    hand.move(3)
    await until(lambda: served.server.open_connections == 0)


# number

CROWD = """
import socket, sys
count, port = int(sys.argv[1]), int(sys.argv[2])
clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
print("open", flush=True)
sys.stdin.readline()
for client in clients[:: count // 50]:
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200 "), "not served"
print("served", flush=True)
sys.stdin.readline()
"""
"""The clients are another process: this one's file descriptors and memory are those of the server alone."""


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_thousands_of_idle_connections_cost_little_and_are_still_served(serve: Serve) -> None:
    count = 10_000 if os.environ.get("WK_SOAK") else 2_000
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < count + 200:
        pytest.skip(f"{count} connections need {count + 200} file descriptors; {most} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    served = await serve()
    before_bytes = resident_bytes()
    crowd = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CROWD, str(count), str(served.port), stdin=PIPE, stdout=PIPE
    )
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    assert await crowd.stdout.readline() == b"open\n"
    await until(lambda: served.server.open_connections == count)
    assert (resident_bytes() - before_bytes) / count < 12_000
    crowd.stdin.write(b"go on\n")
    assert await crowd.stdout.readline() == b"served\n"
    crowd.stdin.close()
    assert await crowd.wait() == 0
    await until(lambda: served.server.open_connections == 0)
