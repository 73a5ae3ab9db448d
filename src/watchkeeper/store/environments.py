"""Environments: what each feature serves where, from when to when, by whom and why. Rows are added, never changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, Select, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.standing import Rollout
from watchkeeper.store import moments
from watchkeeper.store.changes import note
from watchkeeper.store.deciding import deciding
from watchkeeper.store.tables import environment_history

LEAD = timedelta(milliseconds=400)
"""From a row's writing to the moment it takes effect: every worker has it before."""
LISTED_MAX = 1_000
KINDS = (
    "promote", "rollback", "withdraw",
    "canary_start", "canary_step", "canary_pause", "canary_resume", "canary_done", "canary_back", "canary_stop",
    "ab_start", "ab_change", "ab_done", "ab_stop", "shadow_start", "shadow_stop",
)  # fmt: skip


class Overtaken(CallerError):
    """Somebody else has changed what is live since one looked; nothing was changed."""

    code = "environment_changed"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDraft:
    """What is to hold for a feature in an environment."""

    feature: str
    environment: str
    kind: str
    """One of `KINDS`."""
    release: str
    """Empty to take the feature off."""
    rollout: Rollout | None = None
    by: str
    reason: str = ""
    review: int | None = None
    """The review request that was approved."""
    eval_run: str = ""
    """The run that was relied upon."""
    expects: int | None = None
    """Number of the row that must still be the latest, 0 for none at all; None for whatever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRow:
    """One row of an environment's history."""

    id: int
    feature: str
    environment: str
    number: int
    kind: str
    release: str
    rollout: Rollout | None
    effective_at: datetime
    at: datetime
    by: str
    reason: str
    review: int | None
    eval_run: str


