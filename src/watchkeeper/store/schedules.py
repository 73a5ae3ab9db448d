"""Schedules that people have made, and every time that a schedule was due: claimed once, by one of the keepers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.schedule import Schedule
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.deciding import deciding
from watchkeeper.store.schedule_tables import eval_firings, eval_schedule_states, eval_schedules

HELD_FOR = timedelta(seconds=60)
"""A keeper that has not been heard of for so long holds nothing any more."""
KEPT_FOR = timedelta(days=400)
LISTED_MAX = 1_000

FiringStatus = Literal["waiting", "running", "finished", "failed"]
"""waiting: nothing has begun. running: there is a run, which may have to be gone on with. failed: there is no run, or
it did not come to an end."""
ACTIVE: tuple[FiringStatus, ...] = ("waiting", "running")


class ScheduleUnknown(CallerError):
    """There is no such schedule."""

    code = "schedule_not_found"
    http_status = 404


class ScheduleExists(CallerError):
    """There is a schedule of this name; nothing was changed."""

    code = "schedule_exists"
    http_status = 409


class ScheduleBusy(CallerError):
    """The schedule is running already; nothing was begun."""

    code = "schedule_busy"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSchedule:
    """A schedule that somebody has made."""

    schedule: Schedule
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """What is remembered of a schedule."""

    timing: str
    since: datetime
    """What was due until then is claimed, or was before anybody knew of it."""
    accepted: str = ""
    """Id of the run that its runs are held against as well; empty for none."""
    accepted_at: datetime | None = None
    accepted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time that a schedule was due."""

    id: int
    schedule: str
    due_at: datetime
    status: FiringStatus
    run: str
    """Empty as long as none has begun."""
    suite_id: str
    """Of the version that ran."""
    holder: str
    """Of the keeper that sees to it."""
    held_until: datetime
    child: str
    """Number and birth of the process that runs it, on the holder's host; empty for none."""
    tries: int
    """Processes that were started for it."""
    result: str
    """What the run has shown; empty where nothing."""
    facts: dict[str, Any]
    """What is told of it once it has ended."""
    by: str
    """Who asked for it; empty for its time."""
    at: datetime
    ended_at: datetime | None


