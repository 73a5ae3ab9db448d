"""Schedules of suites: those of the configuration and those that people make, when they are due, what came of them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, ValidationError

from watchkeeper.api.auth import By, Parts
from watchkeeper.api.evals import RUNNING
from watchkeeper.api.permits import SOME, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.config import evals as written
from watchkeeper.config.wording import words
from watchkeeper.core.errors import CallerError
from watchkeeper.core.money import usd
from watchkeeper.evals.schedule import Schedule, declared
from watchkeeper.store.schedules import Firing, ScheduleExists, unknown

NAME_MAX = 200
FILE = "configuration"
"""Who has made the schedules of the configuration."""

router = APIRouter(prefix="/api/v1/evals/schedules", tags=["evals"])


class ScheduleRefused(CallerError):
    """What was sent is no schedule; nothing was kept."""

    code = "schedule_refused"
    http_status = 422


class ScheduleWish(Strict):
    """A schedule that is to be kept; the keys are those of the configuration."""

    name: str | None = Field(default=None, max_length=NAME_MAX, description="By default made of suite and candidate.")
    suite: str = Field(max_length=NAME_MAX, description="`FEATURE/NAME`.")
    env: str = Field(default="", max_length=NAME_MAX, description="Ask what is live in this environment.")
    release: str = Field(default="", max_length=NAME_MAX, description="Ask this release.")
    model: str = Field(default="", max_length=NAME_MAX, description="Ask a route, or `provider/model`.")
    baseline: str = Field(default=written.PREVIOUS, max_length=NAME_MAX)
    cron: str = Field(max_length=NAME_MAX, description="Minute, hour, day, month, weekday.")
    tz: str = Field(default="UTC", max_length=NAME_MAX)
    cap_nusd: int | None = Field(default=None, gt=0, description="What one run may cost, judges included.")
    repeats: int | None = Field(default=None, ge=1, le=written.REPEATS_MAX)


class AcceptWish(Strict):
    """A run that further ones are held against."""

    run: str = Field(default="", max_length=NAME_MAX, description="Its id; by default the schedule's last that ended.")


class FiringDocument(BaseModel):
    """One time that a schedule was due."""

    due_at: datetime
    status: Literal["waiting", "running", "finished", "failed"]
    run: str
    result: str
    facts: dict[str, Any]
    by: Annotated[str, Field(description="Who asked for it; empty for its time.")]
    ended_at: datetime | None


class ScheduleDocument(BaseModel):
    """A schedule, and what came of it."""

    name: str
    suite: str
    candidate: str
    baseline: str
    cron: str
    tz: str
    cap_nusd: int | None
    repeats: int | None
    by: Annotated[str, Field(description="Who made it; `configuration` for one that stands there.")]
    next_due: datetime | None
    accepted: Annotated[str, Field(description="Id of the run that its runs are held against as well; or empty.")]
    last: FiringDocument | None


class ScheduleList(BaseModel):
    """Schedules by name."""

    schedules: list[ScheduleDocument]


class FiringList(BaseModel):
    """The times that a schedule was due, the latest first."""

    firings: list[FiringDocument]


@router.get("", summary="List schedules", dependencies=SOME)
async def list_schedules(parts: Parts, by: By) -> ScheduleList:
    """List schedules by name, with when each is due next and what came of it last."""
    found, makers = await _every(parts)
    states = await parts.control.schedules.states()
    ended, active = await parts.control.schedules.latest(), await parts.control.schedules.active()
    last = {firing.schedule: firing for firing in (*ended, *active)}
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    documents = [
        ScheduleDocument(
            **_fields(one),
            by=makers[one.name],
            next_due=one.next_due(now),
            accepted=states[one.name].accepted if one.name in states else "",
            last=_firing(last[one.name]) if one.name in last else None,
        )
        for one in found.values()
        if by.rights.may("read", one.feature)
    ]
    return ScheduleList(schedules=sorted(documents, key=lambda document: document.name))


@router.post("", summary="Add a schedule", dependencies=RUNNING)
async def add_schedule(wish: ScheduleWish, parts: Parts, by: By) -> ScheduleDocument:
    """Keep a schedule; it is due from its next time on."""
    schedule = _read(wish)
    await require(parts, by, "write_releases", feature=schedule.feature)
    await parts.control.suites.get(schedule.suite)
    if schedule.name in (await _every(parts))[0]:
        raise ScheduleExists(f"There is a schedule {schedule.name!r} already; nothing was changed.")
    await parts.control.schedules.add(schedule, by=by.name)
    now = datetime.fromtimestamp(parts.clock.unix_ns() / 1e9, UTC)
    return ScheduleDocument(**_fields(schedule), by=by.name, next_due=schedule.next_due(now), accepted="", last=None)


@router.delete("/{name}", summary="Remove a schedule", status_code=204, dependencies=RUNNING)
async def remove_schedule(name: str, parts: Parts, by: By) -> Response:
    """Remove a schedule that somebody has made; a run of it that is under way goes on."""
    found, makers = await _every(parts)
    if name not in found or makers[name] == FILE:
        raise unknown(name, list(found))
    await require(parts, by, "write_releases", feature=found[name].feature)
    await parts.control.schedules.remove(name, by=by.name)
    return Response(status_code=204)


@router.post("/{name}/run", summary="Run a schedule now", dependencies=RUNNING)
async def run_schedule(name: str, parts: Parts, by: By) -> FiringDocument:
    """Have a keeper run a schedule now, beside its times."""
    schedule = await _one(parts, by, name, "write_releases")
    return _firing(await parts.control.schedules.ask(schedule, by=by.name))


@router.post("/{name}/accept", summary="Accept a run of a schedule", dependencies=RUNNING)
async def accept_run(name: str, wish: AcceptWish, parts: Parts, by: By) -> AcceptWish:
    """Have further runs of a schedule be held against one that somebody has looked at, so that a slow decline shows."""
    schedule = await _one(parts, by, name, "write_releases")
    run = wish.run
    if not run:
        ended = [one for one in await parts.control.schedules.history(name) if one.status == "finished"]
        if not ended:
            raise ScheduleRefused(f"No run of {name} has come to its end so far; nothing was accepted.")
        run = ended[0].run
    row = await parts.control.runs.get(run)
    if row.head.title != schedule.suite:
        raise ScheduleRefused(f"{row.id} ran {row.head.title}, and {name} runs {schedule.suite}; nothing was accepted.")
    await parts.control.schedules.accept(schedule, row.id, by=by.name)
    return AcceptWish(run=row.id)


@router.get("/{name}/firings", summary="List what came of a schedule", dependencies=SOME)
async def list_firings(
    name: str, parts: Parts, by: By, limit: Annotated[int, Query(ge=1, le=1_000)] = 50
) -> FiringList:
    """List the times that a schedule was due, the latest first."""
    await _one(parts, by, name, "read")
    return FiringList(firings=[_firing(one) for one in await parts.control.schedules.history(name, limit=limit)])


async def _every(parts: Services) -> tuple[dict[str, Schedule], dict[str, str]]:
    """Return all schedules, and who has made each; a name of the configuration's hides another one."""
    kept = await parts.control.schedules.kept()
    own = [declared(one) for one in parts.evals().schedules]
    found = {one.schedule.name: one.schedule for one in kept} | {one.name: one for one in own}
    return found, {one.schedule.name: one.by for one in kept} | {one.name: FILE for one in own}


async def _one(parts: Services, by: By, name: str, permission: Literal["read", "write_releases"]) -> Schedule:
    found = (await _every(parts))[0].get(name)
    if found is None:
        raise unknown(name)
    await require(parts, by, permission, feature=found.feature)
    return found


def _read(wish: ScheduleWish) -> Schedule:
    """Read what was sent as the configuration is read: the same is refused, in the same words."""
    given = wish.model_dump(exclude={"cap_nusd"})
    if wish.cap_nusd is not None:
        given["cap"] = f"{usd(wish.cap_nusd)} USD"
    try:
        return declared(written.Schedule.model_validate(given))
    except ValidationError as error:
        why = [f"`{'.'.join(map(str, one['loc'])) or 'schedule'}` {words(one)}" for one in error.errors()]
        raise ScheduleRefused(f"{'; '.join(why)}. Nothing was kept.") from None


def _fields(schedule: Schedule) -> dict[str, Any]:
    names = ("name", "suite", "candidate", "baseline", "cron", "tz", "cap_nusd", "repeats")
    return {name: getattr(schedule, name) for name in names}


def _firing(firing: Firing) -> FiringDocument:
    return FiringDocument(**{name: getattr(firing, name) for name in FiringDocument.model_fields})
