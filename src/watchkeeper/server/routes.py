"""Compiles the configuration's routes into what workers serve from."""

from watchkeeper.api.services import Routing
from watchkeeper.config import routes as configured
from watchkeeper.config.routes import listed
from watchkeeper.gateway.snapshot import (
    BreakerSettings,
    CacheSettings,
    Handling,
    Retries,
    RouteEntry,
    Rule,
    Snapshot,
    Target,
    Timeouts,
    When,
)

NUSD_PER_USD = 1_000_000_000


def compile_route(name: str, route: configured.Route) -> RouteEntry:
    """Compile one route of a configuration that has been checked."""
    tiers = {tier: tuple(map(target_of, targets)) for tier, targets in (route.tiers or {}).items()}
    tier = route.tier or next(iter(tiers), "")
    ceiling = route.require.max_price
    return RouteEntry(
        name=name,
        targets=tiers[tier] if tiers else tuple(map(target_of, route.targets or ())),
        tier=tier,
        tiers=tiers,
        rules=tuple(Rule(_when(rule.when), rule.tier) for rule in route.rules),
        fallbacks=_fallbacks(route.fallbacks, tiers),
        strategy=route.choose,
        weights=dict(route.weights),
        sticky=route.sticky or "",
        first_token_below_s=route.require.first_token,
        price_below_nusd=None if ceiling is None else _nusd(ceiling),
        timeouts=_timeouts(route.timeouts),
        retries=Retries(route.retries.attempts, route.retries.backoff, route.retries.backoff_max),
        handling={failure: _handling(handling, tiers) for failure, handling in route.on.items()},
        breaker=BreakerSettings(
            route.breaker.failures,
            route.breaker.open,
            max(route.breaker.open, route.breaker.open_max),
            route.breaker.ramp,
        ),
        commit=route.stream.commit,
        cache=_cache(route),
        missing_max_tokens=route.missing_max_tokens,
        max_output_tokens=route.max_output_tokens,
    )


def routing_of(snapshot: Snapshot) -> Routing:
    """Tell where the calls of a snapshot may be sent."""
    return Routing(
        targets={name: _reached_by(entry) for name, entry in snapshot.routes.items()},
        providers=frozenset(snapshot.providers),
    )


def _reached_by(entry: RouteEntry) -> frozenset[str]:
    handled = [target for handling in entry.handling.values() for target in handling.targets]
    tiers = [target for targets in entry.tiers.values() for target in targets]
    return frozenset(f"{one.provider}/{one.model}" for one in (*entry.targets, *tiers, *entry.fallbacks, *handled))


def target_of(text: str) -> Target:
    """Read `provider/model`."""
    provider, _, model = text.partition("/")
    return Target(provider, model)


def _fallbacks(names: list[str], tiers: dict[str, tuple[Target, ...]]) -> tuple[Target, ...]:
    found = [target for name in names for target in (tiers[name] if name in tiers else (target_of(name),))]
    return tuple(dict.fromkeys(found))


def _timeouts(found: configured.Timeouts) -> Timeouts:
    return Timeouts(found.connect, found.first_token, found.reply, found.idle, found.total)


def _handling(found: configured.Handling, tiers: dict[str, tuple[Target, ...]]) -> Handling:
    return Handling(
        retry=found.retry,
        trims=found.trim is not None,
        summarise=None if found.summarise is None else target_of(found.summarise),
        falls_back=None if found.fallback is None else bool(found.fallback),
        targets=_fallbacks(listed(found.fallback), tiers),
        cached_s=found.cached,
        answer=found.answer or "",
    )


def _when(found: configured.When) -> When:
    return When(
        tokens_over=found.tokens_over,
        tokens_under=found.tokens_under,
        tools=found.tools,
        images=found.images,
        stream=found.stream,
        language=tuple(found.language or ()),
        feature=tuple(found.feature or ()),
        tenant=tuple(found.tenant or ()),
        tags=tuple(found.tags or ()),
        metadata=found.metadata or {},
        minutes=None if found.hours is None else _minutes(found.hours),
        budget_used_over=found.budget_used_over,
    )


def _minutes(hours: str) -> tuple[int, int]:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return start, end


def _cache(route: configured.Route) -> CacheSettings | None:
    if route.cache is None:
        return None
    exact = route.cache.exact
    kept = [handling.cached for handling in route.on.values() if handling.cached is not None]
    return CacheSettings(exact.ttl, tuple(exact.scope), max([exact.ttl, *kept]))


def _nusd(written: str) -> int:
    whole, _, part = written.removesuffix(" USD").partition(".")
    return int(whole) * NUSD_PER_USD + int(part[:9].ljust(9, "0") or 0)
