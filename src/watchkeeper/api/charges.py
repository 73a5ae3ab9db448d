"""What a call took from which budgets, and how its cost was corrected, as JSON."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.core.money import BudgetUnit, usd
from watchkeeper.store.charges import Booked

Amount = Annotated[str, Field(description="In US dollars, tokens or calls, by the unit.")]


class Charge(BaseModel):
    """What a call took from one account."""

    account: Annotated[str, Field(description="The budget, and the values of its scope.")]
    budget: str
    unit: Annotated[str, Field(description="usd, tokens or calls.")]
    held: Annotated[Amount, Field(description="Set aside before the call; 0 where nothing was.")]
    amount: Annotated[Amount | None, Field(description="What was booked; null when nobody could price it.")]


class Correction(BaseModel):
    """A cost that was computed anew."""

    recorded_at: datetime
    old_usd: Dollars | None
    new_usd: Dollars
    source: str
    reason: str
    actor: str


class BookedDocument(BaseModel):
    """What is on the books about a call."""

    charges: list[Charge]
    notes: Annotated[
        list[str], Field(description="What budgets did to it: `would_refuse BUDGET`, `degraded BUDGET`, ...")
    ]
    corrections: Annotated[list[Correction], Field(description="The oldest first; the last one holds.")]


def booked_document(found: Booked) -> BookedDocument:
    """Write what is on the books."""
    return BookedDocument(
        charges=[
            Charge(
                account=row.key,
                budget=row.budget,
                unit="usd" if row.unit == "nusd" else row.unit,
                held=_amount(row.held, row.unit),
                amount=None if row.amount is None else _amount(row.amount, row.unit),
            )
            for row in found.charges
        ],
        notes=list(found.notes),
        corrections=[
            Correction(
                recorded_at=row.recorded_at,
                old_usd=None if row.old_nusd is None else usd(row.old_nusd),
                new_usd=usd(row.new_nusd),
                source=row.price_source,
                reason=row.reason,
                actor=row.actor,
            )
            for row in found.corrections
        ],
    )


def _amount(amount: int, unit: BudgetUnit) -> str:
    return usd(amount) if unit == "nusd" else str(amount)
