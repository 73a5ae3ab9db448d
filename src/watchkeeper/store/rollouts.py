"""Rollouts as the control database keeps them: where each stands, and every look that decided something.

What becomes of a rollout is written in one transaction with the row of the environment's history that makes it so and
with the alert about it, and only if nobody else has changed the rollout since it was read: two keepers that look at the
same figures act once, and one that dies in between has done all of it or nothing.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.alert import AlertDraft, Over
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.releases.judging import Action, Plan
from watchkeeper.releases.rules import Rules
from watchkeeper.releases.standing import Arm, Rollout, RolloutKind, Sticky
from watchkeeper.store import moments
from watchkeeper.store.alerts import Alerts
from watchkeeper.store.changes import note
from watchkeeper.store.clearance import Clearance, Wish, cleared
from watchkeeper.store.deciding import deciding
from watchkeeper.store.environments import StandingDraft, StandingRow, add_standing, latest_standings
from watchkeeper.store.freezes import freezes_of
from watchkeeper.store.tables import rollout_looks, rollouts

LISTED_MAX = 500
KEPT_FOR = timedelta(days=400)
"""How long the looks at a rollout are kept after it has ended; what it came to stays."""
LOOKS_MAX = 5_000
"""Of one rollout at a time, the newest."""

RolloutState = Literal["running", "paused", "done", "rolled_back", "stopped"]
"""done: it has ended as it was meant to. rolled_back: the candidate was worse. stopped: by hand, or something else was
made live."""
ACTIVE: tuple[RolloutState, ...] = ("running", "paused")


class RolloutUnknown(CallerError):
    """There is no such rollout."""

    code = "rollout_not_found"
    http_status = 404


class RolloutRuns(CallerError):
    """A rollout of the feature runs in this environment already."""

    code = "rollout_running"
    http_status = 409


class Frozen(CallerError):
    """Nothing new may be made live there now."""

    code = "environment_frozen"
    http_status = 409


class NothingToCompare(CallerError):
    """There is no other release to try this one beside."""

    code = "nothing_to_compare"
    http_status = 409


class Settings(Struct, frozen=True):
    """What a rollout was started with, and what is slow in it."""

    plan: Plan
    sticky: Sticky = "subject"
    slow_ms: float | None = None
    """Answers that take longer are slow; None while too few answers of the standing release are known."""
    test: int = 1
    """How often its figures have begun anew, the first time included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDraft:
    """A rollout to be started."""

    feature: str
    environment: str
    kind: RolloutKind
    arms: tuple[Arm, ...]
    settings: Settings
    by: str
    reason: str = ""
    review: int | None = None
    """The review request that is relied upon."""
    eval_run: str = ""
    """The run that is relied upon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """A rollout that was started."""

    id: str
    feature: str
    environment: str
    kind: RolloutKind
    baseline: str
    """The release that stood when it began, and stands beside it."""
    arms: tuple[Arm, ...]
    """With the shares that they have now, or had last."""
    settings: Settings
    state: RolloutState
    step: int
    """From 0."""
    step_at: datetime
    """Since when its calls count."""
    standing: int
    """Number of the history's row that it wrote last."""
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    outcome: str
    """Why it stands as it does; empty at its start."""
    version: int

    @property
    def is_active(self) -> bool:
        """Tell whether calls are still assigned by it."""
        return self.state in ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRow:
    """What was seen and decided at one look."""

    at: datetime
    step: int
    decision: Action | Literal["by hand"]
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What becomes of a rollout."""

    state: RolloutState
    kind: str
    """Of the row in the environment's history, one of `store.environments.KINDS`."""
    release: str
    """That stands from then on."""
    arms: tuple[Arm, ...] = ()
    """That are tried beside it; none where the rollout ends."""
    step: int
    begins_step: bool = False
    """Whether figures count anew from then on."""
    by: str
    reason: str
    decision: Action | Literal["by hand"] = "by hand"
    evidence: dict[str, Any] = field(default_factory=dict[str, Any])
    alert: AlertDraft | None = None
    gives_more: bool = False
    """Whether more people get a candidate than before."""


