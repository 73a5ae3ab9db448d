"""A scripted upstream, and clients of it."""

from collections.abc import Iterator

import httpx
import pytest
from anthropic import Anthropic

from watchkeeper.testing import Upstream


@pytest.fixture(scope="module")
def started() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(started: Upstream) -> Upstream:
    started.clear()
    return started


@pytest.fixture
def claude(upstream: Upstream) -> Iterator[Anthropic]:
    with Anthropic(base_url=upstream.origin, api_key="sk-ant-fake", max_retries=0, timeout=5) as client:
        yield client


@pytest.fixture
def http(upstream: Upstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=upstream.base_url, timeout=5) as client:
        yield client
