"""The stores and services of one data folder, put together alike for the keeper and for a command without one."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from watchkeeper.access.keys import KeyHasher
from watchkeeper.access.node import NodeSecrets
from watchkeeper.access.subjects import Pseudonyms
from watchkeeper.access.tokens import TokenHasher
from watchkeeper.api.services import CostBasis, Services
from watchkeeper.config.schema import Config
from watchkeeper.core.clock import Clock
from watchkeeper.server.folder import DataFolder
from watchkeeper.server.own_keys import eval_key, replay_key
from watchkeeper.server.release_basis import release_basis
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.control import ControlStore

if TYPE_CHECKING:
    # Price lists and more come with it, which a command without a keeper does not need.
    from watchkeeper.server.desired import DesiredState


@dataclass(frozen=True, slots=True)
class Stores:
    """The two databases of a data folder."""

    control: ControlStore
    analytics: AnalyticsStore

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, folder: DataFolder, clock: Clock, config: Config, *, analytics_when_asked: bool = False
    ) -> "AsyncIterator[Stores]":
        """Open both where the configuration says, else in the data folder, and close them again.

        Args:
            folder: Made ready.
            clock: For what the control database notes.
            config: May say where the databases are.
            analytics_when_asked: Open the analytics store only when it is first asked; that question then fails if it
                cannot be opened.
        """
        control = await ControlStore.open(config.stores.control or f"sqlite:///{folder.control_db}", clock)
        try:
            url = config.stores.analytics or f"chdb://{folder.analytics}"
            analytics = AnalyticsStore(url) if analytics_when_asked else AnalyticsStore.open(url)
            try:
                yield cls(control, analytics)
            finally:
                analytics.close()
        finally:
            await control.close()


def build_services(
    stores: Stores,
    secrets: NodeSecrets,
    clock: Clock,
    *,
    desired: "DesiredState | None",
    gateway_url: str,
    statuses: Mapping[str, Callable[[], dict[str, Any]]] | None = None,
    cost_basis: Callable[[], CostBasis] = CostBasis,
    config: Config | None = None,
) -> Services:
    """Put the services together; without a keeper nobody takes events in, and a change waits for the next start.

    `cost_basis` and `config` stand in for what is in force where there is no desired state.
    """

    def health() -> dict[str, Any]:
        found = desired.health() if desired is not None else {"keeper": {"trouble": "not running"}}
        return found | {name: status() for name, status in (statuses or {}).items()}

    def in_force() -> Config:
        return desired.loaded.config if desired is not None else config or Config()

    return Services(
        control=stores.control,
        analytics=stores.analytics,
        key_hasher=KeyHasher(secrets.derive("keys")),
        token_hasher=TokenHasher(secrets.derive("sessions")),
        pseudonyms=Pseudonyms(secrets.derive("subjects")),
        clock=clock,
        on_control_change=desired.recompile_soon if desired is not None else lambda: None,
        health=health,
        declared_features=lambda: frozenset(desired.loaded.config.features) if desired is not None else frozenset(),
        gateway_url=gateway_url,
        first_model=lambda: next(iter(desired.loaded.config.routes), "") if desired is not None else "",
        routing=lambda: desired.routing() if desired is not None else None,
        terms=lambda: desired.terms() if desired is not None else None,
        declared_budgets=lambda: desired.loaded.config.budgets if desired is not None else (),
        replay_key=replay_key(secrets) if desired is not None else "",
        eval_key=eval_key(secrets) if desired is not None else "",
        cost_basis=desired.cost_basis if desired is not None else cost_basis,
        release_basis=lambda: release_basis(in_force()),
        oidc=lambda: desired.loaded.config.sign_in.oidc if desired is not None else None,
        notifications=lambda: in_force().notifications,
        canaries=lambda: in_force().canaries,
        false_alarms=lambda: in_force().drift.false_alarms if in_force().drift.watched else None,
        evals=lambda: in_force().evals,
    )
