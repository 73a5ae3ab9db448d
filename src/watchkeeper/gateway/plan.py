"""The snapshot made ready for the hot path: everything that can be computed before a call comes is computed here."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, NamedTuple
from urllib.parse import quote

import msgspec

from watchkeeper.core.call import Surface
from watchkeeper.gateway.dialects import DIALECTS
from watchkeeper.gateway.dialects.dialect import Dialect, Endpoint
from watchkeeper.gateway.health import Health, HealthBook
from watchkeeper.gateway.language import classifier
from watchkeeper.gateway.outcome import Failure
from watchkeeper.gateway.refusals import ModelUnknown
from watchkeeper.gateway.snapshot import (
    BreakerSettings,
    CacheSettings,
    Commit,
    FaultRule,
    Handling,
    KeyEntry,
    ProviderEntry,
    Retries,
    RouteEntry,
    Rule,
    Snapshot,
    Strategy,
    Target,
    Timeouts,
)
from watchkeeper.gateway.wire.client import Origin, origin_of
from watchkeeper.money.contracts import Contract, about, contracted
from watchkeeper.money.prices import MODEL_NAME_MAX, PriceList, Rates

ADHOC_TARGETS_MAX = 1_000
"""Models named as `provider/model` that are kept prepared; the next one starts over with none."""

RATES_KEPT_NS = 1_000_000_000
"""How long a price row is used before the list is asked again: prices change by date and by hour."""

AGREED_MAX = 1_000
"""Prices by tenant and service tier that a target remembers; the next one starts over with none."""

KNOWN_KEYS_MAX = 10_000
"""Presented keys whose check is remembered; the next one starts over with none."""


@dataclass(slots=True, eq=False)
class PreparedTarget:
    """A provider and model with the bytes that every attempt against it shares."""

    name: str
    """`provider/model`."""
    provider: str
    model: str
    model_json: bytes
    dialect: Dialect
    endpoints: Mapping[Surface, Endpoint]
    """The surfaces whose bytes pass through."""
    origin: Origin
    heads: dict[Surface, bytes]
    translated_head: bytes
    prices: PriceList | None
    """None when nobody knows the provider's prices."""
    health: Health
    continues: bool = False
    """Goes on from a beginning."""
    contracts: tuple[Contract, ...] = ()
    """Those about this provider and model."""
    service_tiers: tuple[str, ...] = ("",)
    """Those that have prices of their own; empty for the ordinary one."""
    _rates: Rates | None = None
    _rates_until_ns: int = 0
    _agreed: dict[tuple[str, str], Rates | None] = field(default_factory=dict[tuple[str, str], Rates | None])
    """By tenant and service tier."""
    _agreed_until_ns: int = 0

    def rates(self, at_ns: int, tenant: str = "", service_tier: str = "") -> Rates | None:
        """Return the price row that holds at a Unix time, less a discount; None when the model is unpriced."""
        if service_tier or self.contracts:
            return self._agreed_rates(at_ns, tenant, service_tier)
        if at_ns >= self._rates_until_ns:
            self._rates = self.prices.rates(self.model, at_ns) if self.prices else None
            self._rates_until_ns = at_ns + RATES_KEPT_NS
        return self._rates

    def _agreed_rates(self, at_ns: int, tenant: str, service_tier: str) -> Rates | None:
        if at_ns >= self._agreed_until_ns or len(self._agreed) >= AGREED_MAX:
            self._agreed.clear()
            self._agreed_until_ns = at_ns + RATES_KEPT_NS
        known = (tenant, service_tier)
        if known not in self._agreed:
            listed = self.prices.rates(self.model, at_ns, service_tier) if self.prices else None
            self._agreed[known] = listed and contracted(listed, self.contracts, tenant, at_ns)
        return self._agreed[known]


@dataclass(slots=True)
class PreparedRoute:
    """What a model name resolves to."""

    name: str
    targets: tuple[PreparedTarget, ...]
    """Of the tier where no rule holds."""
    fallbacks: tuple[PreparedTarget, ...] = ()
    tier: str = ""
    tiers: dict[str, tuple[PreparedTarget, ...]] = field(default_factory=dict[str, tuple[PreparedTarget, ...]])
    rules: tuple[Rule, ...] = ()
    strategy: Strategy = "order"
    weights: dict[str, float] = field(default_factory=dict[str, float])
    sticky: str = ""
    first_token_below_s: float | None = None
    price_below_nusd: int | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: Retries = field(default_factory=Retries)
    handling: dict[str, "PreparedHandling"] = field(default_factory=dict[str, "PreparedHandling"])
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    commit: Commit = "first_token"
    cache: CacheSettings | None = None
    further: tuple[PreparedTarget, ...] = ()
    """Other targets that may be asked when an attempt fails."""
    missing_max_tokens: Literal["model", "p99"] | int = "model"
    max_output_tokens: int = 16_384
    faults: tuple[FaultRule, ...] = ()
    drawn: dict[str, "Drawing"] = field(default_factory=dict[str, "Drawing"])
    """By tier: what can be drawn where the targets have shares."""
    recorded: dict[tuple[str, int | None], bytes] = field(default_factory=dict[tuple[str, int | None], bytes])
    """What is written down of courses on which nothing happened, by first target and rule."""

    def handling_of(self, failure: Failure) -> "PreparedHandling | None":
        """Return what the route says about a failure: about its kind, else about its class; None when nothing."""
        if not self.handling:
            return None
        by_kind = self.handling.get(failure.code or "") if failure.error_class == "timeout" else None
        return by_kind or self.handling.get(failure.error_class)

    @property
    def is_ordered(self) -> bool:
        """The order of the targets is the same for every call."""
        return self.strategy == "order" and not self.rules


