"""The keeper's parts that notice drift, put together."""

from dataclasses import replace
from typing import TYPE_CHECKING

from watchkeeper.api.services import Services
from watchkeeper.server.canaries import CanaryWatch
from watchkeeper.server.drift import DriftWatch
from watchkeeper.server.rounds import Duty

if TYPE_CHECKING:
    from watchkeeper.server.drift_looks import Comparer


def with_drift(services: Services, *, console: str) -> tuple[Services, tuple[Duty, ...]]:
    """Return the services with what asks canaries and replays history, and what is to be done again and again."""
    control = services.control

    def comparer() -> "Comparer":
        from watchkeeper.server.drift_looks import Comparer  # scipy comes with it: half a second, at the first look

        return Comparer(services.indexing.embed)

    drift = DriftWatch(
        drift=control.drift,
        alerts=control.alerts,
        figures=services.analytics.drift,
        notifications=services.notifications,
        clock=services.clock,
        comparer=comparer,
        false_alarms=services.false_alarms,
        console=console,
    )
    canaries = CanaryWatch(
        canaries=services.canaries,
        rounds=control.canaries,
        drift=control.drift,
        alerts=control.alerts,
        notifications=services.notifications,
        clock=services.clock,
        comparer=comparer,
        gateway_url=services.gateway_url,
        key=services.eval_key,
        console=console,
    )
    known = replace(services, ask_canary=canaries.ask, calibrate=drift.calibrate)
    return known, (*drift.duties(), *canaries.duties())
