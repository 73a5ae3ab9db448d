"""Freezes: while one holds, nothing is promoted; what is live can still be rolled back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.deciding import deciding
from watchkeeper.store.tables import freezes

EVERY = "*"
"""In the place of a feature: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRow:
    """A freeze that holds."""

    environment: str
    feature: str
    """`*` for every one."""
    at: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        whose = "" if self.feature == EVERY else f" for {self.feature}"
        why = f" ({self.reason})" if self.reason else ""
        what = self.environment if self.feature == EVERY else f"{self.environment} {self.feature}"
        since = f"by {self.by} since {self.at:%Y-%m-%d %H:%M} UTC{why}"
        return f"{self.environment} is frozen{whose} {since}: `watchkeeper release unfreeze {what}`"


class Freezes:
    """Begins and ends freezes, each noted as a change."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def active(self) -> list[FreezeRow]:
        """List the freezes that hold."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(freezes).where(freezes.c.ended_at.is_(None)).order_by(freezes.c.id))
            return [_read(row) for row in rows]

    async def begin(self, environment: str, feature: str, *, by: str, reason: str) -> bool:
        """Freeze an environment for a feature or for `*`; tell whether it was not frozen so already."""
        values = {
            "environment": environment, "feature": feature, "at": moments.now(self._clock), "by": by, "reason": reason,
            "ended_by": "",
        }  # fmt: skip
        async with deciding(self._engine) as connection:
            if (await connection.execute(select(freezes.c.id).where(*_same(environment, feature)))).first() is not None:
                return False
            await connection.execute(insert(freezes).values(**values))
            await self._note(connection, "froze", environment, feature, by=by, reason=reason)
        return True

    async def end(self, environment: str, feature: str, *, by: str, reason: str) -> bool:
        """End the freeze of an environment for a feature or for `*`; tell whether there was one."""
        values = {"ended_at": moments.now(self._clock), "ended_by": by}
        async with deciding(self._engine) as connection:
            done = await connection.execute(update(freezes).where(*_same(environment, feature)).values(**values))
            if done.rowcount:
                await self._note(connection, "unfroze", environment, feature, by=by, reason=reason)
        return bool(done.rowcount)

    async def _note(
        self, connection: AsyncConnection, verb: str, environment: str, feature: str, *, by: str, reason: str
    ) -> None:
        is_frozen = verb == "froze"
        change = changed({"is_frozen": not is_frozen}, {"is_frozen": is_frozen})
        detail = {"environment": environment, "feature": feature, "reason": reason, **change}
        of = "" if feature == EVERY else feature
        whose = "" if feature == EVERY else f" for {feature}"
        await note(
            connection, self._clock, "release", f"{verb} {environment}{whose}", actor=by, detail=detail, feature=of
        )


async def freezes_of(connection: AsyncConnection, environment: str, feature: str) -> list[FreezeRow]:
    """List the freezes that hold for a feature in an environment, in a transaction that does more."""
    chosen = select(freezes).where(
        freezes.c.ended_at.is_(None),
        freezes.c.environment == environment,
        freezes.c.feature.in_((feature, EVERY)),
    )
    return [_read(row) for row in (await connection.execute(chosen.order_by(freezes.c.id))).all()]


def _same(environment: str, feature: str) -> tuple[Any, ...]:
    return freezes.c.ended_at.is_(None), freezes.c.environment == environment, freezes.c.feature == feature


def _read(row: Row[Any]) -> FreezeRow:
    return FreezeRow(
        environment=row.environment,
        feature=row.feature,
        at=moments.read_known(row.at),
        by=row.by,
        reason=row.reason,
    )
