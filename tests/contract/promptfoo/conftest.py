"""promptfoo itself, installed once and run without its database."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.promptfoo.installing import DRIVE, NotInstallable, installed, node_and_npm, switches

RUN_S = 300

Runs = Callable[..., dict[str, Any]]
"""Runs promptfoo on a configuration and returns what it writes with `-o out.json`."""


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder of the installed package."""
    try:
        return installed()
    except NotInstallable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def promptfoo(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs it; `options` are `command` (as its command line has them), `evaluate`, `filters` and `providers`."""
    node, _ = node_and_npm()
    own = switches(tmp_path_factory.mktemp("promptfoo-home"))

    def run(config: Path, options: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> dict[str, Any]:
        out = tmp_path_factory.mktemp("promptfoo-out") / "out.json"
        command = [*node, str(DRIVE), str(package), str(config), str(out), json.dumps(options or {})]
        done = subprocess.run(
            command,
            cwd=config.parent,
            env={**own, **(env or {})},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        written: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return written

    return run
