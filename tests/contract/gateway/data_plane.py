"""The whole data plane in a thread, between real clients and scripted upstreams; what it records is kept in a list."""

import asyncio
import socket
import threading
from collections.abc import Callable

import uvloop
from msgspec.structs import replace
from tests.contract.gateway.money import BUDGETS, LIMITS
from tests.contract.gateway.routes import FAULTS, ROUTES

from watchkeeper.access.keys import KeyHasher, NewKey, make_key
from watchkeeper.access.own_keys import EVAL_KEY_ID, REPLAY_KEY_ID, own_key
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.core.call import Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.gateway.admit import Admission
from watchkeeper.gateway.app import App
from watchkeeper.gateway.attempts import Attempts
from watchkeeper.gateway.breaker import BreakerTable
from watchkeeper.gateway.budgets.purse import Purse
from watchkeeper.gateway.cache import Cache
from watchkeeper.gateway.choose import Chooser
from watchkeeper.gateway.failover import Failover
from watchkeeper.gateway.faults import Injector
from watchkeeper.gateway.feedback import FeedbackDoor
from watchkeeper.gateway.fitting import Fitter
from watchkeeper.gateway.health import HealthBook
from watchkeeper.gateway.live import Live, Standing
from watchkeeper.gateway.meters import Meters
from watchkeeper.gateway.outputs import Outputs
from watchkeeper.gateway.passing import Passing
from watchkeeper.gateway.pipeline import Parts, Pipeline
from watchkeeper.gateway.plan import prepare
from watchkeeper.gateway.prompts import Bundles
from watchkeeper.gateway.ratios import Ratios
from watchkeeper.gateway.serving import Features
from watchkeeper.gateway.shadows import Shadows
from watchkeeper.gateway.shelf import Shelf
from watchkeeper.gateway.snapshot import (
    BreakerSettings,
    KeyEntry,
    ProviderEntry,
    Retries,
    RouteEntry,
    Runaway,
    Snapshot,
    Target,
)
from watchkeeper.gateway.watchdog import Watchdog
from watchkeeper.gateway.wire.client import Pool, PoolLimits
from watchkeeper.gateway.wire.server import Server, ServerLimits
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.releases.bundle import Signer
from watchkeeper.releases.recipe import Recipe, canonical, release_id
from watchkeeper.releases.standing import Rollout
from watchkeeper.testing import MemoryLedger, MemoryRecorder, wait_until

PROVIDER_KEY = "sk-fake-of-the-provider"
BODY_BYTES_MAX = 1024 * 1024
SUBJECTS = Pseudonyms(b"s" * 32)


class ShiftedClock(SystemClock):
    """The host's clock, to which a test can add time."""

    def __init__(self) -> None:
        self.added_s = 0.0

    def monotonic(self) -> float:
        return SystemClock.monotonic() + self.added_s

    def unix_ns(self) -> int:
        return SystemClock.unix_ns() + int(self.added_s * 1e9)