class Schedules:
    """Keeps schedules, claims the times that they are due, and remembers what came of them."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def kept(self) -> list[KeptSchedule]:
        """List the schedules that people have made, by name."""
        query = select(eval_schedules).order_by(eval_schedules.c.name).limit(LISTED_MAX)
        async with self._engine.connect() as connection:
            return [_kept(row) for row in (await connection.execute(query)).all()]

    async def add(self, schedule: Schedule, *, by: str) -> None:
        """Keep a schedule. Raises ScheduleExists."""
        row = {
            "name": schedule.name, "feature": schedule.feature, "content": msgspec.json.encode(schedule).decode(),
            "at": moments.now(self._clock), "by": by,
        }  # fmt: skip
        async with deciding(self._engine) as connection:
            adding = insert_into(connection, eval_schedules).values(**row).on_conflict_do_nothing()
            if not (await connection.execute(adding.returning(eval_schedules.c.name))).all():
                raise ScheduleExists(
                    f"There is a schedule {schedule.name!r} already; nothing was changed. "
                    f"`watchkeeper eval schedule remove {schedule.name}` removes it."
                )
            detail = changed(None, msgspec.to_builtins(schedule))
            said = f"added the schedule {schedule.name}"
            await note(connection, self._clock, "schedule", said, actor=by, detail=detail, feature=schedule.feature)

    async def remove(self, name: str, *, by: str) -> None:
        """Remove a schedule; a run of it goes on. Raises ScheduleUnknown."""
        async with deciding(self._engine) as connection:
            row = (await connection.execute(select(eval_schedules).where(eval_schedules.c.name == name))).one_or_none()
            if row is None:
                raise unknown(name)
            await connection.execute(delete(eval_schedules).where(eval_schedules.c.name == name))
            await connection.execute(delete(eval_schedule_states).where(eval_schedule_states.c.schedule == name))
            detail, said = changed(msgspec.json.decode(row.content), None), f"removed the schedule {name}"
            await note(connection, self._clock, "schedule", said, actor=by, detail=detail, feature=row.feature)

    async def states(self) -> dict[str, ScheduleState]:
        """Return what is remembered, by name."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(eval_schedule_states))).all()
        return {row.schedule: _state(row) for row in rows}

    async def accept(self, schedule: Schedule, run: str, *, by: str) -> None:
        """Have further runs be held against one that somebody has looked at."""
        now = moments.now(self._clock)
        accepted = {"accepted": run, "accepted_at": now, "accepted_by": by}
        async with deciding(self._engine) as connection:
            before = await _state_of(connection, schedule.name)
            fresh = {"schedule": schedule.name, "timing": schedule.timing, "since": now}
            writing = insert_into(connection, eval_schedule_states).values(**fresh, **accepted)
            await connection.execute(writing.on_conflict_do_update(index_elements=["schedule"], set_=accepted))
            detail = changed({"accepted": before.accepted if before else ""}, {"accepted": run})
            said = f"accepted {run} for the schedule {schedule.name}"
            await note(connection, self._clock, "schedule", said, actor=by, detail=detail, feature=schedule.feature)

    async def claim(self, schedule: Schedule, holder: str) -> Firing | None:
        """Claim the last time that a schedule was due and that nobody has claimed; None where there is none.

        Of several times that were missed the last one is made up for, once. While a run of the schedule is under way
        nothing is claimed. One that nobody knew of so far, or that has other times now, has missed nothing.
        """
        async with deciding(self._engine) as connection:
            now = moments.now(self._clock)
            state = await _state_of(connection, schedule.name)
            if state is None or state.timing != schedule.timing:
                timed = {"timing": schedule.timing, "since": now}
                fresh = {"schedule": schedule.name, "accepted": "", "accepted_by": ""}
                writing = insert_into(connection, eval_schedule_states).values(**fresh, **timed)
                await connection.execute(writing.on_conflict_do_update(index_elements=["schedule"], set_=timed))
                return None
            due = schedule.last_due(since=state.since, until=moments.read_known(now))
            if due is None or await _is_active(connection, schedule.name):
                return None
            which = eval_schedule_states.c.schedule == schedule.name
            claimed = update(eval_schedule_states).where(which).values(since=moments.stored(due))
            await connection.execute(claimed)
            return await self._begin(connection, schedule.name, moments.stored(due) or now, holder=holder)

    async def ask(self, schedule: Schedule, *, by: str) -> Firing:
        """Have a schedule run now; a keeper then sees to it.

        Raises:
            ScheduleBusy: a run of it is under way.
        """
        async with deciding(self._engine) as connection:
            if await _is_active(connection, schedule.name):
                raise ScheduleBusy(f"The schedule {schedule.name} is running already; nothing was begun.")
            begun = await self._begin(connection, schedule.name, moments.now(self._clock), holder="", by=by)
            assert begun is not None  # nothing is due at this very microsecond
            said = f"ran the schedule {schedule.name}"
            await note(connection, self._clock, "schedule", said, actor=by, feature=schedule.feature)
            return begun

    async def active(self) -> list[Firing]:
        """List what has not ended, the oldest first."""
        query = select(eval_firings).where(eval_firings.c.status.in_(ACTIVE)).order_by(eval_firings.c.id)
        async with self._engine.connect() as connection:
            return [_firing(row) for row in (await connection.execute(query)).all()]

    async def take_over(self, holder: str, is_gone: Callable[[str], bool]) -> list[Firing]:
        """Take what nobody sees to: it was asked for, its keeper is gone, or has not been heard of for `HELD_FOR`.

        Returns:
            All that the holder then sees to, the oldest first.
        """
        now = moments.now(self._clock)
        active = await self.active()
        held = [one for one in active if one.holder == holder]
        for one in (one for one in active if one.holder != holder):
            until = moments.stored(one.held_until)
            if one.holder and (until is None or until >= now) and not is_gone(one.holder):
                continue
            same = (eval_firings.c.id == one.id, eval_firings.c.holder == one.holder)
            values = {"holder": holder, "held_until": now + HELD_FOR}
            async with self._engine.begin() as connection:
                taking = update(eval_firings).where(*same, eval_firings.c.held_until == until).values(**values)
                row = (await connection.execute(taking.returning(eval_firings))).one_or_none()
            held += [_firing(row)] if row is not None else []
        return sorted(held, key=lambda one: one.id)

    async def note(self, firing: Firing, **values: Any) -> Firing | None:
        """Write down how far a firing has come; None, and nothing is written, where another keeper sees to it now."""
        kept = values | {"held_until": moments.now(self._clock) + HELD_FOR}
        same = (eval_firings.c.id == firing.id, eval_firings.c.holder == firing.holder)
        async with self._engine.begin() as connection:
            noting = update(eval_firings).where(*same).values(**kept).returning(eval_firings)
            row = (await connection.execute(noting)).one_or_none()
        return None if row is None else _firing(row)

    async def end(self, firing: Firing, status: FiringStatus, *, result: str, facts: dict[str, Any]) -> Firing | None:
        """Write down what came of a firing; None where another keeper sees to it now."""
        ended = {"status": status, "result": result, "facts": facts, "child": "", "ended_at": moments.now(self._clock)}
        return await self.note(firing, **ended)

    async def latest(self) -> list[Firing]:
        """List the last firing of each schedule that has ended."""
        table = eval_firings
        last = select(func.max(table.c.id)).where(table.c.ended_at.is_not(None)).group_by(table.c.schedule)
        async with self._engine.connect() as connection:
            return [_firing(row) for row in (await connection.execute(select(table).where(table.c.id.in_(last)))).all()]

    async def history(self, schedule: str = "", *, limit: int = 50) -> list[Firing]:
        """List firings of one schedule or of all, the latest first."""
        query = select(eval_firings).order_by(eval_firings.c.id.desc()).limit(min(limit, LISTED_MAX))
        if schedule:
            query = query.where(eval_firings.c.schedule == schedule)
        async with self._engine.connect() as connection:
            return [_firing(row) for row in (await connection.execute(query)).all()]

    async def forget(self) -> None:
        """Drop what is older than it is kept; the last one of each schedule stays."""
        before = moments.now(self._clock) - KEPT_FOR
        last = select(func.max(eval_firings.c.id)).group_by(eval_firings.c.schedule)
        async with self._engine.begin() as connection:
            old = (eval_firings.c.ended_at < before, eval_firings.c.id.not_in(last))
            await connection.execute(delete(eval_firings).where(*old))

    async def _begin(
        self, connection: AsyncConnection, schedule: str, due_at: datetime, *, holder: str, by: str = ""
    ) -> Firing | None:
        now = moments.now(self._clock)
        values = {
            "schedule": schedule, "due_at": due_at, "status": "waiting", "run": "", "suite_id": "", "holder": holder,
            "held_until": now + HELD_FOR if holder else now, "child": "", "tries": 0, "result": "", "by": by, "at": now,
        }  # fmt: skip
        adding = insert_into(connection, eval_firings).values(**values).on_conflict_do_nothing()
        row = (await connection.execute(adding.returning(eval_firings))).one_or_none()
        return None if row is None else _firing(row)


