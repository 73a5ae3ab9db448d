"""What must hold between parts of a configuration, and what is allowed but probably not meant."""

from collections.abc import Iterator
from typing import Any

from watchkeeper.config.problems import Place, did_you_mean
from watchkeeper.config.routes import Route
from watchkeeper.config.schema import Config

FEATURE = "feature"
"""Begins what a client sends that asks for a feature and not for a model."""
_OWNED_STAGES = frozenset({"beta", "production", "regulated"})


def contradictions(data: Any) -> Iterator[tuple[Place, str]]:
    """Yield each place where one part names another that does not exist.

    Reads plain data, so that it can also speak about a file that has other mistakes.
    """
    providers, routes = _mapping(data, "providers"), _mapping(data, "routes")
    yield from _unknown_sellers(_mapping(data, "prices"), list(providers))
    if FEATURE in providers:
        yield ("providers", FEATURE), "`feature/NAME` asks for a feature; give the provider another name"
    for name in routes:
        if str(name).startswith(f"{FEATURE}/"):
            yield ("routes", name), "`feature/NAME` asks for a feature; give the route another name"
        route = _mapping(routes, name)
        tiers = _mapping(route, "tiers")
        for place, target in _named_targets(route):
            provider, slash, _ = str(target).partition("/")
            if slash and provider and provider not in providers:
                hint = did_you_mean(provider, list(providers))
                yield ("routes", name, *place), f"there is no provider `{provider}`{hint}"
            elif not slash and place[0] in ("fallbacks", "on") and target not in tiers:
                hint = did_you_mean(str(target), list(tiers))
                yield ("routes", name, *place), f"`{target}` is neither `provider/model` nor a tier of this route{hint}"
        for place, tier in _named_tiers(route):
            if tier not in tiers:
                yield ("routes", name, *place), f"there is no tier `{tier}`{did_you_mean(str(tier), list(tiers))}"


def _unknown_sellers(prices: dict[str, Any], providers: list[str]) -> Iterator[tuple[Place, str]]:
    """Yield each provider that a price is about and that does not exist."""
    for key in ("overrides", "contracts"):
        for index, item in enumerate(_sequence(prices, key)):
            name = item.get("provider") if isinstance(item, dict) else None
            if name and name not in providers:
                hint = did_you_mean(str(name), providers)
                yield ("prices", key, index, "provider"), f"there is no provider `{name}`{hint}"


def _named_targets(route: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    """Yield each target or fallback that a route names, and where."""
    for key in ("targets", "fallbacks"):
        yield from (((key, index), target) for index, target in enumerate(_sequence(route, key)))
    for tier in _mapping(route, "tiers"):
        for index, target in enumerate(_sequence(_mapping(route, "tiers"), tier)):
            yield ("tiers", tier, index), target
    yield from ((("weights", target), target) for target in _mapping(route, "weights"))
    handlings = _mapping(route, "on")
    for failure in handlings:
        if isinstance(handlings[failure], list):
            yield from ((("on", failure, index), target) for index, target in enumerate(handlings[failure]))
            continue
        handling = _mapping(handlings, failure)
        for index, target in enumerate(_sequence(handling, "fallback")):
            yield ("on", failure, "fallback", index), target
        if "summarise" in handling:
            yield ("on", failure, "summarise"), handling["summarise"]


def _named_tiers(route: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    if "tier" in route:
        yield ("tier",), route["tier"]
    for index, rule in enumerate(_sequence(route, "rules")):
        if isinstance(rule, dict) and "tier" in rule:
            yield ("rules", index, "tier"), rule["tier"]


def doubts(config: Config) -> Iterator[tuple[Place, str]]:
    """Yield each place worth a second look; the configuration is used as it is."""
    for name, route in config.routes.items():
        provider, slash, _ = name.partition("/")
        if slash and provider in config.providers and route.targets != [name]:
            yield ("routes", name), f"this route hides the target of the same name at provider `{provider}`"
        targets = route.targets or []
        if len(set(targets)) < len(targets):
            yield ("routes", name, "targets"), "a target occurs twice, so a failure there is met twice"
        yield from ((("routes", name, *place), message) for place, message in _idle_settings(route))
    for name, feature in config.features.items():
        missing = [key for key in ("owner", "cost_owner") if not getattr(feature, key)]
        if feature.stage in _OWNED_STAGES and missing:
            yield ("features", name), f"the stage is `{feature.stage}` and there is no {' and no '.join(missing)}"


def _idle_settings(route: Route) -> Iterator[tuple[Place, str]]:
    """Yield what a route says to no effect."""
    if route.weights and route.choose != "weights":
        yield ("weights",), "these are not used, because `choose` is not `weights`"
    if route.choose == "weights" and not set(route.weights) & set(route.every_target):
        yield ("weights",), "no target has a weight, so the order decides"
    if route.rules and not route.tiers:
        yield ("rules",), "there are no tiers to pick from"
    for failure, handling in route.on.items():
        if handling.cached and route.cache is None:
            yield ("on", failure, "cached"), "nothing is kept that could be served: the route has no `cache`"
        if (handling.trim or handling.summarise) and failure != "context_length":
            yield ("on", failure), "`trim` and `summarise` help only against `context_length`"


def _sequence(data: Any, key: str) -> list[Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _mapping(data: Any, key: str) -> dict[str, Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
