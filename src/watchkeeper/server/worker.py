"""A gateway worker's process: one event loop, one pipeline, one spool."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.node import NodeSecrets
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.core.clock import SystemClock
from watchkeeper.gateway import live
from watchkeeper.gateway.admit import Admission
from watchkeeper.gateway.app import App
from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.breaker import BreakerTable
from watchkeeper.gateway.budgets.holdbook import HoldBook
from watchkeeper.gateway.budgets.purse import Purse
from watchkeeper.gateway.budgets.teller import Teller
from watchkeeper.gateway.cache import Cache
from watchkeeper.gateway.choose import Chooser
from watchkeeper.gateway.exposition import exposition
from watchkeeper.gateway.failover import Failover
from watchkeeper.gateway.faults import Injector
from watchkeeper.gateway.feedback import FeedbackDoor
from watchkeeper.gateway.fitting import Fitter
from watchkeeper.gateway.health import HealthBook
from watchkeeper.gateway.indexes import IndexShelf
from watchkeeper.gateway.meters import Meters
from watchkeeper.gateway.outputs import Outputs
from watchkeeper.gateway.passing import Passing
from watchkeeper.gateway.pipeline import Parts, Pipeline
from watchkeeper.gateway.plan import prepare
from watchkeeper.gateway.prompts import Bundles
from watchkeeper.gateway.ratios import Ratios
from watchkeeper.gateway.recorder import NoRecorder, SpoolRecorder
from watchkeeper.gateway.retrieving import Retriever
from watchkeeper.gateway.serving import Features
from watchkeeper.gateway.shadows import Shadows
from watchkeeper.gateway.shelf import Shelf
from watchkeeper.gateway.snapshot import Snapshot
from watchkeeper.gateway.watchdog import Watchdog
from watchkeeper.gateway.wire.client import Pool, PoolLimits
from watchkeeper.gateway.wire.server import Server, ServerLimits
from watchkeeper.releases.bundle import Signer
from watchkeeper.server import local_socket
from watchkeeper.server.folder import DataFolder, write_for_owner_only
from watchkeeper.server.options import WorkerOptions
from watchkeeper.server.sealed import FollowedFile, SealedFile, SealError, release_file
from watchkeeper.spool.writer import SpoolWriter

TICK_S = 0.1
"""How often a worker looks for what is live and for a new snapshot: a change is served well within a second."""
PUBLISH_TICKS = 10
"""Ticks between two publications of the meters."""
KEEPER_SILENT_S = 5.0
"""A keeper that gives no sign of life for so long is not there, and what is served may be old."""
YOUNG_OBJECTS_MAX = 20_000
"""New objects between two looks for cycles; with Python's default they took 7 % of a worker's time."""
DRAIN_S = 30.0
"""How long calls under way may take after SIGTERM; then their connections are cut and recorded so."""

_log = logging.getLogger("watchkeeper.worker")


class Worker:
    """The parts of one worker and the loop that keeps them up to date."""

    def __init__(self, options: WorkerOptions, loop: AbstractEventLoop) -> None:
        folder = DataFolder(Path(options.data))
        secrets = NodeSecrets.load(folder.node_key)
        clock = SystemClock()
        self._options = options
        self._clock = clock
        self._folder = folder
        self._parent = os.getppid()
        self._snapshot_file = FollowedFile(SealedFile(folder.snapshot, secrets.derive("snapshot")))
        self._live_file = FollowedFile(SealedFile(folder.live, secrets.derive("live")))
        self._ticks = 0
        self.spool = SpoolWriter(folder.spool / options.name, secrets.derive("spool"), loop=loop, clock=clock)
        self._recorder = SpoolRecorder(self.spool)
        self.meters = Meters(options.name)
        self.watchdog = Watchdog(loop, clock)
        self.pool = Pool(loop, PoolLimits())
        self.cache = Cache(clock)
        self.purse, self.teller = _purse_of(options.name, folder, loop, clock)
        self._healths = HealthBook(BreakerTable(folder.breakers))
        admission = Admission(KeyHasher(secrets.derive("keys")), Pseudonyms(secrets.derive("subjects")), clock)
        attempts = Attempts(clock, self.pool, self.watchdog, Injector(loop, clock), Ratios(clock))
        key = secrets.derive("live")
        shelf = Shelf(lambda release: release_file(folder, key, release).read())
        index_shelf = IndexShelf(folder.indexes, secrets.derive("indexes"), loop=loop)
        self.retriever = Retriever(loop, self.pool, index_shelf, now=clock.monotonic)
        self.features = Features(shelf, self.retriever)
        self.shadows = Shadows(loop)
        parts = Parts(
            clock=clock,
            worker=options.name,
            admission=admission,
            chooser=Chooser(clock),
            failover=Failover(loop, clock, attempts, Fitter(attempts)),
            passing=Passing(attempts),
            cache=self.cache,
            purse=self.purse,
            features=self.features,
            outputs=Outputs(attempts),
            shadows=self.shadows,
            recorder=self._recorder if options.records else NoRecorder(),
            meters=self.meters,
        )
        self.pipeline = Pipeline(parts, plan=None)
        feedback = FeedbackDoor(admission, parts.recorder, clock)
        bundles = Bundles(self.features, shelf, Signer(secrets.derive("bundles")), clock)
        self.app = App(
            self.pipeline, admission, clock, metrics=self._metrics, why_not_ready=self._why_not_ready,
            feedback=feedback, bundles=bundles,
        )  # fmt: skip
        self.server = Server(self.app.handle, ServerLimits(), loop=loop)

    async def start(self) -> None:
        """Take in the present snapshot and begin to listen."""
        self._take_snapshot()
        self._take_live()
        await self.spool.start()
        self.watchdog.start()
        self.teller.start()
        await self.server.start(self._options.host, self._options.port, reuse_port=True)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the snapshot and publish the meters until told to stop, or until the supervisor is gone."""
        while not stop.is_set() and os.getppid() == self._parent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)
            self._take_snapshot()
            self._take_live()
            self.purse.tick(self.spool.counters["written"])
            self._ticks += 1
            if self._ticks % PUBLISH_TICKS == 0:
                self._publish()
                self._tell_what_is_served()
                self.features.is_stale = self._is_keeper_silent()

    async def stop(self) -> None:
        """Finish the calls under way, then leave nothing unwritten."""
        self.server.begin_drain()
        await self.server.drained(DRAIN_S)
        self.shadows.stop()
        self.watchdog.stop()
        await self.pool.close()
        self.retriever.close()
        await self.spool.close()
        self.purse.close(self.spool.counters["written"])
        self.teller.stop()
        self._publish()

    def _take_snapshot(self) -> None:
        try:
            content = self._snapshot_file.news()
            if content is None:
                return
            snapshot = msgspec.msgpack.decode(content, type=Snapshot)
        except (OSError, SealError, msgspec.MsgspecError) as error:
            _log.error("the snapshot cannot be read and the previous one serves on: %s", error)
            return
        self.pipeline.plan = prepare(snapshot, self._healths)
        self.cache.purge(snapshot.purges)
        self.purse.follow(snapshot)
        self.retriever.follow(snapshot)
        self._recorder.follow(snapshot.durability)

    def _take_live(self) -> None:
        try:
            content = self._live_file.news()
            if content is None:
                return
            self.features.follow(live.decode(content))
        except (OSError, SealError, msgspec.MsgspecError) as error:
            _log.error("what is live cannot be read and what was serves on: %s", error)
            return
        self._tell_what_is_served()

    def _tell_what_is_served(self) -> None:
        try:
            (self._folder.serving / self._options.name).write_text(str(self.features.live.version))
        except OSError as error:  # a full disk; it is told again when there is room
            _log.warning("what is served cannot be told: %s", error.strerror)

    def _is_keeper_silent(self) -> bool:
        try:
            return self._clock.unix_ns() / 1e9 - self._folder.heartbeat.stat().st_mtime > KEEPER_SILENT_S
        except FileNotFoundError:
            return True

    def _why_not_ready(self) -> str:
        if self.pipeline.plan is None:
            return "no configuration yet"
        return self.spool.trouble

    def _read_gauges(self) -> None:
        self.meters.gauges = {
            "calls_in_flight": self.watchdog.in_flight,
            "connections_open": self.server.open_connections,
            "spool_waiting_bytes": self.spool.waiting_bytes,
        }
        self.meters.counters = {f"spool_{name}": float(count) for name, count in self.spool.counters.items()}
        self.meters.counters["shadows_skipped"] = float(self.shadows.skipped)

    def _metrics(self) -> bytes:
        self._read_gauges()
        others = [_read_meters(path) for path in self._folder.meters.glob("*.mp") if path.stem != self._options.name]
        return exposition([self.meters, *(meters for meters in others if meters is not None)])

    def _publish(self) -> None:
        self._read_gauges()
        try:
            _replace(self._folder.meters / f"{self._options.name}.mp", msgspec.msgpack.encode(self.meters))
        except OSError as error:
            # A full disk; what was counted stays in memory and is published when there is room.
            _log.warning("the meters cannot be published: %s", error.strerror)


