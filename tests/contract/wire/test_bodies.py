"""Large bodies both ways, and nobody made to hold what a slow reader does not take."""

import asyncio
import hashlib
import resource
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.wire.rig import Hand, Raw, Remembered, Served, Upstream, until

from watchkeeper.gateway.wire.client import Flight, Pool
from watchkeeper.gateway.wire.server import Exchange

Serve = Callable[..., Awaitable[Served]]
Start = Callable[..., Awaitable[Upstream]]
MIB = 1024 * 1024
LARGE = 50 * MIB
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def sum_of(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


async def read_sum(raw: Raw, size: int) -> bytes:
    digest = hashlib.sha256()
    while size:
        part = await raw.read(min(size, MIB))
        digest.update(part)
        size -= len(part)
    return digest.hexdigest().encode()


async def test_fifty_megabytes_are_received_and_sent_on(serve: Serve, upstream: Start, pool: Pool) -> None:
    """A client's body goes through the server and the client side, and its sum comes back."""

    async def sums(raw: Raw) -> None:
        head = await raw.read_until(b"\r\n\r\n")
        size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        await raw.send(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + await read_sum(raw, size))

    one = await upstream(sums)

    async def forward(exchange: Exchange) -> None:
        body = exchange.request.body
        head = b"POST / HTTP/1.1\r\nhost: up\r\ncontent-length: %d\r\n\r\n" % len(body)
        sink = Remembered()
        await pool.send(one.origin, head, body, sink, connect_timeout_s=5)
        assert await sink.outcome() is None
        exchange.reply(sink.status, b"", sink.body)

    served = await serve(forward)
    body = bytes(range(256)) * (LARGE // 256)
    client = await served.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    await client.send(body)
    assert (await client.answer()).body == sum_of(body)
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(body), MIB):
        await client.send(b"%x\r\n%b\r\n" % (MIB, body[at : at + MIB]))
    await client.send(b"0\r\n\r\n")
    assert (await client.answer()).body == sum_of(body)
    await until(lambda: served.server.buffered_bytes == 0)


async def test_fifty_megabytes_are_replied(serve: Serve) -> None:
    body = bytes(range(256)) * (LARGE // 256)

    async def handle(exchange: Exchange) -> None:
        if exchange.request.path == "/stream":
            exchange.start(200, b"")
            exchange.write(body)
            await exchange.drained()
            exchange.finish()
        else:
            exchange.reply(200, b"", body)

    client = await (await serve(handle)).connect()
    await client.send(GET)
    assert b"content-length: %d" % LARGE in await client.read_until(b"\r\n\r\n")
    assert await read_sum(client, LARGE) == sum_of(body)
    await client.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.read_until(b"\r\n\r\n")
    assert await client.read_until(b"\r\n") == b"%x\r\n" % LARGE
    assert await read_sum(client, LARGE) == sum_of(body)
    assert await client.read(7) == b"\r\n0\r\n\r\n"


async def test_upstream_reads_an_early_refusal_of_a_large_body(upstream: Start, pool: Pool) -> None:
    async def refuses(raw: Raw) -> None:
        await raw.read_until(b"\r\n\r\n")
        await raw.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
        await raw.read(LARGE)

    one = await upstream(refuses)
    sink = Remembered()
    head = b"POST / HTTP/1.1\r\nhost: up\r\ncontent-length: %d\r\n\r\n" % LARGE
    await pool.send(one.origin, head, b"a" * LARGE, sink, connect_timeout_s=5)
    assert await sink.outcome() is None
    assert (sink.status, sink.body) == (413, b"no")
    await until(lambda: one.open == 0)  # half of the request is still unsent: the connection is of no further use


async def test_reply_that_ends_with_its_connection_ends_though_the_request_was_not_read(
    upstream: Start, pool: Pool
) -> None:
    async def refuses(raw: Raw) -> None:
        await raw.read_until(b"\r\n\r\n")
        await raw.send(b"HTTP/1.1 413 Content Too Large\r\n\r\nno")
        raw.half_close()
        await asyncio.sleep(60)

    one = await upstream(refuses)
    sink = Remembered()
    head = b"POST / HTTP/1.1\r\nhost: up\r\ncontent-length: %d\r\n\r\n" % LARGE
    await pool.send(one.origin, head, b"a" * LARGE, sink, connect_timeout_s=5)
    assert await sink.outcome() is None
    assert (sink.status, sink.body) == (413, b"no")


class PassingOn(Remembered):
    """A sink that hands everything to a client at once, as a relay does."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange
        self.received_bytes = 0

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.exchange.start(status, b"")

    def on_data(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self.exchange.write(data)

    def on_end(self) -> None:
        self.exchange.finish()
        super().on_end()


async def test_client_that_does_not_read_stops_its_upstream(serve: Serve, upstream: Start, pool: Pool) -> None:
    sent_bytes = [0]

    async def pours(raw: Raw) -> None:
        await raw.read_until(b"\r\n\r\n")
        await raw.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * LARGE))
        for _ in range(4 * LARGE // MIB):
            await raw.send(b"x" * MIB)
            sent_bytes[0] += MIB

    one = await upstream(pours)
    sinks: list[PassingOn] = []
    flights: list[Flight] = []

    async def relay(exchange: Exchange) -> None:
        sink = PassingOn(exchange)
        sinks.append(sink)
        flight = await pool.send(one.origin, b"GET / HTTP/1.1\r\nhost: up\r\n\r\n", b"", sink, connect_timeout_s=5)
        exchange.on_pause, exchange.on_resume = flight.pause, flight.resume
        flights.append(flight)
        await sink.ended.wait()

    served = await serve(relay)
    client = await served.connect(receive_buffer=65536)
    client.pause()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await client.send(GET)
    await until(lambda: bool(flights) and sent_bytes[0] > 0)
    at_rest = -1
    while at_rest != sent_bytes[0]:
        at_rest = sent_bytes[0]
        await asyncio.sleep(0.1)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert sent_bytes[0] < 40 * MIB  # what fits into the sockets' own buffers
    assert sinks[0].received_bytes < 16 * MIB
    assert grown_kib < 40 * 1024
    client.resume()
    await client.read_until(b"\r\n\r\n")
    total = 0
    while size := int((await client.read_until(b"\r\n"))[:-2], 16):
        total += len(await client.read(size + 2)) - 2
    assert total == 4 * LARGE


@pytest.mark.parametrize("apart", [False, True])
async def test_next_request_waits_until_the_client_has_taken_the_last_answer(serve: Serve, apart: bool) -> None:
    async def handle(exchange: Exchange) -> None:
        exchange.reply(200, b"", b"x" * (20 * MIB))

    served = await serve(handle)
    client = await served.connect()
    client.pause()
    await client.send(GET)
    await until(lambda: served.server.requests == 1)
    for part in (GET[:5], GET[5:], GET) if apart else (GET + GET,):
        await client.send(part)
        await asyncio.sleep(0.02)
    assert served.server.requests == 1
    client.resume()
    for _ in range(3):
        assert len((await client.answer()).body) == 20 * MIB


async def test_client_that_leaves_wakes_a_handler_that_waits_to_write(serve: Serve, hand: Hand) -> None:
    woken: list[bool] = []

    async def handle(exchange: Exchange) -> None:
        exchange.start(200, b"")
        exchange.write(b"x" * (20 * MIB))
        await exchange.drained()
        woken.append(exchange.is_closed)

    client = await (await serve(handle)).connect()
    client.pause()
    await client.send(GET)
    await asyncio.sleep(0.05)
    client.reset()
    await until(lambda: bool(woken))
    assert woken == [True]