def pause_key(rollout_id: str) -> str:
    """Name what an alert is about that a rollout waits for a person."""
    return f"{rollout_id} waits"


class Rollouts:
    """Starts, changes and lists rollouts."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        alerts: Alerts,
        *,
        random_hex: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._alerts = alerts
        self._random_hex = random_hex

    async def start(self, draft: RolloutDraft, rules: Rules) -> RolloutRow:
        """Have releases tried beside the one that stands, from a moment ahead.

        What serves anybody needs what a promotion needs; a shadow serves nobody.

        Raises:
            NotCleared: a rule of the environment does not hold for a release.
            NothingToCompare: nothing stands, or an arm is what stands.
            RolloutRuns: one runs there already.
            Overtaken: something else was made live at the same moment.
        """
        rollout_id = f"rollout-{self._random_hex(5)}"
        rollout = Rollout(rollout_id, draft.kind, draft.arms, draft.settings.sticky)
        async with deciding(self._engine) as connection:
            last = await _latest(connection, draft.feature, draft.environment)
            _see_that_they_differ(draft, last.release if last is not None else "")
            await self._see_that_none_runs(connection, draft, last.number if last is not None else 0)
            clearance = await self._cleared(connection, draft, rules)
            standing = await add_standing(
                connection,
                self._clock,
                StandingDraft(
                    feature=draft.feature,
                    environment=draft.environment,
                    kind=f"{draft.kind}_start",
                    release=last.release if last is not None else "",
                    rollout=rollout,
                    by=draft.by,
                    reason=draft.reason,
                    review=clearance.review,
                    eval_run=clearance.eval_run,
                    expects=last.number if last is not None else 0,
                ),
            )
            values = {
                "id": rollout_id, "feature": draft.feature, "environment": draft.environment, "kind": draft.kind,
                "baseline": standing.release, "arms": msgspec.to_builtins(draft.arms),
                "settings": msgspec.to_builtins(draft.settings), "state": "running", "step": 0,
                "step_at": moments.stored(standing.effective_at), "standing": standing.number,
                "started_at": moments.stored(standing.at), "started_by": draft.by, "outcome": "", "version": 1,
            }  # fmt: skip
            await connection.execute(insert(rollouts).values(**values))
        return await self.get(rollout_id)

    async def take(self, row: RolloutRow, turn: Turn, tell: Notifications) -> RolloutRow | None:
        """Have a rollout go on or end, with its history, its look and its alert; None when somebody else was first.

        Raises:
            Overtaken: something else has been made live; nothing was changed, and the rollout is over: see `overtaken`.
            Frozen: more people would be given a candidate while that is not allowed.
        """
        is_over = turn.state not in ACTIVE
        now = moments.now(self._clock)
        changed: dict[str, Any] = {"state": turn.state, "step": turn.step, "outcome": turn.reason}
        if is_over:
            changed["ended_at"] = now
        else:
            changed["arms"] = msgspec.to_builtins(turn.arms)
        async with deciding(self._engine) as connection:
            if turn.gives_more and (why := await _frozen(connection, row.feature, row.environment)):
                raise Frozen(f"{why}. {row.id} stays as it is; nothing was changed.")
            if not await _change(connection, row, changed):
                return None
            standing = await add_standing(
                connection,
                self._clock,
                StandingDraft(
                    feature=row.feature,
                    environment=row.environment,
                    kind=turn.kind,
                    release=turn.release,
                    rollout=None if is_over else Rollout(row.id, row.kind, turn.arms, row.settings.sticky),
                    by=turn.by,
                    reason=turn.reason,
                    expects=row.standing,
                ),
            )
            begun = _begun(row.settings, moments.stored(standing.effective_at)) if turn.begins_step else {}
            written = update(rollouts).where(rollouts.c.id == row.id).values(standing=standing.number, **begun)
            await connection.execute(written)
            await _add_look(connection, row.id, now, row.step, turn.decision, turn.evidence)
            if row.state == "paused":
                over = Over(kind="rollout", key=pause_key(row.id), reason=f"{turn.by} has it go on or end.")
                await self._alerts.end_in(connection, over, tell)
            if turn.alert is not None:
                await self._alerts.raise_in(connection, turn.alert, tell)
        return await self.get(row.id)

    async def overtaken(self, row: RolloutRow) -> bool:
        """End a rollout in whose place something else has been made live; tell whether that is so."""
        async with self._engine.connect() as connection:
            last = await _latest(connection, row.feature, row.environment)
        if last is None or last.number == row.standing:
            return False
        async with deciding(self._engine) as connection:
            reason = f"{last.by} made something else live: {last.kind}{f', {last.reason}' if last.reason else ''}."
            ended = {"state": "stopped", "ended_at": moments.now(self._clock), "outcome": reason}
            if await _change(connection, row, ended):
                what = f"rollout {row.id} of {row.feature} in {row.environment} is over"
                await note(
                    connection, self._clock, "release", what, actor=last.by, detail={"id": row.id, "why": reason}
                )
        return True

    async def settle_slow(self, row: RolloutRow, slow_ms: float, *, begins_step: bool) -> RolloutRow | None:
        """Note from when on answers are slow; None when somebody else has changed the rollout.

        Args:
            row: As it was read.
            slow_ms: What 95 % of the standing release's answers took at most.
            begins_step: Whether figures count from now on: no call is held against a limit that it has made.
        """
        settings = msgspec.structs.replace(row.settings, slow_ms=slow_ms)
        changed: dict[str, Any] = {"settings": msgspec.to_builtins(settings)}
        if begins_step:
            changed = _begun(settings, moments.now(self._clock))
        async with self._engine.begin() as connection:
            done = await _change(connection, row, changed)
        return await self.get(row.id) if done else None

    async def note_look(self, row: RolloutRow, decision: Action, evidence: dict[str, Any]) -> None:
        """Keep what a look saw that changed nothing."""
        async with self._engine.begin() as connection:
            await _add_look(connection, row.id, moments.now(self._clock), row.step, decision, evidence)

    async def get(self, rollout_id: str) -> RolloutRow:
        """Return a rollout.

        Raises:
            RolloutUnknown: there is none of this id.
        """
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(rollouts).where(rollouts.c.id == rollout_id))).one_or_none()
        if row is None:
            raise RolloutUnknown(
                f"There is no rollout {rollout_id[:60]!r}; nothing was changed. `watchkeeper rollout list` shows them."
            )
        return _read(row)

    async def active(self) -> list[RolloutRow]:
        """List the rollouts by which calls are assigned now, the oldest first."""
        query = select(rollouts).where(rollouts.c.state.in_(ACTIVE)).order_by(rollouts.c.started_at, rollouts.c.id)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def list_rollouts(
        self, feature: str = "", environment: str = "", *, only_active: bool = False, limit: int = LISTED_MAX
    ) -> list[RolloutRow]:
        """List rollouts, the newest first; of one feature or environment where they are named."""
        query = select(rollouts).order_by(rollouts.c.started_at.desc(), rollouts.c.id).limit(min(limit, LISTED_MAX))
        if feature:
            query = query.where(rollouts.c.feature == feature)
        if environment:
            query = query.where(rollouts.c.environment == environment)
        if only_active:
            query = query.where(rollouts.c.state.in_(ACTIVE))
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def looks(self, rollout_id: str, *, only_decided: bool = False, limit: int = LOOKS_MAX) -> list[LookRow]:
        """List what was seen and decided, the newest first; or only the looks that have changed something."""
        query = select(rollout_looks).where(rollout_looks.c.rollout == rollout_id)
        if only_decided:
            query = query.where(rollout_looks.c.decision != "continue")
        async with self._engine.connect() as connection:
            found = await connection.execute(query.order_by(rollout_looks.c.id.desc()).limit(min(limit, LOOKS_MAX)))
            return [
                LookRow(at=moments.read_known(row.at), step=row.step, decision=row.decision, evidence=row.evidence)
                for row in found.all()
            ]

    async def forget(self) -> None:
        """Drop the looks at rollouts that ended longer ago than they are kept."""
        before = moments.now(self._clock) - KEPT_FOR
        over = select(rollouts.c.id).where(rollouts.c.ended_at < before)
        async with self._engine.begin() as connection:
            await connection.execute(delete(rollout_looks).where(rollout_looks.c.rollout.in_(over)))

    async def frozen(self, feature: str, environment: str) -> str:
        """Return why nothing may be made live there now; empty where it may."""
        async with self._engine.connect() as connection:
            return await _frozen(connection, feature, environment)

    async def _see_that_none_runs(self, connection: AsyncConnection, draft: RolloutDraft, latest: int) -> None:
        is_there = (rollouts.c.feature == draft.feature) & (rollouts.c.environment == draft.environment)
        query = select(rollouts).where(is_there, rollouts.c.state.in_(ACTIVE))
        for row in map(_read, (await connection.execute(query)).all()):
            if row.standing == latest:
                raise RolloutRuns(
                    f"{row.id} of {row.feature} runs in {row.environment} already; none was started. Wait for it, or "
                    f"end it: `watchkeeper rollout stop {row.id}`."
                )
            over = {
                "state": "stopped",
                "ended_at": moments.now(self._clock),
                "outcome": "Something else was made live.",
            }
            await _change(connection, row, over)

    async def _cleared(self, connection: AsyncConnection, draft: RolloutDraft, rules: Rules) -> Clearance:
        """See that every arm may serve; of several, the last one's review stands in the history."""
        found = Clearance(review=draft.review, eval_run=draft.eval_run)
        for arm in draft.arms if draft.kind != "shadow" else ():
            wish = Wish(
                feature=draft.feature,
                environment=draft.environment,
                release=arm.release,
                eval_run=draft.eval_run,
                review=draft.review,
            )
            found = await cleared(connection, self._clock, wish, rules)
        return found


