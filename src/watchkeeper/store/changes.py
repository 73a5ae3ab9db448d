"""What was changed in the set-up, when and by whom: the markers on every chart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.tables import changes

LISTED_MAX = 500
FEATURE_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change."""

    at: datetime
    actor: str
    kind: str
    """`config`, `key`, `user`, `token`, `access`, `fault`, `cache`, `prices`, `budget`, `review`, `release`."""
    summary: str
    detail: dict[str, Any]
    """Facts for programs; of what was changed, `before` and `after` as `changed` writes them."""
    feature: str
    """To which it belongs; empty where it is about the whole installation."""


class Changes:
    """Notes and lists changes."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def note(
        self, kind: str, summary: str, *, actor: str, detail: dict[str, Any] | None = None, feature: str = ""
    ) -> None:
        """Note a change that was made elsewhere."""
        async with self._engine.begin() as connection:
            await note(connection, self._clock, kind, summary, actor=actor, detail=detail, feature=feature)

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
                at=moments.read_known(row.at),
                actor=row.actor,
                kind=row.kind,
                summary=row.summary,
                detail=row.detail,
                feature=row.feature,
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
    feature: str = "",
) -> None:
    """Note a change in the transaction that makes it."""
    row = {"at": moments.now(clock), "actor": actor, "kind": kind, "summary": summary, "detail": detail or {}}
    await connection.execute(insert(changes).values(**row, feature=feature[:FEATURE_MAX]))


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the detail of a change: `before` and `after`, times as ISO 8601, null where there was or is nothing."""
    return {"before": _plain(before), "after": _plain(after)}


def _plain(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, Decimal) else value
        for name, value in fields.items()
    }
