"""What the control API and the console are built on; put together by `server`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.config.budgets import Budget
from watchkeeper.config.canaries import Canary
from watchkeeper.config.environments import ALWAYS
from watchkeeper.config.evals import Evals
from watchkeeper.config.notifications import Notifications
from watchkeeper.config.sign_in import Oidc
from watchkeeper.core.clock import Clock
from watchkeeper.core.usage import Usage
from watchkeeper.evals.drift.measured import Measured
from watchkeeper.ingest.indexing import Indexing
from watchkeeper.ingest.pricing import Terms
from watchkeeper.releases.rules import Rules
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.canaries import RoundRow
from watchkeeper.store.control import ControlStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where calls may be sent."""

    targets: Mapping[str, frozenset[str]]
    """By route: every `provider/model` that one of its calls may come to."""
    providers: frozenset[str]
    """A client may also name `provider/model` itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What the configuration says of a feature."""

    owner: str = ""
    cost_owner: str = ""
    """Who pays for it; empty when nobody is named."""
    unit_of_value: str = ""
    stage: str = ""
    """How much depends on it; empty for a feature that the configuration does not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBasis:
    """What questions about cost must know of the configuration and the price book."""

    features: Mapping[str, Ownership] = field(default_factory=dict[str, Ownership])
    cache_ttl_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of the routes that keep answers."""
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By route: each `provider/model` of its targets or tiers, in the order of the configuration; no fallbacks."""
    list_price: Callable[[str, Usage, int], int | None] = lambda target, usage, at_ns: None
    """What a call costs that uses so much at a target at a Unix time (ns), in nano-dollars; None when not known."""


def _no_rules() -> dict[str, Rules]:
    return {name: Rules() for name in ALWAYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseBasis:
    """What questions about releases must know of the configuration."""

    environments: Mapping[str, Rules] = field(default_factory=_no_rules)
    """Rules by environment; there are no others."""
    models: frozenset[str] | None = None
    """Routes; None where nobody knows which there are."""
    providers: frozenset[str] = frozenset()
    """A release may also name `provider/model`."""
    retrievers: frozenset[str] | None = None
    """Endpoints at which documents are looked up; None where nobody knows which there are."""


async def _nothing_to_tell() -> None:
    """No worker follows this process."""


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
    terms: Callable[[], Terms | None] = lambda: None
    """Whose prices apply to each provider; None when no keeper runs."""
    repricing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while calls are priced again."""
    declared_budgets: Callable[[], Sequence[Budget]] = tuple
    """Budgets that the configuration file has, without what people have edited."""
    cost_basis: Callable[[], CostBasis] = CostBasis
    """Empty where nothing is known of the configuration."""
    release_basis: Callable[[], ReleaseBasis] = ReleaseBasis
    """Raises OperatorError where the configuration cannot be read: its rules are not known then."""
    on_release_change: Callable[[], Awaitable[None]] = _nothing_to_tell
    """Called after what is live has changed: the workers must know before the moment from which it holds."""
    arrival: Callable[[], Mapping[str, int]] = dict[str, int]
    """Which version of what is live each running worker serves; empty when no keeper runs."""
    indexing: Indexing = field(default_factory=Indexing)
    """Builds indexes, one at a time."""
    on_index_change: Callable[[], Awaitable[None]] = _nothing_to_tell
    """Called after a version of an index was made or removed: this host's files must follow."""
    notifications: Callable[[], Notifications] = Notifications
    """Who is told of alerts."""
    evals: Callable[[], Evals] = Evals
    """What goes on by itself."""
    oidc: Callable[[], Oidc | None] = lambda: None
    """The provider with which people sign in; None where the configuration names none."""
    replay_key: str = ""
    """The key with which the keeper repeats calls through the gateway; empty when no keeper runs."""
    eval_key: str = ""
    """The key with which cases and judges are asked; empty when no keeper runs."""
    false_alarms: Callable[[], float | None] = lambda: None
    """How many alarms of drift a feature may raise by mistake in thirty days; None where drift is not looked for."""
    canaries: Callable[[], Sequence[Canary]] = tuple
    """Models that the configuration has watched."""
    ask_canary: Callable[[Canary, str], Awaitable[RoundRow]] | None = None
    """Asks a round now, for somebody, and keeps it; None when no keeper runs."""
    calibrate: Callable[[str], Awaitable[Sequence[Measured]]] | None = None
    """Replays a feature's history against itself; None when no keeper runs."""
