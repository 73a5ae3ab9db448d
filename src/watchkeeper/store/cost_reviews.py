"""Weekly cost reviews that somebody has signed, with the figures as they were then."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import cost_reviews


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReviewRow:
    """One sign-off."""

    week: str
    """`2026-W47`."""
    owner: str
    """Cost owner; empty for the features that have none."""
    signed_by: str
    at: datetime
    note: str
    figures: dict[str, Any]
    """What was signed: as `console.pages.review_figures` writes it."""


class CostReviews:
    """Keeps sign-offs; none is ever changed."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def of(self, week: str, owner: str | None = None) -> list[CostReviewRow]:
        """List the sign-offs of a week, of one owner or of all, the latest first."""
        chosen = select(cost_reviews).where(cost_reviews.c.week == week)
        if owner is not None:
            chosen = chosen.where(cost_reviews.c.owner == owner)
        async with self._engine.connect() as connection:
            rows = await connection.execute(chosen.order_by(cost_reviews.c.id.desc()))
            return [_read(row) for row in rows]

    async def sign(self, week: str, owner: str, figures: dict[str, Any], *, actor: str, remark: str) -> CostReviewRow:
        """Keep a sign-off."""
        now = moments.now(self._clock)
        values = {"week": week, "owner": owner, "signed_by": actor, "at": now, "note": remark, "figures": figures}
        async with self._engine.begin() as connection:
            await connection.execute(insert(cost_reviews).values(**values))
            summary = f"signed the cost review of {week} for {owner or 'features without a cost owner'}"
            detail = {"week": week, "owner": owner} | changed(None, {"note": remark, "figures": figures})
            await note(connection, self._clock, "review", summary, actor=actor, detail=detail)
        return CostReviewRow(
            week=week, owner=owner, signed_by=actor, at=moments.read_known(now), note=remark, figures=figures
        )


def _read(row: Row[Any]) -> CostReviewRow:
    return CostReviewRow(
        week=row.week,
        owner=row.owner,
        signed_by=row.signed_by,
        at=moments.read_known(row.at),
        note=row.note,
        figures=row.figures,
    )
