"""The command line as a person runs it, and a keeper for it to ask."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from tests.integration.control.recorded import record

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.cli.main import build
from watchkeeper.cli.outcome import run
from watchkeeper.config.schema import Config
from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock, SystemClock
from watchkeeper.core.ids import CallIds
from watchkeeper.server.folder import DataFolder, FolderLock
from watchkeeper.server.parts import Stores, build_services

COMMAND = (sys.executable, "-c", "from watchkeeper.cli.main import main; main()")


def new_folder(root: Path) -> DataFolder:
    folder = DataFolder(root)
    folder.create()
    NodeSecrets.load_or_create(folder.node_key)
    return folder


class Keeper(threading.Thread):
    """The control API on a data folder's socket, with a few calls stored: what the command line finds in a keeper."""

    def __init__(self, root: Path, make: Callable[[CallIds, Clock], dict[str, Call]]) -> None:
        super().__init__()
        self._make = make
        self.folder = new_folder(root)
        self.calls: dict[str, Call] = {}
        self.is_ready = threading.Event()
        self._server: uvicorn.Server | None = None

    def run(self) -> None:
        with FolderLock(self.folder):
            asyncio.run(self._serve())

    def stop(self) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self.join()

    async def _serve(self) -> None:
        async with self._app() as app:
            settings = uvicorn.Config(app, uds=str(self.folder.socket), lifespan="off", log_level="warning")
            self._server = _Server(settings)
            serving = asyncio.create_task(self._server.serve())
            while not self._server.started:
                await asyncio.sleep(0.01)
            self.is_ready.set()
            await serving

    @asynccontextmanager
    async def _app(self) -> AsyncIterator[LocalDoor]:
        clock = SystemClock()
        ids = CallIds(clock)
        async with Stores.opened(self.folder, clock, Config()) as stores:
            self.calls = self._make(ids, clock)
            record(stores.analytics, list(self.calls.values()), token="all")
            secrets = NodeSecrets.load(self.folder.node_key)
            services = build_services(stores, secrets, clock, desired=None, gateway_url="")
            yield LocalDoor(build_api(services))


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Signals belong to the process that runs the tests."""


class Command:
    """Runs commands in this process, as `main` does."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str, data: Path) -> int:
        self._capsys.readouterr()
        code = run(build(), [*arguments, "--data", str(data)])
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self, *arguments: str, data: Path) -> object:
        """Run with --json, which must succeed, and return the one document that is printed."""
        assert self(*arguments, "--json", data=data) == 0, self.err
        return json.loads(self.out)


class LoneCommand(Command):
    """Runs commands in processes of their own: without a keeper they open the stores, one chDB in a process."""

    def __call__(self, *arguments: str, data: Path) -> int:
        done = subprocess.run(
            [*COMMAND, *arguments, "--data", str(data)], capture_output=True, text=True, check=False, umask=0o022
        )
        self.out, self.err = done.stdout, done.stderr
        return done.returncode
