"""One gateway worker alone: what the keeper would hand it is written once, and nothing else runs."""

import contextlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import calls, machine
from watchkeeper.access.keys import KeyHasher, NewKey, make_key
from watchkeeper.access.node import NodeSecrets
from watchkeeper.gateway import live
from watchkeeper.gateway.live import Standing
from watchkeeper.gateway.snapshot import CacheSettings, KeyEntry, ProviderEntry, RouteEntry, Snapshot, Target, encode
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.releases.recipe import Recipe, canonical, release_id
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.options import WorkerOptions
from watchkeeper.server.sealed import SealedFile, release_file
from watchkeeper.testing.harness import free_port

WORKER = "worker-0"
SWEEP_EVERY_S = 0.2
STOP_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running worker."""

    port: int
    key: str
    pid: int
    folder: DataFolder


ROUTED = "routed"
"""A route with everything on: weights, fallbacks, a breaker, retries armed, an exact cache."""
CACHED = "cached"
"""A route with an exact cache."""


class Provider(NamedTuple):
    """An upstream on loopback."""

    name: str
    port: int


@contextlib.contextmanager
def gateway(
    folder: Path,
    upstream_port: int,
    *,
    records: bool,
    core: int | None,
    providers: Sequence[Provider] = (),
    routes: Sequence[RouteEntry] = (),
    releases: Sequence[Recipe] = (),
) -> Iterator[Gateway]:
    """Run one worker before an upstream on loopback, or before those given; the data folder is deleted afterwards.

    Of several releases of a feature, the last one is live.
    """
    data = DataFolder(folder)
    data.create()
    key = _prepare(data, providers or [Provider("upstream", upstream_port)], routes or _ROUTES)
    _publish(data, releases)
    port = free_port()
    options = WorkerOptions(data=str(folder), name=WORKER, host="127.0.0.1", port=port, records=records)
    affinity = machine.pinned(core) if core is not None else []
    command = [*affinity, sys.executable, "-m", "watchkeeper.server.worker", msgspec.json.encode(options).decode()]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    assert process.stdout is not None
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the worker did not start: {(folder / 'worker.log').read_text()}")
    try:
        yield Gateway(port, key.key, process.pid, data)
    finally:
        process.terminate()
        process.wait(STOP_WITHIN_S)
        process.stdout.close()
        shutil.rmtree(folder)


@contextlib.contextmanager
def swept_spool(running: Gateway) -> Iterator[None]:
    """Delete all but the newest segment of the spool again and again, in the place of a keeper that has stored them."""
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(SWEEP_EVERY_S):
            segments = sorted((running.folder.spool / WORKER).glob("*.seg"), key=lambda path: int(path.stem))
            for segment in segments[:-1]:
                segment.unlink(missing_ok=True)

    sweeper = threading.Thread(target=sweep, name="sweep the spool")
    sweeper.start()
    try:
        yield
    finally:
        done.set()
        sweeper.join()


_TARGET = Target("upstream", calls.MODEL)
_CACHE = CacheSettings(ttl_s=600, scope=("tenant", "release"), keep_s=600)
_ROUTES = (
    RouteEntry(calls.MODEL, (_TARGET,)),
    RouteEntry(
        ROUTED,
        (_TARGET, Target("upstream", "gpt-4o")),
        fallbacks=(Target("upstream", "gpt-4.1"),),
        strategy="weights",
        weights={f"upstream/{calls.MODEL}": 9, "upstream/gpt-4o": 1},
        cache=_CACHE,
    ),
    RouteEntry(CACHED, (_TARGET,), cache=_CACHE),
)


def _publish(data: DataFolder, releases: Sequence[Recipe]) -> None:
    """Write what is live, and the releases."""
    key = NodeSecrets.load(data.node_key).derive("live")
    standings: dict[str, tuple[Standing, ...]] = {}
    for recipe in releases:
        release = release_id(recipe)
        release_file(data, key, release).write(canonical(recipe))
        standings[f"{recipe.feature}@production"] = (Standing(0, release),)
    SealedFile(data.live, key).write(live.encode(live.Live(1, standings)))


def _prepare(data: DataFolder, providers: Sequence[Provider], routes: Sequence[RouteEntry]) -> NewKey:
    """Write the node key and a snapshot with providers, routes and one key; return the key."""
    secrets = NodeSecrets.load_or_create(data.node_key)
    key = make_key()
    entry = KeyEntry(
        public_id=key.public_id,
        secret_hash=KeyHasher(secrets.derive("keys")).hash(key.key),
        name="bench",
        feature="bench",
        tenant="",
        environment="production",
        expires_ns=None,
    )
    snapshot = Snapshot(
        version="bench",
        durability="interval",
        providers={
            name: ProviderEntry(name, "openai", f"http://127.0.0.1:{port}/v1", "sk-fake", "openai")
            for name, port in providers
        },
        routes={route.name: route for route in routes},
        features=frozenset({"bench"}),
        keys={key.public_id: entry},
        price_lists={"openai": PriceBook.of(installed()).price_list("openai")},
    )
    SealedFile(data.snapshot, secrets.derive("snapshot")).write(encode(snapshot))
    return key
