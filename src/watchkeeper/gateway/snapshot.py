"""Everything a worker needs to serve calls, as one immutable object that is replaced whole.

The keeper compiles it from the configuration and the control database; a worker never asks either.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from watchkeeper.money.budgets import Budget, Limit
from watchkeeper.money.contracts import Contract
from watchkeeper.money.prices import PriceList

Durability = Literal["interval", "disk"]


class KeyEntry(Struct, frozen=True, gc=False):
    """A virtual key, as far as the gateway must know it."""

    public_id: str
    secret_hash: bytes
    """Keyed hash of the whole key; see `access.keys`."""
    name: str
    feature: str
    tenant: str
    environment: str
    expires_ns: int | None
    """Unix time after which the key is refused; None for never. A revoked key is simply absent."""


class ProviderEntry(Struct, frozen=True, gc=False):
    """An upstream account."""

    name: str
    dialect: str
    base_url: str
    """Without a trailing slash, the version prefix included: `https://api.example.com/v1`."""
    api_key: str
    """Resolved secret; empty for none."""
    price_list: str
    """Name of a price list in `Snapshot.price_lists`, `free`, or empty when nobody knows its prices."""
    auth: str = ""
    """How the secret is sent: `bearer`, `api-key`, `x-api-key`; empty for the dialect's own way."""
    query: str = ""
    """Added to every path, encoded."""
    speaks: tuple[str, ...] | None = None
    """The surfaces of its dialect that it has; None for all."""
    passes: bool = True
    """Whether what only it understands may be passed to it."""
    continues: bool | None = None
    """Whether it goes on from a beginning that ends the request; None where its dialect tells."""


class Target(Struct, frozen=True, gc=False):
    """Provider and model."""

    provider: str
    model: str


class Timeouts(Struct, frozen=True, gc=False):
    """How long a target may take, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 300.0
    """Until a stream brings content."""
    reply_s: float = 600.0
    """Until a plain reply begins."""
    idle_s: float = 120.0
    total_s: float = 1800.0
    """For the call with all its attempts."""


class Retries(Struct, frozen=True, gc=False):
    """How often and how patiently one target is tried again."""

    attempts: int = 3
    backoff_s: float = 0.25
    backoff_max_s: float = 8.0


class Handling(Struct, frozen=True, gc=False):
    """What a route does about one class of failure; None for what it leaves to the default."""

    retry: int | None = None
    trims: bool = False
    summarise: Target | None = None
    falls_back: bool | None = None
    targets: tuple[Target, ...] = ()
    """Tried instead of the route's own fallbacks."""
    cached_s: float | None = None
    answer: str = ""


class BreakerSettings(Struct, frozen=True, gc=False):
    """When a failing target is left alone, and how it comes back."""

    failures: int = 10
    open_s: float = 5.0
    open_max_s: float = 10.0
    ramp_s: float = 10.0


class When(Struct, frozen=True, gc=False):
    """Conditions on a request; None or empty where there is none."""

    tokens_over: int | None = None
    tokens_under: int | None = None
    tools: bool | None = None
    images: bool | None = None
    stream: bool | None = None
    language: tuple[str, ...] = ()
    feature: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    minutes: tuple[int, int] | None = None
    """Of the UTC day, the end excluded; the start may be later than the end."""
    budget_used_over: float | None = None
    """Share of the most used budget that the call counts against."""


class Rule(Struct, frozen=True, gc=False):
    """Sends requests to a tier."""

    when: When
    tier: str


CacheScope = Literal["tenant", "release", "subject", "key"]


class CacheSettings(Struct, frozen=True, gc=False):
    """How long answers are kept, and who shares one."""

    ttl_s: float
    scope: tuple[CacheScope, ...]
    keep_s: float
    """How long an answer is kept for bad times; at least `ttl_s`."""


Commit = Literal["first_token", "complete", "continue"]
Strategy = Literal["order", "weights", "latency", "price"]


class RouteEntry(Struct, frozen=True, gc=False):
    """What a client's model name resolves to."""

    name: str
    targets: tuple[Target, ...]
    """Of the tier where no rule holds."""
    tier: str = ""
    tiers: dict[str, tuple[Target, ...]] = {}
    rules: tuple[Rule, ...] = ()
    fallbacks: tuple[Target, ...] = ()
    strategy: Strategy = "order"
    weights: dict[str, float] = {}
    """By `provider/model`."""
    sticky: str = ""
    first_token_below_s: float | None = None
    price_below_nusd: int | None = None
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    handling: dict[str, Handling] = {}
    """By class of failure, or by kind of timeout."""
    breaker: BreakerSettings = BreakerSettings()
    commit: Commit = "first_token"
    cache: CacheSettings | None = None
    missing_max_tokens: Literal["model", "p99"] | int = "model"
    max_output_tokens: int = 16_384


class Runaway(Struct, frozen=True, gc=False):
    """When a call is refused because its session seems to run away; None for what is not looked at."""

    same_tool_call: int | None = None
    call_tokens: int | None = None


class FaultRule(Struct, frozen=True, gc=False):
    """A fault that is injected for a drill, for a bounded time."""

    id: str
    kind: str
    """One of `gateway.faults.KINDS`."""
    route: str
    share: float
    """Of the calls that match, between 0 and 1."""
    until_ns: int
    target: str = ""
    """`provider/model`; empty for every attempt of the call."""
    key_id: str = ""
    tenant: str = ""
    after: int = 0
    """Chunks before a cut or a malformed chunk."""
    seconds: float = 0.0
    """Of a delay, or of `retry-after`."""
    status: int = 0


class Purge(Struct, frozen=True, gc=False):
    """Answers that must not be served any more: stored before a time, of one tenant, release or subject, or all."""

    before_ns: int
    tenant: str = ""
    release: str = ""
    subject: str = ""


class RetrieverEntry(Struct, frozen=True, gc=False):
    """An endpoint at which documents are looked up."""

    name: str
    url: str
    api_key: str = ""
    headers: dict[str, str] = {}


class Snapshot(Struct, frozen=True, kw_only=True):
    """The compiled control state."""

    version: str
    """Content hash; the same state has the same version on every host."""
    durability: Durability
    providers: dict[str, ProviderEntry]
    routes: dict[str, RouteEntry]
    features: frozenset[str]
    keys: dict[str, KeyEntry]
    """By public id."""
    price_lists: dict[str, PriceList]
    has_open_metrics: bool = False
    """Whether other hosts may read `/metrics`."""
    faults: tuple[FaultRule, ...] = ()
    purges: tuple[Purge, ...] = ()
    contracts: tuple[Contract, ...] = ()
    budgets: tuple[Budget, ...] = ()
    limits: tuple[Limit, ...] = ()
    runaway: Runaway = Runaway()
    retrievers: dict[str, RetrieverEntry] = {}
    workers: int = 1
    """How many share what the keeper cannot be asked about."""


def encode(snapshot: Snapshot) -> bytes:
    """Write a snapshot in the form `decode` reads."""
    return msgspec.msgpack.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """Read a snapshot.

    Raises:
        msgspec.ValidationError: the bytes are not a snapshot of this version.
    """
    return msgspec.msgpack.decode(data, type=Snapshot)
