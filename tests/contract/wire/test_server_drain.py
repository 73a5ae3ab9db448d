"""A server that is told to stop finishes what it has begun."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.wire.rig import Served, until

from watchkeeper.gateway.wire.server import Exchange, ServerLimits

Serve = Callable[..., Awaitable[Served]]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_call_under_way_is_answered_and_its_connection_closed(serve: Serve) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        await gate.wait()
        exchange.reply(200, b"", b"done")

    served = await serve(handle)
    client = await served.connect()
    await client.send(GET)
    await until(lambda: served.server.requests == 1)
    served.server.begin_drain()
    with pytest.raises(ConnectionRefusedError):
        await served.connect()
    drained = asyncio.ensure_future(served.server.drained(5))
    await asyncio.sleep(0.02)
    assert not drained.done()
    gate.set()
    answer = await client.answer()
    assert (answer.body, answer.headers[b"connection"]) == (b"done", b"close")
    assert await client.rest() == b""
    assert await drained == 0


async def test_stream_that_began_before_is_carried_to_its_end(serve: Serve) -> None:
    gate = asyncio.Event()

    async def handle(exchange: Exchange) -> None:
        exchange.start(200, b"")
        exchange.write(b"a")
        await gate.wait()
        exchange.write(b"b")
        exchange.finish()

    served = await serve(handle, limits=ServerLimits(drain_grace_s=0.01))
    client = await served.connect()
    await client.send(GET)
    await until(lambda: served.server.requests == 1)
    drained = asyncio.ensure_future(served.server.drained(60))
    await asyncio.sleep(0.05)
    gate.set()
    assert (await client.answer()).body == b"ab"
    assert await client.rest() == b""
    assert await drained == 0


async def test_request_that_was_on_its_way_is_answered(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(drain_grace_s=0.2))
    client = await served.connect()
    await client.send(GET)
    await client.answer()
    served.server.begin_drain()
    await client.send(GET)
    answer = await client.answer()
    assert (answer.status, answer.headers[b"connection"]) == (200, b"close")


async def test_idle_connections_are_closed_after_a_moment(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(drain_grace_s=0.02))
    clients = [await served.connect() for _ in range(3)]
    await until(lambda: served.server.open_connections == 3)
    assert await served.server.drained(5) == 0
    assert [await client.rest() for client in clients] == [b"", b"", b""]


async def test_half_received_request_is_still_answered(serve: Serve) -> None:
    served = await serve(limits=ServerLimits(drain_grace_s=0.02))
    client = await served.connect()
    await client.send(GET[:10])
    await until(lambda: served.server.open_connections == 1)
    await asyncio.sleep(0.02)
    drained = asyncio.ensure_future(served.server.drained(5))
    await asyncio.sleep(0.1)
    await client.send(GET[10:])
    assert (await client.answer()).status == 200
    assert await drained == 0


async def test_call_that_takes_too_long_is_cut_and_counted(serve: Serve) -> None:
    ends: list[str] = []

    async def handle(exchange: Exchange) -> None:
        gone = asyncio.Event()
        exchange.on_close = gone.set
        await gone.wait()
        ends.append("written down")

    served = await serve(handle)
    client = await served.connect()
    await client.send(GET)
    await until(lambda: served.server.requests == 1)
    assert await served.server.drained(0.05) == 1
    assert ends == ["written down"]
    assert await client.rest() == b""


async def test_handler_that_never_ends_is_cancelled_at_last(serve: Serve) -> None:
    async def handle(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    served = await serve(handle, limits=ServerLimits(cut_grace_s=0.02))
    client = await served.connect()
    await client.send(GET)
    await until(lambda: served.server.requests == 1)
    assert await served.server.drained(0.01) == 1
