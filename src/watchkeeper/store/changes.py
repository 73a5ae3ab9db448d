"""What was changed in the set-up, when and by whom: the markers on every chart."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.tables import changes

LISTED_MAX = 500
FEATURE_MAX = 200
ACCESS: Final = "access"
"""Kind of a change that is none: somebody read what was asked and answered in a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """Which changes. An empty field does not restrict; all that are set must hold."""

    kind: str = ""
    actor: str = ""
    feature: str = ""
    features: frozenset[str] | None = None
    """Only changes of one of these, and of the configuration; None for all."""
    without: tuple[str, ...] = ()
    """Kinds that are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change."""

    at: datetime
    actor: str
    kind: str
    """`config`, `key`, `user`, `token`, `access`, `fault`, `cache`, `prices`, `budget`, `alert` and others."""
    summary: str
    detail: dict[str, Any]
    """Facts for programs; of what was changed, `before` and `after` as `changed` writes them."""
    feature: str
    """To which it belongs; empty where it is about the whole installation."""


EVERY = ChangeFilter()


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

    async def note_reading(self, call_id: str, *, actor: str, feature: str) -> None:
        """Note that somebody reads the text of a call, once in each hour of the clock."""
        hour = moments.now(self._clock).replace(minute=0, second=0, microsecond=0)
        once = sha256(f"{ACCESS} {hour.isoformat()} {call_id} {actor}".encode()).hexdigest()
        async with self._engine.connect() as connection:
            if (await connection.execute(select(changes.c.id).where(changes.c.once == once))).one_or_none():
                return
        row = {"at": moments.now(self._clock), "actor": actor, "kind": ACCESS, "feature": feature[:FEATURE_MAX]}
        values = row | {"summary": f"read call {call_id}", "detail": {"call": call_id}, "once": once}
        # Of several who read for the same person at once, one notes it.
        with suppress(IntegrityError):
            async with self._engine.begin() as connection:
                await connection.execute(insert(changes).values(**values))

    async def between(self, since: datetime, until: datetime, chosen: ChangeFilter = EVERY) -> list[Change]:
        """List the changes of a window, oldest first; the newest when there are too many."""
        query = (
            select(changes)
            .where(changes.c.at >= moments.stored(since), changes.c.at < moments.stored(until), *_conditions(chosen))
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


def _conditions(chosen: ChangeFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("kind", "actor", "feature"):
        if value := getattr(chosen, name):
            yield changes.c[name] == value
    if chosen.features is not None:
        yield changes.c.feature.in_(chosen.features - {""}) | (changes.c.kind == "config")
    if chosen.without:
        yield changes.c.kind.not_in(chosen.without)


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
