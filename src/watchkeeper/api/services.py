"""What the control API and the console are built on; put together by `server`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.core.clock import Clock
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where calls may be sent."""

    targets: Mapping[str, frozenset[str]]
    """By route: every `provider/model` that one of its calls may come to."""
    providers: frozenset[str]
    """A client may also name `provider/model` itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The keeper's parts, as far as questions and commands need them."""

    control: ControlStore
    analytics: AnalyticsStore
    key_hasher: KeyHasher
    token_hasher: TokenHasher
    pseudonyms: Pseudonyms
    clock: Clock
    on_control_change: Callable[[], None]
    """Called after keys, faults or purges have changed: the snapshot must follow."""
    health: Callable[[], dict[str, Any]]
    """How configuration and ingest are doing."""
    declared_features: Callable[[], frozenset[str]]
    """Features that the configuration names; empty when it names none."""
    gateway_url: str
    """Where clients reach the gateway, with `/v1`."""
    first_model: Callable[[], str]
    """A route to try; empty when there is none."""
    routing: Callable[[], Routing | None]
    """Where calls may be sent; None when no keeper runs."""
