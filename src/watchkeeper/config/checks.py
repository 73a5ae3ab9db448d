"""What must hold between parts of a configuration, and what is allowed but probably not meant."""

from collections.abc import Iterator
from typing import Any

from watchkeeper.config.problems import Place, did_you_mean
from watchkeeper.config.schema import Config

_OWNED_STAGES = frozenset({"beta", "production", "regulated"})


def contradictions(data: Any) -> Iterator[tuple[Place, str]]:
    """Yield each place where one part names another that does not exist.

    Reads plain data, so that it can also speak about a file that has other mistakes.
    """
    providers, routes = _mapping(data, "providers"), _mapping(data, "routes")
    for name in routes:
        targets = _mapping(routes, name).get("targets")
        for index, target in enumerate(targets if isinstance(targets, list) else ()):
            provider, slash, _ = str(target).partition("/")
            if slash and provider and provider not in providers:
                hint = did_you_mean(provider, list(providers))
                yield ("routes", name, "targets", index), f"there is no provider `{provider}`{hint}"


def doubts(config: Config) -> Iterator[tuple[Place, str]]:
    """Yield each place worth a second look; the configuration is used as it is."""
    for name, route in config.routes.items():
        provider, slash, _ = name.partition("/")
        if slash and provider in config.providers and route.targets != [name]:
            yield ("routes", name), f"this route hides the target of the same name at provider `{provider}`"
        if len(set(route.targets)) < len(route.targets):
            yield ("routes", name, "targets"), "a target occurs twice, so a failure there is met twice"
    for name, feature in config.features.items():
        missing = [key for key in ("owner", "cost_owner") if not getattr(feature, key)]
        if feature.stage in _OWNED_STAGES and missing:
            yield ("features", name), f"the stage is `{feature.stage}` and there is no {' and no '.join(missing)}"


def _mapping(data: Any, key: str) -> dict[str, Any]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}