class Gateway:
    """A running data plane and what it has recorded."""

    def __init__(self, scripted: str, spare: str, origin: str) -> None:
        self.recorder = MemoryRecorder()
        self.clock = ShiftedClock()
        self.cache = Cache(self.clock)
        self.ratios = Ratios(self.clock)
        self.ledger = MemoryLedger(self.clock)
        self.purse = Purse(self.clock, worker="worker-0", holder="worker-0.1")
        self.purse.draw_on(self.ledger)
        self.ledger.on_recall.append(self.purse.on_recall)
        self.shelf = Shelf(self._recipe)
        self.features = Features(self.shelf)
        self.signer = Signer(b"b" * 32)
        self.recipes: dict[str, bytes] = {}
        """What is pushed, by id."""
        self.healths = HealthBook(BreakerTable())
        self.pseudonym = SUBJECTS.of
        self.mute = socket.create_server(("127.0.0.1", 0))
        """Takes connections and says nothing, so that no secure one is ever opened."""
        self._hasher = KeyHasher(b"k" * 32)
        self._providers = {
            name: ProviderEntry(name, "openai", address, PROVIDER_KEY, price_list)
            for name, address, price_list in (
                ("scripted", scripted, "openai"),
                ("spare", spare, "openai"),
                ("dead", "http://127.0.0.1:1/v1", "openai"),
                ("mute", f"https://127.0.0.1:{self.mute.getsockname()[1]}/v1", "openai"),
                ("unpriced", scripted, ""),
                ("free", scripted, "free"),
            )
        }
        self._providers["chat-alone"] = ProviderEntry(
            "chat-alone", "openai", scripted, PROVIDER_KEY, "openai", speaks=("chat",)
        )
        self._providers["azure"] = ProviderEntry(
            "azure",
            "openai",
            f"{origin}/openai/deployments/{{model}}",
            PROVIDER_KEY,
            "",
            auth="api-key",
            query="api-version=2024-10-21",
            speaks=("chat", "embeddings"),
        )
        self._providers["claude"] = ProviderEntry("claude", "anthropic", origin, PROVIDER_KEY, "anthropic")
        self._price_lists = {
            name: PriceBook.of(installed()).price_list(name) for name in ("openai", "anthropic", "free")
        }
        self.keys = {name: make_key() for name in ("plain", "acme", "expired", "revoked")}
        self.keys["keeper"] = NewKey(REPLAY_KEY_ID, own_key(REPLAY_KEY_ID, b"r" * 32))
        self.keys["evals"] = NewKey(EVAL_KEY_ID, own_key(EVAL_KEY_ID, b"e" * 32))
        self.port = 0
        self._loop = uvloop.new_event_loop()
        self._stop: asyncio.Event | None = None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), name="gateway")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def route_names(self) -> list[str]:
        return list(ROUTES)

    @property
    def origin(self) -> str:
        """What to give an Anthropic client."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return self.keys["plain"].key

    def push(self, recipe: Recipe, *, environment: str = "production", rollout: Rollout | None = None) -> str:
        """Have a release serve its feature from now on, and return its id."""
        release = release_id(recipe)
        self.recipes[release] = canonical(recipe)
        live = self.features.live
        name = f"{recipe.feature}@{environment}"
        standing = Standing(self.clock.unix_ns() - 1, release, rollout)
        self.run(lambda: self.features.follow(Live(live.version + 1, {**live.standings, name: (standing,)})))
        return release

    def _recipe(self, release: str) -> bytes:
        if release not in self.recipes:
            raise FileNotFoundError(release)
        return self.recipes[release]

    def call(self, call_id: str | None) -> Call:
        """Return the record of a call, which may come a moment after its answer."""
        return wait_until(lambda: next((call for call in self.recorder.calls if call.id == call_id), None))

    def last_call(self) -> Call:
        """Return the newest record of this test, which may come a moment after its answer."""
        return wait_until(lambda: self.recorder.calls[-1:])[0]

    def run(self, act: Callable[[], object]) -> None:
        """Do something on the gateway's own thread, and wait until it is done."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(act)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(10)

    def forget_money(self) -> None:
        """The worker gives back all leases and knows no account any more."""
        snapshot = self._snapshot()
        self.run(lambda: self.purse.follow(replace(snapshot, budgets=(), limits=())))
        self.run(lambda: self.purse.tick(0))
        self.run(lambda: self.purse.follow(snapshot))

    def start(self) -> None:
        self._thread.start()
        assert self._is_up.wait(10)

    def stop(self) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()
        self.mute.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        watchdog, pool = Watchdog(loop, self.clock), Pool(loop, PoolLimits(), clock=self.clock.monotonic)
        admission = Admission(self._hasher, SUBJECTS, self.clock)
        attempts = Attempts(self.clock, pool, watchdog, Injector(loop, self.clock), self.ratios)
        parts = Parts(
            clock=self.clock,
            worker="worker-0",
            admission=admission,
            chooser=Chooser(self.clock),
            failover=Failover(loop, self.clock, attempts, Fitter(attempts)),
            passing=Passing(attempts),
            cache=self.cache,
            purse=self.purse,
            features=self.features,
            outputs=Outputs(attempts),
            shadows=Shadows(loop),
            recorder=self.recorder,
            meters=Meters("worker-0"),
        )
        snapshot = self._snapshot()
        self.ledger.follow(snapshot.budgets, snapshot.limits)
        self.purse.follow(snapshot)
        pipeline = Pipeline(parts, plan=prepare(snapshot, self.healths))
        app = App(
            pipeline,
            admission,
            self.clock,
            metrics=lambda: b"",
            why_not_ready=lambda: "",
            feedback=FeedbackDoor(admission, self.recorder, self.clock),
            bundles=Bundles(self.features, self.shelf, self.signer, self.clock),
        )
        limits = ServerLimits(body_bytes_max=BODY_BYTES_MAX)
        server = Server(app.handle, limits, loop=loop, clock=self.clock.monotonic)
        watchdog.start()
        self.port = await server.start("127.0.0.1", 0)
        self._is_up.set()
        await self._stop.wait()
        await server.drained(0)
        watchdog.stop()
        await pool.close()

    def _snapshot(self) -> Snapshot:
        routes = {
            "gpt-4o-mini": ["scripted/gpt-4o-mini"],
            "alias": ["scripted/gpt-4o-mini"],
            "text-embedding-3-small": ["scripted/text-embedding-3-small"],
            "chat-alone": ["chat-alone/gpt-4o-mini"],
            "sonnet": ["claude/claude-sonnet-4-5"],
            "backed-up": ["scripted/gpt-4o-mini", "spare/gpt-4o-mini"],
            "after-the-dead": ["dead/gpt-4o-mini", "spare/gpt-4o-mini"],
        }
        return Snapshot(
            version="contract",
            durability="interval",
            providers=self._providers,
            routes={
                # One attempt for each target and no breaker: what one failure does is seen as it is.
                name: RouteEntry(
                    name,
                    tuple(map(_target, targets)),
                    retries=Retries(attempts=1),
                    breaker=BreakerSettings(failures=1_000_000),
                )
                for name, targets in routes.items()
            }
            | ROUTES,
            faults=FAULTS,
            budgets=BUDGETS,
            limits=LIMITS,
            runaway=Runaway(same_tool_call=4, call_tokens=3_000_000),
            features=frozenset({"support"}),
            keys={
                entry.public_id: entry
                for entry in (
                    self._entry(self.keys["plain"]),
                    self._entry(self.keys["acme"], tenant="acme"),
                    self._entry(self.keys["keeper"], feature=""),
                    self._entry(self.keys["evals"], feature=""),
                    self._entry(self.keys["expired"], expires_ns=1),
                )
            },
            price_lists=self._price_lists,
        )

    def _entry(
        self, key: NewKey, *, feature: str = "support", tenant: str = "", expires_ns: int | None = None
    ) -> KeyEntry:
        return KeyEntry(
            public_id=key.public_id,
            secret_hash=self._hasher.hash(key.key),
            name="test",
            feature=feature,
            tenant=tenant,
            environment="production",
            expires_ns=expires_ns,
        )


def _target(text: str) -> Target:
    provider, _, model = text.partition("/")
    return Target(provider, model)
