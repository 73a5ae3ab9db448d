"""What was changed in the set-up, when and by whom: the markers on every chart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.tables import changes

LISTED_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change."""

    at: datetime
    actor: str
    kind: str
    """`config`, `key`, `user`, `token`, `fault`, `cache`, `budget`, `review`, `release`."""
    summary: str
    detail: dict[str, Any]


class Changes:
    """Notes and lists changes."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def note(self, kind: str, summary: str, *, actor: str, detail: dict[str, Any] | None = None) -> None:
        """Note a change that was made elsewhere."""
        async with self._engine.begin() as connection:
            await note(connection, self._clock, kind, summary, actor=actor, detail=detail)

    async def between(self, since: datetime, until: datetime) -> list[Change]:
        """List the changes of a window, oldest first; the newest when there are too many."""
        query = (
            select(changes)
            .where(changes.c.at >= moments.stored(since), changes.c.at < moments.stored(until))
            .order_by(changes.c.at.desc(), changes.c.id.desc())
            .limit(LISTED_MAX)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Change(
                at=moments.read_known(row.at), actor=row.actor, kind=row.kind, summary=row.summary, detail=row.detail
            )
            for row in reversed(rows)
        ]


async def note(
    connection: AsyncConnection,
    clock: Clock,
    kind: str,
    summary: str,
    *,
    actor: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """Note a change in the transaction that makes it."""
    row = {"at": moments.now(clock), "actor": actor, "kind": kind, "summary": summary, "detail": detail or {}}
    await connection.execute(insert(changes).values(**row))
