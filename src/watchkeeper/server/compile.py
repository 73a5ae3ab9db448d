"""Compiles the configuration and what the control database adds into the snapshot that workers serve from."""

import hashlib
from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec

from watchkeeper.config.schema import Config
from watchkeeper.gateway.snapshot import FaultRule, KeyEntry, ProviderEntry, Purge, Snapshot
from watchkeeper.money.book import PriceBook
from watchkeeper.server.budgets import compile_budgets, compile_limits, compile_runaway
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
    providers = {
        name: ProviderEntry(
            name=name,
            dialect=provider.dialect,
            base_url=provider.base_url,
            api_key=provider.api_key,
            price_list=book.list_name(provider.price_list, provider.base_url),
            auth=provider.auth or "",
            query=urlencode(provider.query),
            continues=provider.continues,
            passes=provider.passthrough,
            speaks=None if provider.speaks is None else tuple(provider.speaks),
        )
        for name, provider in config.providers.items()
    }
    routes = {name: compile_route(name, route) for name, route in config.routes.items()}
    used_lists = sorted({provider.price_list for provider in providers.values() if provider.price_list})
    unversioned = Snapshot(
        version="",
        durability=config.durability,
        providers=providers,
        routes=routes,
        features=frozenset(config.features),
        keys={key.public_id: key for key in sorted(keys, key=lambda key: key.public_id)},
        price_lists={name: book.price_list(name) for name in used_lists},
        has_open_metrics=config.metrics.open,
        faults=tuple(faults),
        purges=tuple(purges),
        budgets=compile_budgets(config),
        limits=compile_limits(config),
        runaway=compile_runaway(config),
    )
    return msgspec.structs.replace(unversioned, version=_version(unversioned))


def _version(snapshot: Snapshot) -> str:
    content = msgspec.msgpack.Encoder(order="deterministic").encode(snapshot)
    return hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]
