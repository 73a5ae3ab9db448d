"""A giver of bundles, and clients of it as applications make them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.sdk.giving import KEY, Giver, bundle_of, recipe

from watchkeeper import Prompts
from watchkeeper.testing import FakeClock


@pytest.fixture
def giver() -> Iterator[Giver]:
    with Giver() as found:
        found.gives("support", bundle_of(recipe()))
        yield found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def application(giver: Giver, clock: FakeClock, cache_dir: Path) -> Callable[..., Prompts]:
    """Starts an application, or the same one again: with a memory of its own, on the same cache folder."""

    def start(key: str = KEY, **more: Any) -> Prompts:
        return Prompts(giver.url, key, **{"cache_dir": cache_dir, "clock": clock, "timeout_s": 1.0, **more})

    return start