class Environments:
    """Adds rows and answers what held when."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def put(self, draft: StandingDraft) -> StandingRow:
        """Have something hold from a moment ahead (`LEAD`), and after everything that was put before.

        Raises:
            Overtaken: the latest row is another one than expected.
        """
        async with deciding(self._engine) as connection:
            return await add_standing(connection, self._clock, draft)

    async def version(self) -> int:
        """Count the rows: it grows with every one, in whatever order transactions end."""
        async with self._engine.connect() as connection:
            return (await connection.execute(select(func.count()).select_from(environment_history))).scalar_one()

    async def current(self, feature: str = "") -> list[StandingRow]:
        """List the latest row of each environment, of one feature or of all."""
        table = environment_history
        chosen = select(func.max(table.c.id)).group_by(table.c.feature, table.c.environment)
        if feature:
            chosen = chosen.where(table.c.feature == feature)
        query = select(table).where(table.c.id.in_(chosen)).order_by(table.c.feature, table.c.environment)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def recent(self, since: datetime) -> list[StandingRow]:
        """List what is in force everywhere at a moment, and the rows that take effect after it; the oldest first."""
        table = environment_history
        moment = moments.stored(since)
        before = select(func.max(table.c.id)).where(table.c.effective_at <= moment)
        chosen = before.group_by(table.c.feature, table.c.environment)
        query = select(table).where(table.c.id.in_(chosen) | (table.c.effective_at > moment)).order_by(table.c.id)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def at(self, feature: str, environment: str, moment: datetime) -> StandingRow | None:
        """Return what held at a moment; None when nothing did yet."""
        table = environment_history
        query = (
            select(table)
            .where(
                table.c.feature == feature,
                table.c.environment == environment,
                table.c.effective_at <= moments.stored(moment),
            )
            .order_by(table.c.number.desc())
            .limit(1)
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _read(row)

    async def all_at(self, environment: str, moment: datetime) -> list[StandingRow]:
        """List what held of every feature at a moment, by feature."""
        table = environment_history
        where = (table.c.environment == environment, table.c.effective_at <= moments.stored(moment))
        latest = select(table.c.feature, func.max(table.c.number).label("number")).where(*where)
        chosen = latest.group_by(table.c.feature).subquery()
        same = (table.c.feature == chosen.c.feature) & (table.c.number == chosen.c.number)
        query = select(table).join(chosen, same).where(table.c.environment == environment)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query.order_by(table.c.feature))).all()]

    async def origin_of(self, row: StandingRow) -> StandingRow:
        """Return the row that brought what stands in another one: rollouts beside it do not bring it anew."""
        table = environment_history
        same = (table.c.feature == row.feature, table.c.environment == row.environment, table.c.number <= row.number)
        other = select(func.coalesce(func.max(table.c.number), 0)).where(*same, table.c.release != row.release)
        query = select(table).where(*same, table.c.number > other.scalar_subquery())
        async with self._engine.connect() as connection:
            return _read((await connection.execute(query.order_by(table.c.number).limit(1))).one())

    async def names(self) -> list[str]:
        """List the environments in which anything was ever live."""
        column = environment_history.c.environment
        async with self._engine.connect() as connection:
            return list((await connection.execute(select(column).distinct().order_by(column))).scalars())

    async def end_of(self, row: StandingRow) -> datetime | None:
        """Return when a row was replaced; None while it holds."""
        table = environment_history
        next_one = (
            table.c.feature == row.feature,
            table.c.environment == row.environment,
            table.c.number == row.number + 1,
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(select(table.c.effective_at).where(*next_one))).scalar_one_or_none()
        return moments.read(found)

    async def history(
        self, feature: str, environments: Iterable[str] = (), *, limit: int = LISTED_MAX
    ) -> list[StandingRow]:
        """List the rows of a feature, the latest first."""
        table = environment_history
        query = select(table).where(table.c.feature == feature)
        if chosen := list(environments):
            query = query.where(table.c.environment.in_(chosen))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(table.c.id.desc()).limit(limit))).all()
        return [_read(row) for row in rows]


async def add_standing(connection: AsyncConnection, clock: Clock, draft: StandingDraft) -> StandingRow:
    """Add a row in a transaction that does more (`deciding`), and note the change. Raises as `Environments.put`."""
    table = environment_history
    last = (await connection.execute(_latest(draft.feature, draft.environment, 1))).one_or_none()
    if draft.expects is not None and draft.expects != (last.number if last is not None else 0):
        raise _overtaken(draft)
    now = moments.now(clock)
    effective_at = now + LEAD
    if last is not None:
        effective_at = max(effective_at, last.effective_at + timedelta(microseconds=1))
    values: dict[str, Any] = {
        "feature": draft.feature, "environment": draft.environment, "number": (last.number if last else 0) + 1,
        "kind": draft.kind, "release": draft.release, "rollout": _written(draft.rollout), "effective_at": effective_at,
        "at": now, "by": draft.by, "reason": draft.reason, "review": draft.review, "eval_run": draft.eval_run,
    }  # fmt: skip
    try:
        row = (await connection.execute(insert(table).values(**values).returning(table))).one()
    except IntegrityError:
        raise _overtaken(draft) from None
    await _note(connection, clock, draft, last)
    return _read(row)


async def latest_standings(
    connection: AsyncConnection, feature: str, environment: str, limit: int
) -> list[StandingRow]:
    """List rows of one environment in a transaction that does more, the latest first."""
    return [_read(row) for row in (await connection.execute(_latest(feature, environment, limit))).all()]


def _latest(feature: str, environment: str, limit: int) -> Select[Any]:
    table = environment_history
    where = (table.c.feature == feature, table.c.environment == environment)
    return select(table).where(*where).order_by(table.c.number.desc()).limit(limit)


async def _note(connection: AsyncConnection, clock: Clock, draft: StandingDraft, last: Row[Any] | None) -> None:
    detail = {
        "feature": draft.feature,
        "environment": draft.environment,
        "before": None if last is None else {"release": last.release, "rollout": last.rollout},
        "after": {"release": draft.release, "rollout": _written(draft.rollout)},
        "reason": draft.reason,
    }
    what = f"{draft.kind} {draft.feature} {draft.release[:12] or 'nothing'} in {draft.environment}"
    await note(connection, clock, "release", what, actor=draft.by, detail=detail, feature=draft.feature)


def _overtaken(draft: StandingDraft) -> Overtaken:
    return Overtaken(
        f"What {draft.feature} serves in {draft.environment} has been changed by somebody else meanwhile; nothing was "
        "changed now. Look again and decide anew."
    )


def _written(rollout: Rollout | None) -> dict[str, Any] | None:
    if rollout is None:
        return None
    arms = [{"release": arm.release, "share": arm.share} for arm in rollout.arms]
    return {"id": rollout.id, "kind": rollout.kind, "arms": arms, "sticky": rollout.sticky}


def _read(row: Row[Any]) -> StandingRow:
    return StandingRow(
        id=row.id,
        feature=row.feature,
        environment=row.environment,
        number=row.number,
        kind=row.kind,
        release=row.release,
        rollout=None if row.rollout is None else msgspec.convert(row.rollout, Rollout),
        effective_at=moments.read_known(row.effective_at),
        at=moments.read_known(row.at),
        by=row.by,
        reason=row.reason,
        review=row.review,
        eval_run=row.eval_run,
    )
