"""Compiles the configuration and what the control database adds into the snapshot that workers serve from."""

import hashlib
from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec

from watchkeeper.config.schema import Config
from watchkeeper.gateway.snapshot import FaultRule, KeyEntry, ProviderEntry, Purge, RetrieverEntry, Snapshot
from watchkeeper.money.book import PriceBook
from watchkeeper.money.written_prices import contract_of
from watchkeeper.server.budgets import compile_budgets, compile_limits, compile_runaway
from watchkeeper.server.prices import lists_in_force
from watchkeeper.server.routes import compile_route

VERSION_LENGTH = 12


def compile_snapshot(
    config: Config,
    keys: Iterable[KeyEntry],
    book: PriceBook,
    *,
    faults: Iterable[FaultRule] = (),
    purges: Iterable[Purge] = (),
) -> Snapshot:
    """Make one snapshot; the same configuration, keys, prices, faults and purges always give the same version."""
    in_force = lists_in_force(config, book)
    providers = {
        name: ProviderEntry(
            name=name,
            dialect=provider.dialect,
            base_url=provider.base_url,
            api_key=provider.api_key,
            price_list=in_force.names[name],
            auth=provider.auth or "",
            query=urlencode(provider.query),
            continues=provider.continues,
            passes=provider.passthrough,
            speaks=None if provider.speaks is None else tuple(provider.speaks),
        )
        for name, provider in config.providers.items()
    }
    routes = {name: compile_route(name, route) for name, route in config.routes.items()}
    unversioned = Snapshot(
        version="",
        durability=config.durability,
        providers=providers,
        routes=routes,
        features=frozenset(config.features),
        keys={key.public_id: key for key in sorted(keys, key=lambda key: key.public_id)},
        price_lists=dict(sorted(in_force.lists.items())),
        has_open_metrics=config.metrics.open,
        faults=tuple(faults),
        purges=tuple(purges),
        contracts=tuple(map(contract_of, config.prices.contracts)),
        budgets=compile_budgets(config),
        limits=compile_limits(config),
        runaway=compile_runaway(config),
        retrievers={
            name: RetrieverEntry(name, one.url, one.api_key, one.headers) for name, one in config.retrievers.items()
        },
    )
    return msgspec.structs.replace(unversioned, version=_version(unversioned))


def _version(snapshot: Snapshot) -> str:
    content = msgspec.msgpack.Encoder(order="deterministic").encode(snapshot)
    return hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]
