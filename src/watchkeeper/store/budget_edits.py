"""Budgets that people have changed, added or removed in the console; what was before stays to be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.access.roles import ALL
from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import budget_edits

LISTED_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEditRow:
    """One edit; the latest of a name holds."""

    name: str
    """The budget's identity."""
    definition: dict[str, Any]
    """In the words of the configuration file."""
    is_added: bool
    """Whether the file had no such budget."""
    is_removed: bool
    """Whether it takes back what was edited before."""
    at: datetime
    by: str
    reason: str


class BudgetEdits:
    """Keeps edits; each is noted as a change in the transaction that makes it."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def current(self) -> dict[str, BudgetEditRow]:
        """Return the edits that hold, by name."""
        latest = select(func.max(budget_edits.c.id)).group_by(budget_edits.c.name)
        chosen = select(budget_edits).where(budget_edits.c.id.in_(latest), ~budget_edits.c.is_removed)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(chosen.order_by(budget_edits.c.id))).all()
        return {row.name: _read(row) for row in rows}

    async def history(self, name: str) -> list[BudgetEditRow]:
        """List what was done to one budget, the latest first."""
        chosen = select(budget_edits).where(budget_edits.c.name == name)
        async with self._engine.connect() as connection:
            rows = await connection.execute(chosen.order_by(budget_edits.c.id.desc()).limit(LISTED_MAX))
            return [_read(row) for row in rows]

    async def put(
        self,
        name: str,
        definition: Mapping[str, Any],
        *,
        is_added: bool,
        actor: str,
        reason: str,
        before: Mapping[str, Any] | None = None,
    ) -> BudgetEditRow:
        """Have a budget be as defined from now on; what it was before is only noted."""
        row = BudgetEditRow(
            name=name,
            definition=dict(definition),
            is_added=is_added,
            is_removed=False,
            at=moments.read_known(moments.now(self._clock)),
            by=actor,
            reason=reason,
        )
        summary = f"{'added' if is_added else 'changed'} the budget {name}"
        await self._keep(row, summary, _definition(before), _definition(definition))
        return row

    async def take_back(self, name: str, *, actor: str, reason: str, after: Mapping[str, Any] | None = None) -> bool:
        """Have a budget be as the file says, or be gone where it says nothing; tell whether anything was edited.

        What the file says is only noted.
        """
        held = (await self.current()).get(name)
        if held is None:
            return False
        row = BudgetEditRow(
            name=name,
            definition=held.definition,
            is_added=held.is_added,
            is_removed=True,
            at=moments.read_known(moments.now(self._clock)),
            by=actor,
            reason=reason,
        )
        summary = f"removed the budget {name}" if held.is_added else f"took back the edit of {name}"
        await self._keep(row, summary, _definition(held.definition), _definition(after))
        return True

    async def _keep(
        self, row: BudgetEditRow, summary: str, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        values = {name: getattr(row, name) for name in row.__slots__} | {"at": moments.stored(row.at)}
        detail = {"name": row.name, "reason": row.reason} | changed(before, after)
        feature = str((row.definition.get("scope") or {}).get("feature", ALL))
        async with self._engine.begin() as connection:
            await connection.execute(insert(budget_edits).values(**values))
            about = "" if feature == ALL else feature
            await note(connection, self._clock, "budget", summary, actor=row.by, detail=detail, feature=about)


def _definition(said: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if said is None else dict(said)


def _read(row: Row[Any]) -> BudgetEditRow:
    return BudgetEditRow(
        name=row.name,
        definition=row.definition,
        is_added=row.is_added,
        is_removed=row.is_removed,
        at=moments.read_known(row.at),
        by=row.by,
        reason=row.reason,
    )