def _see_that_they_differ(draft: RolloutDraft, standing: str) -> None:
    if not standing:
        raise NothingToCompare(
            f"{draft.feature} serves nothing in {draft.environment} yet, so there is nothing to compare with; no "
            f"rollout was started. `watchkeeper release promote {draft.feature} --to {draft.environment}` makes a "
            "release live."
        )
    if any(arm.release == standing for arm in draft.arms):
        raise NothingToCompare(
            f"{standing} is what {draft.feature} serves in {draft.environment}; no rollout was started. "
            "Name another release."
        )


async def _latest(connection: AsyncConnection, feature: str, environment: str) -> StandingRow | None:
    rows = await latest_standings(connection, feature, environment, 1)
    return rows[0] if rows else None


async def _frozen(connection: AsyncConnection, feature: str, environment: str) -> str:
    return "; ".join(str(freeze) for freeze in await freezes_of(connection, environment, feature))


async def _change(connection: AsyncConnection, row: RolloutRow, changed: dict[str, Any]) -> bool:
    """Write if the rollout is still the one that was read; tell whether it was."""
    is_same = (rollouts.c.id == row.id) & (rollouts.c.version == row.version) & rollouts.c.state.in_(ACTIVE)
    writing = update(rollouts).where(is_same).values(**changed, version=row.version + 1)
    return bool((await connection.execute(writing)).rowcount)


def _begun(settings: Settings, at: datetime | None) -> dict[str, Any]:
    """What is changed where figures begin anew."""
    return {
        "settings": msgspec.to_builtins(msgspec.structs.replace(settings, test=settings.test + 1)),
        "step_at": at,
    }


async def _add_look(
    connection: AsyncConnection, rollout: str, at: datetime, step: int, decision: str, evidence: dict[str, Any]
) -> None:
    look = {"rollout": rollout, "at": at, "step": step, "decision": decision, "evidence": evidence}
    await connection.execute(insert(rollout_looks).values(**look))


def _read(row: Row[Any]) -> RolloutRow:
    found: dict[str, Any] = dict(row._mapping)
    return RolloutRow(
        **found
        | {
            "arms": msgspec.convert(row.arms, tuple[Arm, ...]),
            "settings": msgspec.convert(row.settings, Settings),
            "step_at": moments.read_known(row.step_at),
            "started_at": moments.read_known(row.started_at),
            "ended_at": moments.read(row.ended_at),
        }
    )
