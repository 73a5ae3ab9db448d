"""Real servers, clients and upstreams on loopback, on the event loop that workers run on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
import uvloop
from tests.contract.wire.rig import Hand, Handle, Raw, Served, Upstream, echo

from watchkeeper.gateway.wire.client import Pool, PoolLimits
from watchkeeper.gateway.wire.server import Server, ServerLimits


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def serve(hand: Hand) -> AsyncIterator[Callable[..., Awaitable[Served]]]:
    """Starts servers whose clock is moved by hand; they are drained at the end of the test."""
    servers: list[Server] = []

    async def start(handle: Handle = echo, limits: ServerLimits | None = None) -> Served:
        loop = asyncio.get_running_loop()
        server = Server(handle, limits or ServerLimits(), loop=loop, clock=hand, tick_s=0.01)
        servers.append(server)
        return Served(server, await server.start("127.0.0.1", 0))

    yield start
    for server in servers:
        await server.drained(0)


@pytest.fixture
async def upstream() -> AsyncIterator[Callable[..., Awaitable[Upstream]]]:
    """Starts upstreams that do as they are told, byte by byte."""
    upstreams: list[Upstream] = []

    async def start(*scripts: Callable[[Raw], Awaitable[None]]) -> Upstream:
        one = Upstream(scripts)
        await one.start()
        upstreams.append(one)
        return one

    yield start
    for one in upstreams:
        await one.stop()


@pytest.fixture
async def pool(hand: Hand) -> AsyncIterator[Pool]:
    one = Pool(asyncio.get_running_loop(), PoolLimits(), clock=hand, tick_s=0.01)
    yield one
    await one.close()
