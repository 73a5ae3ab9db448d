"""The data plane between real clients and two scripted upstreams, started once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import httpx
import pytest
import uvloop
from anthropic import Anthropic
from openai import AsyncOpenAI, OpenAI
from tests.contract.gateway.asking import Clients
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.testing import Upstream


@pytest.fixture(scope="session")
def started_upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    with Upstream() as scripted, Upstream() as spare:
        yield scripted, spare


@pytest.fixture(scope="session")
def started_gateway(started_upstreams: tuple[Upstream, Upstream]) -> Iterator[Gateway]:
    scripted, spare = started_upstreams
    gateway = Gateway(scripted.base_url, spare.base_url, scripted.origin)
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture
def upstream(started_upstreams: tuple[Upstream, Upstream]) -> Upstream:
    """The upstream behind the provider `scripted`."""
    started_upstreams[0].clear()
    return started_upstreams[0]


@pytest.fixture
def spare(started_upstreams: tuple[Upstream, Upstream]) -> Upstream:
    """The upstream behind the provider `spare`."""
    started_upstreams[1].clear()
    return started_upstreams[1]


@pytest.fixture
def gateway(started_gateway: Gateway, upstream: Upstream, spare: Upstream) -> Iterator[Gateway]:
    started_gateway.recorder.calls.clear()
    started_gateway.healths.clear()
    started_gateway.cache.clear()
    started_gateway.ratios.clear()
    yield started_gateway
    started_gateway.clock.added_s = 0.0


@pytest.fixture
def http(gateway: Gateway) -> Iterator[httpx.Client]:
    """Plain HTTP with a valid key, for what the official client hides: exact bytes, both ways."""
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    with httpx.Client(base_url=gateway.base_url, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
async def async_client(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[Anthropic]:
    with Anthropic(base_url=gateway.origin, api_key=gateway.key, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def clients(client: OpenAI, claude: Anthropic) -> Clients:
    return Clients(client, claude)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}
