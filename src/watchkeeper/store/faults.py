"""Faults that are injected for drills, as the control database keeps them. Each ends by itself."""

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import faults

LONGEST = timedelta(hours=24)
"""Nobody remembers a drill of yesterday: a longer one must be started again."""
ACTIVE_MAX = 50
"""Faults that are injected at a time."""
LISTED_FOR = timedelta(days=7)
"""How long a fault that has ended stays in the list."""
LISTED_MAX = 500


class FaultUnknown(CallerError):
    """There is no fault with this id."""

    code = "fault_not_found"
    http_status = 404


class FaultOver(CallerError):
    """The fault has ended already."""

    code = "fault_ended"
    http_status = 409


class FaultsTooMany(CallerError):
    """So many faults are being injected that one more is refused."""

    code = "too_many_faults"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDraft:
    """A fault to be started; the fields mean what those of `gateway.snapshot.FaultRule` mean."""

    kind: str
    route: str
    lasts: timedelta
    share: float = 1.0
    target: str = ""
    key_id: str = ""
    tenant: str = ""
    after: int = 0
    seconds: float = 0.0
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """A fault that was started."""

    id: str
    kind: str
    route: str
    share: float
    """Of the calls that match, above 0 and at most 1."""
    target: str
    key_id: str
    tenant: str
    after: int
    seconds: float
    status: int
    started_at: datetime
    started_by: str
    ends_at: datetime
    """When it ends by itself; when it was stopped, for one that was."""
    stopped_by: str
    """Empty for one that nobody stopped."""

    def is_active_at(self, moment: datetime) -> bool:
        """Tell whether the gateway injects it."""
        return moment < self.ends_at


class Faults:
    """Starts, lists and stops faults; starting and stopping are noted in the transaction that does it."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, *, random_hex: Callable[[int], str] = secrets.token_hex
    ) -> None:
        self._engine = engine
        self._counting = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._clock = clock
        self._random_hex = random_hex

    async def start(self, draft: FaultDraft, *, actor: str) -> FaultRow:
        """Begin to inject a fault, for as long as it says but never longer than `LONGEST`.

        Raises:
            FaultsTooMany: `ACTIVE_MAX` are being injected.
        """
        now = moments.read_known(moments.now(self._clock))
        fields = {name: value for name, value in asdict(draft).items() if name != "lasts"}
        row = FaultRow(
            **fields,
            id=f"fault-{self._random_hex(4)}",
            started_at=now,
            started_by=actor,
            ends_at=now + min(draft.lasts, LONGEST),
            stopped_by="",
        )
        async with self._counting.begin() as connection:
            await self._see_that_there_is_room(connection)
            await connection.execute(insert(faults).values(**_stored(row)))
            summary = f"drill: started {row.id}, {_words(row)}, until {row.ends_at:%Y-%m-%d %H:%M} UTC"
            await note(connection, self._clock, "fault", summary, actor=actor, detail=_noted(None, row))
        return row

    async def stop(self, fault_id: str, *, actor: str) -> FaultRow:
        """End a fault now.

        Raises:
            FaultUnknown: there is none of this id.
            FaultOver: it has ended.
        """
        found = await self.get(fault_id)
        now = moments.now(self._clock)
        is_active = (faults.c.id == fault_id) & (faults.c.ends_at > now)
        async with self._engine.begin() as connection:
            done = await connection.execute(update(faults).where(is_active).values(ends_at=now, stopped_by=actor))
            if not done.rowcount:
                raise FaultOver(f"The fault {fault_id} has ended already. It stays so; nothing was changed.")
            summary = f"drill: stopped {fault_id}, {_words(found)}"
            stopped = replace(found, ends_at=moments.read_known(now), stopped_by=actor)
            await note(connection, self._clock, "fault", summary, actor=actor, detail=_noted(found, stopped))
        return stopped

    async def get(self, fault_id: str) -> FaultRow:
        """Return one fault.

        Raises:
            FaultUnknown: there is none of this id.
        """
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(faults).where(faults.c.id == fault_id))).one_or_none()
        if row is None:
            raise FaultUnknown(
                f"There is no fault {fault_id[:50]!r}; nothing was changed. `watchkeeper fault list` shows them."
            )
        return _read(row)

    async def active(self) -> list[FaultRow]:
        """List what is being injected, in the order in which it was started."""
        query = select(faults).where(faults.c.ends_at > moments.now(self._clock))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(faults.c.started_at, faults.c.id))).all()
        return [_read(row) for row in rows]

    async def recent(self) -> list[FaultRow]:
        """List what is being injected and what ended within `LISTED_FOR`, the newest first."""
        query = select(faults).where(faults.c.ends_at > moments.now(self._clock) - LISTED_FOR)
        newest = query.order_by(faults.c.started_at.desc(), faults.c.id).limit(LISTED_MAX)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(newest)).all()
        return [_read(row) for row in rows]

    async def _see_that_there_is_room(self, connection: AsyncConnection) -> None:
        active = select(func.count()).select_from(faults).where(faults.c.ends_at > moments.now(self._clock))
        if (await connection.execute(active)).scalar_one() >= ACTIVE_MAX:
            raise FaultsTooMany(
                f"{ACTIVE_MAX} faults are being injected, and more are not taken; none was started. "
                "Stop one first: `watchkeeper fault stop ID`."
            )


def _words(row: FaultRow) -> str:
    bounds = (("target", row.target), ("key", row.key_id), ("tenant", row.tenant))
    only = "".join(f", {name} {value}" for name, value in bounds if value)
    return f"{row.kind} in {100 * row.share:g}% of the calls to {row.route}{only}"


def _noted(before: FaultRow | None, after: FaultRow) -> dict[str, object]:
    return {"id": after.id} | changed(None if before is None else asdict(before), asdict(after))


def _stored(row: FaultRow) -> dict[str, object]:
    return asdict(row) | {name: moments.stored(getattr(row, name)) for name in ("started_at", "ends_at")}


def _read(row: Row[tuple[object, ...]]) -> FaultRow:
    found = dict(row._mapping)
    return FaultRow(**found | {name: moments.read_known(found[name]) for name in ("started_at", "ends_at")})