def _purse_of(name: str, folder: DataFolder, loop: AbstractEventLoop, clock: SystemClock) -> tuple[Purse, Teller]:
    """Return a purse that draws on the keeper's ledger, and what asks for it."""
    holder = f"{name}.{clock.unix_ns()}"
    purse = Purse(clock, worker=name, holder=holder, book=HoldBook(folder.holds / holder))
    teller = Teller(
        loop, lambda: local_socket.connect(folder.ledger_socket, timeout_s=1.0), purse.hello, purse.on_recall
    )
    purse.draw_on(teller)
    return purse, teller


def _read_meters(path: Path) -> Meters | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Meters)
    except (OSError, msgspec.MsgspecError):
        return None


def _replace(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


async def serve(options: WorkerOptions, on_ready: Callable[[], None]) -> None:
    """Run one worker until SIGTERM, or until its supervisor is gone."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    worker = Worker(options, loop)
    await worker.start()
    _spare_the_collector()
    on_ready()
    await worker.run(stop)
    await worker.stop()


def _spare_the_collector() -> None:
    """Leave what start-up made out of every collection, and collect less often: finished calls leave no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 50)


def main() -> None:
    """Read the options from the command line, serve, and say `ready` on standard output once listening."""
    write_for_owner_only()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    options = msgspec.json.decode(sys.argv[1], type=WorkerOptions)

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    uvloop.run(serve(options, ready))


if __name__ == "__main__":
    main()
