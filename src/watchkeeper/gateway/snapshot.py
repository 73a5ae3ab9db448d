"""Everything a worker needs to serve calls, as one immutable object that is replaced whole.

The keeper compiles it from the configuration and the control database; a worker never asks either.
"""

from typing import Literal

import msgspec
from msgspec import Struct

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


class Target(Struct, frozen=True, gc=False):
    """Provider and model."""

    provider: str
    model: str


class RouteEntry(Struct, frozen=True, gc=False):
    """What a client's model name resolves to: targets in the order they are tried."""

    name: str
    targets: tuple[Target, ...]


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


def encode(snapshot: Snapshot) -> bytes:
    """Write a snapshot in the form `decode` reads."""
    return msgspec.msgpack.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """Read a snapshot.

    Raises:
        msgspec.ValidationError: the bytes are not a snapshot of this version.
    """
    return msgspec.msgpack.decode(data, type=Snapshot)
