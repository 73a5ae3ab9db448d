"""How far online evaluation has come with each of its rules; one keeper at a time goes on with a rule."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.schedule_tables import eval_online

HELD_FOR = timedelta(minutes=10)
"""Longer than a batch takes; where a host has died, its keeper holds a rule for so long."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind which answer it goes on."""

    stored_us: int
    """Unix time at which it was stored, in microseconds."""
    call_id: str


class OnlineCursors:
    """Keeps the cursors."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def claim(self, rule: str, holder: str, is_gone: Callable[[str], bool]) -> Cursor | None:
        """Hold a rule for a while; None where another keeper does that may live.

        A new rule begins with what comes from now on.
        """
        now, table = moments.now(self._clock), eval_online
        until = now + HELD_FOR
        # What is read before it is written must not be read beside another writer, which SQLite would then refuse.
        async with self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            start = {"cursor_us": self._clock.unix_ns() // 1000, "cursor_id": "", "held_until": until}
            adding = insert_into(connection, table).values(rule=rule, holder=holder, **start).on_conflict_do_nothing()
            await connection.execute(adding)
            row = (await connection.execute(select(table).where(table.c.rule == rule))).one()
            if row.holder != holder and row.held_until >= now and not is_gone(row.holder):
                return None
            same = (table.c.rule == rule, table.c.holder == row.holder, table.c.held_until == row.held_until)
            taking = update(table).where(*same).values(holder=holder, held_until=until)
            row = (await connection.execute(taking.returning(table))).one_or_none()
        return None if row is None else Cursor(row.cursor_us, row.cursor_id)

    async def advance(self, rule: str, holder: str, cursor: Cursor | None = None) -> bool:
        """Note how far it is and go on holding the rule; False, and nothing is noted, where another keeper holds it."""
        moved = {"held_until": moments.now(self._clock) + HELD_FOR}
        moved_to = {} if cursor is None else {"cursor_us": cursor.stored_us, "cursor_id": cursor.call_id}
        same = (eval_online.c.rule == rule, eval_online.c.holder == holder)
        async with self._engine.begin() as connection:
            done = await connection.execute(update(eval_online).where(*same).values(**moved, **moved_to))
        return bool(done.rowcount)

    async def all(self) -> dict[str, Cursor]:
        """Return how far each rule is."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(eval_online))).all()
        return {row.rule: Cursor(row.cursor_us, row.cursor_id) for row in rows}
