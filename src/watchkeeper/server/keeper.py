"""The keeper's process: control API and console, ingest, and the snapshot that the workers serve from."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp

from watchkeeper.access.node import NodeSecrets
from watchkeeper.api.app import build_api
from watchkeeper.api.auth import LocalDoor
from watchkeeper.api.services import Services
from watchkeeper.config.load import load
from watchkeeper.console.app import mount
from watchkeeper.core.clock import SystemClock
from watchkeeper.gateway.budgets.holdbook import read_holds
from watchkeeper.gateway.snapshot import Snapshot
from watchkeeper.incidents.post import Post
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.feedback import FeedbackDesk
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.ingest.settling import LoopSettler
from watchkeeper.money.budgets import Rule
from watchkeeper.server import local_socket
from watchkeeper.server.budgets import alert_shares, open_holds, watched_accounts
from watchkeeper.server.cost_basis import allowed_failures
from watchkeeper.server.delivery import Delivery
from watchkeeper.server.desired import DesiredState
from watchkeeper.server.drifting import with_drift
from watchkeeper.server.evals import Evals
from watchkeeper.server.first_start import prepare_welcome
from watchkeeper.server.folder import DataFolder, write_for_owner_only
from watchkeeper.server.indexes import IndexFiles
from watchkeeper.server.ledger import LedgerService
from watchkeeper.server.live import LiveReleases
from watchkeeper.server.lives import Lives, Surroundings
from watchkeeper.server.options import KeeperOptions
from watchkeeper.server.own_keys import own_entries
from watchkeeper.server.parts import Stores, build_services
from watchkeeper.server.prices import stored_book
from watchkeeper.server.rollouts import Judge
from watchkeeper.server.rounds import Duty, Rounds
from watchkeeper.server.sealed import SealedFile
from watchkeeper.server.watch import Watch
from watchkeeper.server.welcome import welcome_file

TICK_S = 0.25
"""How often the configuration file is looked at: an edit is served within a second."""
LIVES_TICKS = 4
"""Ticks between two looks at workers that have ended."""
FOLD_TICKS = 2_400
"""Ticks between two clearances of what rolling windows have left behind."""
FEEDBACK_EVERY_S = 1.0
"""How soon feedback is sorted out that came in under a key."""
FINISH_S = 3
"""How long answers under way may take when the keeper stops."""


class _Site(uvicorn.Server):
    """One listening address; signals are the keeper's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def keep(options: KeeperOptions, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    """Open the stores, serve until told to stop, and leave with everything taken in."""
    folder = DataFolder(Path(options.data))
    secrets = NodeSecrets.load(folder.node_key)
    parent = os.getppid()
    clock = SystemClock()
    pricer = BookPricer(Terms({}))
    async with Stores.opened(folder, clock, load(Path(options.config)).config) as stores:
        file = SealedFile(folder.snapshot, secrets.derive("snapshot"))
        book = await stored_book(stores.control.prices)
        desired = DesiredState(Path(options.config), stores.control, book, pricer, file, own_keys=own_entries(secrets))
        host = folder.host_id()
        settler = LoopSettler(stores.control.ledger, asyncio.get_running_loop(), host=host)
        live = LiveReleases(stores.control, folder, secrets.derive("live"), clock)
        drain = Drain(folder.spool, secrets.derive("spool"), stores.analytics, pricer, clock=clock, settler=settler)
        ledger = LedgerService(stores.control.ledger, clock, host=host)
        around = _surroundings(ledger, drain, stores)
        lives = Lives(stores.control.ledger, around, clock, host=host, books=folder.holds)
        indexes = IndexFiles(folder.indexes, secrets.derive("indexes"), stores.analytics.indexes)
        desk = FeedbackDesk(stores.analytics.feedback, stores.analytics.value, clock, taken_in=drain.feedback)
        statuses = {"ingest": drain.status, "ledger": ledger.status, "feedback": desk.status, "indexes": indexes.status}
        services = build_services(
            stores,
            secrets,
            clock,
            desired=desired,
            gateway_url=f"http://{options.host}:{options.gateway_port}/v1",
            statuses=statuses,
        )
        services = replace(services, on_release_change=live.told, arrival=live.arrival, on_index_change=indexes.follow)
        services, drifting = with_drift(services, console=_console_address(options))
        desired.obey = lambda snapshot: _obey(ledger, snapshot)
        await prepare_welcome(services, welcome_file(folder, secrets))
        await desired.compile()
        app = build_api(services)
        mount(app, services)
        feedback = Duty("sorting out feedback", FEEDBACK_EVERY_S, desk.look)
        telling = Duty("telling the workers what is live", TICK_S, live.follow)
        evals = Evals(services, folder, secrets.derive("online evals"), console=_console_address(options))
        judging = _judge(stores, services, options).duties()
        further = (telling, *indexes.duties(), *judging, feedback, *drifting, *evals.duties())
        await live.follow()
        tending = _Tending(desired, ledger, lives)
        await ledger.start(folder.ledger_socket)
        drain.start()
        try:
            async with _serving(app, folder, options), _watching(stores, desired, clock, options, further):
                on_ready()
                while not stop.is_set() and os.getppid() == parent:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), TICK_S)
                    await tending.step()
        finally:
            await evals.stop()
            await ledger.stop()
            await asyncio.to_thread(drain.stop)


