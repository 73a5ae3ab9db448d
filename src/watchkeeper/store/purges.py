"""Purges of the answer cache, as the control database keeps them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import cache_purges

ENTRY_LIVES = timedelta(days=31)
"""No answer stays in a cache for so long. It is in a worker's memory, and workers take a purge within a second: an
older one has nothing left to drop."""
SERVED_MAX = 1_000
"""Purges in a snapshot, the newest. Workers compare every answer with each; those left out were obeyed long ago."""

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeDraft:
    """Whose answers are to be dropped; all that are set must hold, and with none set it means every answer."""

    tenant: str = ""
    release: str = ""
    subject: str = ""
    """A pseudonym."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeRow:
    """A purge."""

    at: datetime
    actor: str
    before_ns: int
    """What was stored up to this Unix time is dropped."""
    tenant: str
    release: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePurge:
    """The latest of all purges that mean the same answers."""

    before_ns: int
    tenant: str
    release: str
    subject: str


class Purges:
    """Adds and lists purges; each is noted in its own transaction."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def add(self, draft: PurgeDraft, *, actor: str) -> PurgeRow:
        """Drop what is stored up to now."""
        now_ns = self._clock.unix_ns()
        row = PurgeRow(
            at=moments.read_known(moments.now(self._clock)),
            actor=actor,
            before_ns=now_ns,
            tenant=draft.tenant,
            release=draft.release,
            subject=draft.subject,
        )
        meant = {"tenant": row.tenant, "release": row.release, "subject": row.subject}
        said = ", ".join(f"{name} {value}" for name, value in meant.items() if value) or "every answer"
        async with self._engine.begin() as connection:
            values = {"at": moments.stored(row.at), "actor": actor, "before_ns": now_ns, **meant}
            await connection.execute(insert(cache_purges).values(**values))
            await note(
                connection, self._clock, "cache", f"purged the cache: {said}", actor=actor, detail=changed(None, meant)
            )
        return row

    async def live(self) -> list[LivePurge]:
        """List the purges that a cache entry may still fall under, the newest first."""
        oldest_ns = self._clock.unix_ns() - int(ENTRY_LIVES.total_seconds()) * _NS
        meant = (cache_purges.c.tenant, cache_purges.c.release, cache_purges.c.subject)
        latest = func.max(cache_purges.c.before_ns).label("latest_ns")
        query = (
            select(latest, *meant)
            .where(cache_purges.c.before_ns > oldest_ns)
            .group_by(*meant)
            .order_by(latest.desc(), *meant)
            .limit(SERVED_MAX)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            LivePurge(before_ns=row.latest_ns, tenant=row.tenant, release=row.release, subject=row.subject)
            for row in rows
        ]
