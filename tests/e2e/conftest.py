"""Whole installations, started with the command that users start them with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI
from tests.e2e.load import BODY

from watchkeeper.testing import Upstream
from watchkeeper.testing.harness import Installation, free_port

FEATURES = """
features:
  support: {owner: ana@example.com, cost_owner: finance@example.com, stage: production}
"""


def config_for(upstream: Upstream, *, durability: str = "interval", routes: str = "") -> str:
    """Write a configuration whose only provider is a scripted upstream, priced like OpenAI."""
    return f"""
providers:
  scripted: {{base_url: "{upstream.base_url}", api_key: sk-fake, price_list: openai}}
{FEATURES}
routes:
  gpt-4o-mini: {{targets: [scripted/gpt-4o-mini]}}
{routes}
durability: {durability}
"""


def ask(installation: Installation, *, key: str = "", model: str = "gpt-4o-mini") -> httpx.Response:
    """Make one plain call."""
    return httpx.post(
        f"{installation.base_url}/chat/completions",
        content=BODY.replace(b"gpt-4o-mini", model.encode()),
        headers={"authorization": f"Bearer {key or installation.key}"},
        timeout=20,
    )


@pytest.fixture(scope="session")
def started_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(started_upstream: Upstream) -> Upstream:
    started_upstream.clear()
    return started_upstream


@pytest.fixture(scope="session")
def with_model(tmp_path_factory: pytest.TempPathFactory, started_upstream: Upstream) -> Iterator[Installation]:
    """One installation with the bundled model and a scripted upstream, shared by the tests that only make calls."""
    config = f"""
providers:
  local: {{base_url: "http://127.0.0.1:{free_port()}/v1", price_list: free}}
  scripted: {{base_url: "{started_upstream.base_url}", api_key: sk-fake, price_list: openai}}
{FEATURES}
routes:
  smollm2-135m: {{targets: [local/smollm2-135m]}}
  gpt-4o-mini: {{targets: [scripted/gpt-4o-mini]}}
"""
    with Installation(tmp_path_factory.mktemp("with-model"), config) as installation:
        yield installation


@pytest.fixture
def client(with_model: Installation) -> Iterator[OpenAI]:
    with OpenAI(base_url=with_model.base_url, api_key=with_model.key, max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def install(tmp_path: Path, upstream: Upstream) -> Iterator[Callable[..., Installation]]:
    """Starts installations of this test's own before the scripted upstream; they are stopped at its end."""
    running: list[Installation] = []

    def start(*, durability: str = "interval", workers: int = 1, routes: str = "") -> Installation:
        folder = tmp_path / f"installation-{len(running)}"
        config = config_for(upstream, durability=durability, routes=routes)
        installation = Installation(folder, config, workers=workers)
        running.append(installation)
        return installation.start()

    yield start
    for installation in running:
        installation.stop()
