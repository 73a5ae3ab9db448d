"""The keeper's process: control API and console, ingest, and the snapshot that the workers serve from."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from fastapi import FastAPI

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.services import Services
from watchkeeper.console.app import mount_console
from watchkeeper.core.clock import SystemClock
from watchkeeper.ingest.drain import Drain
from watchkeeper.money.book import PriceBook
from watchkeeper.server.desired import DesiredState
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.pricing import BookPricer
from watchkeeper.server.sealed import SealedFile
from watchkeeper.server.welcome import Welcome, prepare_welcome
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore

TICK_S = 0.25
"""How often the configuration file is looked at: an edit is served within a second."""

_log = logging.getLogger("watchkeeper.keeper")


class KeeperOptions(msgspec.Struct, frozen=True):
    """How the supervisor starts the keeper; passed as JSON in its first argument."""

    data: str
    config: str
    host: str
    console_port: int
    gateway_port: int


class Keeper:
    """The parts of the keeper, started in order and stopped in the reverse."""

    def __init__(self, options: KeeperOptions) -> None:
        self._options = options
        self._folder = DataFolder(Path(options.data))
        self._secrets = NodeSecrets.load(self._folder.node_key)
        self._clock = SystemClock()
        self._parent = os.getppid()

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        """Open the stores, serve until told to stop, and leave with everything taken in."""
        control = await ControlStore.open(f"sqlite:///{self._folder.control_db}")
        analytics = AnalyticsStore.open(f"chdb://{self._folder.analytics}")
        book = PriceBook()
        snapshot_file = SealedFile(self._folder.snapshot, self._secrets.derive("snapshot"))
        desired = DesiredState(Path(self._options.config), control, book, snapshot_file)
        pricer = BookPricer(book, desired)
        drain = Drain(self._folder.spool, self._secrets.derive("spool"), analytics, pricer)
        services = Services(
            control=control,
            analytics=analytics,
            secrets=self._secrets,
            clock=self._clock,
            on_control_change=desired.recompile_soon,
            health=lambda: {**desired.health(), "ingest": drain.status()},
            gateway_url=f"http://{self._options.host}:{self._options.gateway_port}",
        )
        await desired.compile()
        Welcome.write(self._folder, await prepare_welcome(services, self._folder, desired))
        drain.start()
        try:
            async with self._serving(services):
                on_ready()
                await self._follow(stop, desired)
        finally:
            await asyncio.to_thread(drain.stop)
            analytics.close()
            await control.close()

    async def _follow(self, stop: asyncio.Event, desired: DesiredState) -> None:
        while not stop.is_set() and os.getppid() == self._parent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)
            await desired.follow()

    @contextlib.asynccontextmanager
    async def _serving(self, services: Services):
        app = FastAPI(title="Watchkeeper", docs_url=None, redoc_url=None)
        app.include_router(build_api(services))
        mount_console(app, services)
        yield


def main() -> None:
    """Read the options from the command line, serve, and say `ready` on standard output once listening."""


if __name__ == "__main__":
    main()