def unknown(name: str, known: Sequence[str] = ()) -> ScheduleUnknown:
    """Return what is raised where there is no schedule of a name."""
    why = "is one of the configuration: change it there" if name in known else "is none"
    return ScheduleUnknown(f"{name[:100]!r} {why}. `watchkeeper eval schedule list` lists them. Nothing was changed.")


async def _state_of(connection: AsyncConnection, schedule: str) -> ScheduleState | None:
    query = select(eval_schedule_states).where(eval_schedule_states.c.schedule == schedule)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _state(row)


async def _is_active(connection: AsyncConnection, schedule: str) -> bool:
    query = select(eval_firings.c.id).where(eval_firings.c.schedule == schedule, eval_firings.c.status.in_(ACTIVE))
    return (await connection.execute(query.limit(1))).first() is not None


def _kept(row: Row[Any]) -> KeptSchedule:
    schedule = msgspec.json.decode(row.content, type=Schedule)
    return KeptSchedule(schedule=schedule, by=row.by, at=moments.read_known(row.at))


def _state(row: Row[Any]) -> ScheduleState:
    return ScheduleState(
        timing=row.timing,
        since=moments.read_known(row.since),
        accepted=row.accepted,
        accepted_at=moments.read(row.accepted_at),
        accepted_by=row.accepted_by,
    )


def _firing(row: Row[Any]) -> Firing:
    found = dict(row._mapping)
    times = {name: moments.read_known(found[name]) for name in ("due_at", "held_until", "at")}
    return Firing(**found | times | {"ended_at": moments.read(row.ended_at), "facts": found["facts"] or {}})
