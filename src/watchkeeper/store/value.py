"""Units of value: what was reported apart from calls, each event once; and how many there were."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from watchkeeper.core.errors import CallerError
from watchkeeper.money.units import written
from watchkeeper.store.cost import Ask, conditions_of, named
from watchkeeper.store.cost_rows import CostScope, Named
from watchkeeper.store.questions import Parameters, sql

AddOnce = Callable[[str, str, Parameters], Awaitable[Sequence[tuple[Any, ...]]]]
"""Given a question and an insert: what the question finds, or nothing, once it is inserted."""

OF_EVENTS: frozenset[Named] = frozenset({"feature", "tenant"})
"""What an event is named by, too; units can be asked for by nothing else."""


class ValueConflict(CallerError):
    """An event of this id says something else; nothing was changed."""

    code = "value_conflict"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEvent:
    """Units of value that were reported apart from a call."""

    id: str
    """Given by whoever reports it; the same id is one event."""
    feature: str
    tenant: str
    call_id: str
    """The call that is worth it; empty when none is named."""
    units_milli: int
    """Thousandths of a unit; below 0 takes back."""
    at: datetime
    """The moment to which the value belongs."""
    recorded_at: datetime
    source: str
    """Who reported it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Units of value of one feature, in thousandths."""

    said_milli: int = 0
    """By the header of calls that ended well."""
    reported_milli: int = 0
    """By events."""

    @property
    def milli(self) -> int:
        """All of them."""
        return self.said_milli + self.reported_milli


class ValueEvents:
    """Keeps events, and counts units."""

    def __init__(self, ask: Ask, add_once: AddOnce) -> None:
        self._ask = ask
        self._add_once = add_once

    async def add(self, event: ValueEvent) -> tuple[ValueEvent, bool]:
        """Keep an event unless it is there already; return what is kept, and whether it is new.

        Raises:
            ValueConflict: an event of this id is of another feature, tenant or call, or of other units.
        """
        values = {
            name: getattr(event, name) for name in ("id", "feature", "tenant", "call_id", "units_milli", "source")
        }
        values |= {"at": event.at.astimezone(UTC), "recorded_at": event.recorded_at.astimezone(UTC)}
        found = await self._add_once(sql("value_event"), sql("value_add"), values)
        if not found:
            return event, True
        feature, tenant, call_id, units_milli, at, recorded_at, source = found[0]
        kept = replace(
            event,
            feature=feature,
            tenant=tenant,
            call_id=call_id,
            units_milli=units_milli,
            at=at,
            recorded_at=recorded_at,
            source=source,
        )
        if kept != replace(event, at=at, recorded_at=recorded_at, source=source):
            raise ValueConflict(
                f"The event {event.id[:60]!r} is known with {written(units_milli)} units of "
                f"{call_id or feature!r}; nothing was changed. Give each event an id of its own."
            )
        return kept, False

    async def units(self, scope: CostScope) -> dict[str, Units]:
        """Count the units of value of a period by feature.

        Args:
            scope: May choose by feature and tenant only.
        """
        assert all(name in OF_EVENTS for name, _ in scope.where)
        conditions, values = conditions_of(scope)
        found = await self._ask(sql("units").format(where=conditions, where_event=named(scope)), values)
        return {feature: Units(said_milli=int(said), reported_milli=int(reported)) for feature, said, reported in found}
