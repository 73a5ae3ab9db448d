"""The snapshot made ready for the hot path: everything that can be computed before a call comes is computed here."""

import difflib
from dataclasses import dataclass, field

import msgspec

from watchkeeper.core.call import Surface
from watchkeeper.gateway.dialects.openai import replies as openai
from watchkeeper.gateway.refusals import ModelUnknown
from watchkeeper.gateway.snapshot import KeyEntry, ProviderEntry, Snapshot
from watchkeeper.gateway.wire.client import Origin, origin_of
from watchkeeper.money.prices import MODEL_NAME_MAX, PriceList, Rates

ADHOC_TARGETS_MAX = 1_000
"""Models named as `provider/model` that are kept prepared; the next one starts over with none."""

RATES_KEPT_NS = 1_000_000_000
"""How long a price row is used before the list is asked again: prices change by date and by hour."""

KNOWN_KEYS_MAX = 10_000
"""Presented keys whose check is remembered; the next one starts over with none."""


@dataclass(slots=True)
class PreparedTarget:
    """A provider and model with the bytes that every attempt against it shares."""

    provider: str
    model: str
    model_json: bytes
    dialect: str
    origin: Origin
    heads: dict[Surface, bytes]
    prices: PriceList | None
    """None when nobody knows the provider's prices."""
    _rates: Rates | None = None
    _rates_until_ns: int = 0

    def rates(self, at_ns: int) -> Rates | None:
        """Return the price row that holds at a Unix time; None when the model is unpriced."""
        if at_ns >= self._rates_until_ns:
            self._rates = self.prices.rates(self.model, at_ns) if self.prices else None
            self._rates_until_ns = at_ns + RATES_KEPT_NS
        return self._rates


@dataclass(slots=True)
class PreparedRoute:
    """What a model name resolves to."""

    name: str
    targets: tuple[PreparedTarget, ...]


@dataclass(slots=True)
class Plan:
    """One snapshot, prepared. It is replaced whole when the snapshot changes; calls under way keep theirs."""

    snapshot: Snapshot
    routes: dict[str, PreparedRoute] = field(default_factory=dict[str, PreparedRoute])
    known_keys: dict[bytes, KeyEntry] = field(default_factory=dict[bytes, KeyEntry])
    """Presented credential -> its entry, filled by `admit` once a key has been verified."""
    _adhoc: dict[str, PreparedRoute] = field(default_factory=dict[str, PreparedRoute])

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
        prepared = PreparedRoute(model, (_prepare(provider, upstream_model, self.snapshot),))
        self._adhoc[model] = prepared
        return prepared

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


def prepare(snapshot: Snapshot) -> Plan:
    """Make a snapshot ready to serve."""
    plan = Plan(snapshot)
    for route in snapshot.routes.values():
        targets = tuple(_prepare(snapshot.providers[t.provider], t.model, snapshot) for t in route.targets)
        plan.routes[route.name] = PreparedRoute(route.name, targets)
    return plan


def _prepare(provider: ProviderEntry, model: str, snapshot: Snapshot) -> PreparedTarget:
    origin, prefix = origin_of(provider.base_url)
    host = origin.host if ":" not in origin.host else f"[{origin.host}]"
    if origin.port != {"http": 80, "https": 443}[origin.scheme]:
        host = f"{host}:{origin.port}"
    heads = {
        surface: openai.request_head(path=prefix + path, host=host, api_key=provider.api_key)
        for surface, path in openai.PATHS.items()
    }
    return PreparedTarget(
        provider=provider.name,
        model=model,
        model_json=msgspec.json.encode(model),
        dialect=provider.dialect,
        origin=origin,
        heads=heads,
        prices=snapshot.price_lists.get(provider.price_list),
    )
