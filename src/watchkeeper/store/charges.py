"""What one call took from which budgets, and how its cost was corrected since."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchkeeper.core.ids import CallId
from watchkeeper.core.money import BudgetUnit
from watchkeeper.store.questions import Parameters, near, sql

Ask = Callable[[str, Parameters], Awaitable[Sequence[tuple[Any, ...]]]]


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """What the call took from one account, in the budget's unit."""

    key: str
    budget: str
    unit: BudgetUnit
    held: int
    """Set aside before the call."""
    drawn: int
    """Taken by the worker out of its lease."""
    amount: int | None
    """What was booked; None when nobody could price it."""


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A cost that was computed anew. The call's own row is never changed."""

    recorded_at: datetime
    old_nusd: int | None
    new_nusd: int
    price_source: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Booked:
    """What is on the books about one call."""

    charges: tuple[ChargeRow, ...]
    notes: tuple[str, ...]
    """What budgets did to it: `would_refuse BUDGET`, `degraded BUDGET`, `unsure BUDGET`."""
    corrections: tuple[CorrectionRow, ...]
    """The oldest first; the last one holds."""


async def booked(ask: Ask, call_id: CallId) -> Booked:
    """Return what is on the books about a call; nothing for one that is not there."""
    values = near(call_id)
    notes = await ask(sql("notes_of_call"), values)
    return Booked(
        charges=tuple([ChargeRow(*row) for row in await ask(sql("charges"), values)]),
        notes=tuple(notes[0][0]) if notes else (),
        corrections=tuple([CorrectionRow(*row) for row in await ask(sql("call_corrections"), values)]),
    )