class Drawing(NamedTuple):
    """Targets that one is drawn from."""

    bounds: list[float]
    """Sums of the shares, ascending; the last is the sum of all."""
    orders: list[tuple[PreparedTarget, ...]]
    """The order that follows for each target that has a share: it first, the others by theirs."""
    shares: dict[str, float]


def drawing(targets: tuple[PreparedTarget, ...], weights: Mapping[str, float]) -> Drawing:
    """Prepare the drawing of a target by its share; there is nothing to draw where none has one."""
    shares = {target.name: weights.get(target.name, 0.0) for target in targets}
    drawn = [target for target in targets if shares[target.name]]
    bounds = list(accumulate(shares[target.name] for target in drawn))
    rest = sorted(targets, key=lambda one: -shares[one.name])
    orders = [(target, *(one for one in rest if one is not target)) for target in drawn]
    return Drawing(bounds, orders, shares)


@dataclass(slots=True)
class PreparedHandling:
    """What a route does about one class of failure."""

    said: Handling
    targets: tuple[PreparedTarget, ...]
    summarise: PreparedTarget | None


@dataclass(slots=True)
class Plan:
    """One snapshot, prepared. It is replaced whole when the snapshot changes; calls under way keep theirs."""

    snapshot: Snapshot
    healths: HealthBook
    routes: dict[str, PreparedRoute] = field(default_factory=dict[str, PreparedRoute])
    known_keys: dict[bytes, KeyEntry] = field(default_factory=dict[bytes, KeyEntry])
    """Presented credential -> its entry, filled by `admit` once a key has been verified."""
    _adhoc: dict[str, PreparedRoute] = field(default_factory=dict[str, PreparedRoute])
    _targets: dict[Target, PreparedTarget] = field(default_factory=dict[Target, PreparedTarget])

    def resolve(self, model: str) -> PreparedRoute:
        """Find what a client's model name stands for: a route, or `provider/model`.

        Raises:
            ModelUnknown: neither exists; the message names the nearest route.
        """
        route = self.routes.get(model) or self._adhoc.get(model)
        if route is not None:
            return route
        name, slash, upstream_model = model.partition("/")
        provider = self.snapshot.providers.get(name)
        if not slash or not upstream_model or provider is None or len(model) > MODEL_NAME_MAX:
            raise ModelUnknown(self._unknown(model), param="model")
        if len(self._adhoc) >= ADHOC_TARGETS_MAX:
            self._adhoc.clear()
        target = _prepare(provider, upstream_model, self)
        prepared = PreparedRoute(model, (target,), faults=_faults_of(self.snapshot, model))
        self._adhoc[model] = prepared
        return prepared

    def passing_target(self, provider: ProviderEntry, model: str) -> PreparedTarget:
        """Return a target for what only its provider understands; the model is empty where the request names none."""
        if model and len(model) <= MODEL_NAME_MAX:
            return self.resolve(f"{provider.name}/{model}").targets[0]
        return self.target(Target(provider.name, ""))

    def target(self, named: Target) -> PreparedTarget:
        """Find or prepare a target of a route; the same one for all routes."""
        found = self._targets.get(named)
        if found is None:
            found = self._targets[named] = _prepare(self.snapshot.providers[named.provider], named.model, self)
        return found

    def _unknown(self, model: str) -> str:
        known = sorted(self.routes)
        near = difflib.get_close_matches(model, known, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        routes = ", ".join(f"`{name}`" for name in known[:5]) or "none"
        more = f" and {len(known) - 5} more" if len(known) > 5 else ""
        return (
            f"The model `{model[:100]}` is not a route of this gateway.{hint} "
            f"Known routes: {routes}{more}; or name a target as provider/model."
        )


def prepare(snapshot: Snapshot, healths: HealthBook) -> Plan:
    """Make a snapshot ready to serve."""
    plan = Plan(snapshot, healths)
    for entry in snapshot.routes.values():
        plan.routes[entry.name] = _route(entry, plan)
    if any(rule.when.language for entry in snapshot.routes.values() for rule in entry.rules):
        classifier()
    return plan


def _route(entry: RouteEntry, plan: Plan) -> PreparedRoute:
    def targets(named: tuple[Target, ...]) -> tuple[PreparedTarget, ...]:
        return tuple(map(plan.target, named))

    tiers = {name: targets(named) for name, named in entry.tiers.items()} or {entry.tier: targets(entry.targets)}
    return PreparedRoute(
        name=entry.name,
        drawn={tier: drawing(named, entry.weights) for tier, named in tiers.items()} if entry.weights else {},
        targets=targets(entry.targets),
        fallbacks=targets(entry.fallbacks),
        tier=entry.tier,
        tiers=tiers if entry.tiers else {},
        rules=entry.rules,
        strategy=entry.strategy,
        weights=entry.weights,
        sticky=entry.sticky,
        first_token_below_s=entry.first_token_below_s,
        price_below_nusd=entry.price_below_nusd,
        timeouts=entry.timeouts,
        retries=entry.retries,
        further=_further(entry, plan),
        handling={
            failure: PreparedHandling(
                said, targets(said.targets), None if said.summarise is None else plan.target(said.summarise)
            )
            for failure, said in entry.handling.items()
        },
        breaker=entry.breaker,
        commit=entry.commit,
        cache=entry.cache,
        missing_max_tokens=entry.missing_max_tokens,
        max_output_tokens=entry.max_output_tokens,
        faults=_faults_of(plan.snapshot, entry.name),
    )


def _further(entry: RouteEntry, plan: Plan) -> tuple[PreparedTarget, ...]:
    named = [
        target for said in entry.handling.values() for target in (*said.targets, said.summarise) if target is not None
    ]
    return tuple(map(plan.target, dict.fromkeys(named)))


def _faults_of(snapshot: Snapshot, route: str) -> tuple[FaultRule, ...]:
    return tuple(fault for fault in snapshot.faults if fault.route == route)


def _service_tiers(prices: PriceList | None, model: str) -> tuple[str, ...]:
    found = prices.find(model) if prices is not None else None
    return tuple(dict.fromkeys(row.service_tier for row in found.rows)) if found is not None else ("",)


def _prepare(provider: ProviderEntry, model: str, plan: Plan) -> PreparedTarget:
    dialect = DIALECTS[provider.dialect]
    name = f"{provider.name}/{model}"
    base_url = provider.base_url.replace("{model}", quote(model, safe=""))
    origin, prefix = origin_of(base_url)
    if dialect.strips:
        prefix = prefix.removesuffix(dialect.strips)
    speaks = dialect.endpoints if provider.speaks is None else provider.speaks
    endpoints = {surface: endpoint for surface, endpoint in dialect.endpoints.items() if surface in speaks}
    query = f"?{provider.query}" if provider.query else ""
    end = head_end(origin, provider, dialect)

    def head(path: str) -> bytes:
        return f"POST {prefix}{path}{query} HTTP/1.1\r\n{end}content-type: application/json\r\n".encode()

    return PreparedTarget(
        name=name,
        provider=provider.name,
        model=model,
        model_json=msgspec.json.encode(model),
        dialect=dialect,
        endpoints=endpoints,
        origin=origin,
        heads={surface: head(endpoint.path) for surface, endpoint in endpoints.items()},
        translated_head=head(dialect.path),
        prices=plan.snapshot.price_lists.get(provider.price_list),
        contracts=about(plan.snapshot.contracts, provider.name, model),
        service_tiers=_service_tiers(plan.snapshot.price_lists.get(provider.price_list), model),
        health=plan.healths.of(name),
        continues=dialect.continues if provider.continues is None else provider.continues,
    )


def passing_head(target: PreparedTarget, provider: ProviderEntry, method: str, rest: str, query: str) -> bytes:
    """Write the beginning of a request that is passed on as it is; `rest` may repeat the end of the base URL."""
    origin, prefix = origin_of(provider.base_url.replace("{model}", quote(target.model, safe="")))
    rest = rest.removeprefix(prefix.strip("/") + "/") if prefix else rest
    queries = "&".join(part for part in (query, provider.query) if part)
    address = f"{prefix}/{rest}" + (f"?{queries}" if queries else "")
    return f"{method} {address} HTTP/1.1\r\n{head_end(origin, provider, target.dialect)}".encode()


def head_end(origin: Origin, provider: ProviderEntry, dialect: Dialect) -> str:
    """Write the header lines that name the host and prove the account."""
    host = origin.host if ":" not in origin.host else f"[{origin.host}]"
    if origin.port != {"http": 80, "https": 443}[origin.scheme]:
        host = f"{host}:{origin.port}"
    lines = f"host: {host}\r\n"
    if not provider.api_key:
        return lines
    match provider.auth or dialect.auth:
        case "bearer":
            return f"{lines}authorization: Bearer {provider.api_key}\r\n"
        case name:
            return f"{lines}{name}: {provider.api_key}\r\n"