def _surroundings(ledger: LedgerService, drain: Drain, stores: Stores) -> Surroundings:
    return Surroundings(
        connected=lambda: ledger.connected,
        is_drained=lambda worker, before_ns: drain.is_drained(worker, before_ns=before_ns),
        taken_in_ns=drain.taken_in_ns,
        stored_ids=stores.analytics.stored_ids,
        read_holds=read_holds,
    )


class _Tending:
    """Keeps the snapshot, and with it the ledger, in step with what is wanted and with workers that come and go."""

    def __init__(self, desired: DesiredState, ledger: LedgerService, lives: Lives) -> None:
        self._desired = desired
        self._ledger = ledger
        self._lives = lives
        self._steps = 0

    async def step(self) -> None:
        """Look once; whatever fails is told by the ledger's status and tried again."""
        self._steps += 1
        try:
            await self._desired.follow()
            if self._steps % LIVES_TICKS == 0:
                await self._lives.look()
            if self._steps % FOLD_TICKS == 0:
                await self._ledger.fold()
        except Exception as error:  # a database may be away for any reason; the console serves on
            self._ledger.note_trouble(error)
        else:
            self._ledger.note_trouble(None)


async def _obey(ledger: LedgerService, snapshot: Snapshot) -> None:
    """Have the ledger go by the budgets and limits that the workers are about to be given."""
    rules: dict[str, Rule] = {rule.id: rule for rule in snapshot.budgets}
    rules |= {rule.id: rule for rule in snapshot.limits}
    await ledger.follow(rules, version=snapshot.version)


def _judge(stores: Stores, services: Services, options: KeeperOptions) -> Judge:
    """What looks at rollouts."""
    return Judge(
        rollouts=stores.control.rollouts,
        figures=stores.analytics.rollouts,
        notifications=services.notifications,
        clock=services.clock,
        console=_console_address(options),
        on_change=services.on_release_change,
    )


@contextlib.asynccontextmanager
async def _watching(
    stores: Stores, desired: DesiredState, clock: SystemClock, options: KeeperOptions, further: Sequence[Duty]
) -> AsyncIterator[None]:
    """Look at budgets and costs, deliver what there is to tell of them, and do what else there is."""
    watch = Watch(
        alerts=stores.control.alerts,
        outbox=stores.control.outbox,
        figures=stores.analytics,
        notifications=lambda: desired.loaded.config.notifications,
        accounts=lambda: watched_accounts(stores.control.ledger),
        holds=lambda: open_holds(stores.control.ledger),
        thresholds=lambda: alert_shares(desired.config),
        allowed_failures=lambda: allowed_failures(desired.config),
        clock=clock,
        console=_console_address(options),
    )
    control = stores.control
    async with (
        contextlib.aclosing(Post(clock)) as post,
        contextlib.aclosing(Delivery(control.alerts, control.outbox, post, watch.notifications)) as delivery,
    ):
        going = asyncio.create_task(Rounds([*watch.duties(), *delivery.duties(), *further]).run())
        try:
            yield
        finally:
            going.cancel()
            await asyncio.wait([going])


def _console_address(options: KeeperOptions) -> str:
    """Where a link into the console leads; empty where it listens on every address, none of which need lead here."""
    if options.host in ("0.0.0.0", "::"):
        return ""
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{options.console_port}"


@contextlib.asynccontextmanager
async def _serving(app: ASGIApp, folder: DataFolder, options: KeeperOptions) -> AsyncIterator[None]:
    """Serve people on the console's port and the command line on the socket in the data folder."""
    public = _listen_tcp(options.host, options.console_port)
    local = local_socket.listen(folder.socket)
    settings: dict[str, Any] = {"lifespan": "off", "log_level": "warning", "timeout_graceful_shutdown": FINISH_S}
    sites = [
        (_Site(uvicorn.Config(app, server_header=False, **settings)), public),
        (_Site(uvicorn.Config(LocalDoor(app), **settings)), local),
    ]
    tasks = [asyncio.create_task(site.serve(sockets=[door])) for site, door in sites]
    while not all(site.started for site, _ in sites):
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        for site, _ in sites:
            site.should_exit = True
        await asyncio.gather(*tasks)
        folder.socket.unlink(missing_ok=True)


def _listen_tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each answer took 44 ms longer.
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((host, port))
    return door


async def _main(options: KeeperOptions, on_ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await keep(options, stop, on_ready)


def main() -> None:
    """Read the options from the command line, serve, and say `ready` on standard output once listening."""
    write_for_owner_only()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    options = msgspec.json.decode(sys.argv[1], type=KeeperOptions)

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    asyncio.run(_main(options, ready))


if __name__ == "__main__":
    main()
