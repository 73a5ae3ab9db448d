"""The keeper's part of schedules: sees which are due, has their suites run, and tells what that shows."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from watchkeeper.api.evaluating import RunWish, begin, compared
from watchkeeper.api.services import Services
from watchkeeper.config.addresses import within_reach
from watchkeeper.config.evals import PREVIOUS
from watchkeeper.core.errors import WatchkeeperError
from watchkeeper.evals.decision import Decision
from watchkeeper.evals.running import INTERRUPTED
from watchkeeper.evals.schedule import BY_PREFIX, NO_BASELINE, Schedule
from watchkeeper.evals.scorers.table import RUNS_CODE
from watchkeeper.evals.suite import Suite
from watchkeeper.server import peers
from watchkeeper.server.rounds import Duty
from watchkeeper.store.runs import RunFilter, RunRow
from watchkeeper.store.schedules import Firing, FiringStatus
from watchkeeper.watch import evals
from watchkeeper.watch.evals import Ran, Shown

EVERY_S = 1.0
TELL_EVERY_S = 5.0
TIDY_EVERY_S = 3600.0
AT_ONCE = 2
"""Runs under way on one host; further ones wait."""
TRIES_MAX = 3
"""Processes that are started for one run before it counts as stuck."""
STUCK_AFTER = timedelta(hours=6)
"""A run that has been under way for so long is told of; it goes on."""
BACK = 20
"""Firings looked at for the run before."""
_BAD = frozenset({"regression", "unmeasured"})
KNOCK_S = 1.0

_log = logging.getLogger("watchkeeper.evals")


class Processes(Protocol):
    """Where runs are gone on with, as `server.run_processes` does."""

    async def start(self, run: str) -> str:
        """Go on with a run; return what its process is known by."""
        ...

    def lives(self, child: str) -> bool:
        """Tell whether a process is still there."""
        ...

    def last_words(self) -> str:
        """Return the last that any of them has said."""
        ...


class _NotRun(WatchkeeperError):
    """A schedule cannot be run as it is."""

    code = "schedule_refused"


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """Looks at schedules again and again; what it must remember stands in the control database."""

    parts: Services
    declared: Callable[[], Sequence[Schedule]]
    """Those of the configuration."""
    runs_python: Callable[[], bool]
    """Whether scorers that are written in Python may run here."""
    processes: Processes
    host: str
    holder: str
    """As `holder_of` writes it."""
    console: str = ""
    """Address of the console, for links; empty when it is not known."""
    is_gateway_up: Callable[[str], Any] | None = None
    """Stands in for a knock at the gateway's door."""

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done, and how often."""
        return (
            Duty("running schedules", EVERY_S, self.look),
            Duty("watching schedules", TELL_EVERY_S, self.tell),
            Duty("forgetting old schedules", TIDY_EVERY_S, self.parts.control.schedules.forget),
        )

    async def look(self) -> None:
        """Claim what is due, take over what nobody sees to, and bring everything that is held one step on."""
        store, schedules = self.parts.control.schedules, await self.schedules()
        states, now = await store.states(), self._now()
        for one in schedules.values():
            state = states.get(one.name)
            is_new = state is None or state.timing != one.timing
            if is_new or (state is not None and one.last_due(since=state.since, until=now) is not None):
                await store.claim(one, self.holder)
        held = await store.take_over(self.holder, partial(is_gone, host=self.host))
        going = sum(bool(one.child) and self.processes.lives(one.child) for one in held)
        failures: list[Exception] = []
        for firing in held:
            try:
                going += await self._step(firing, schedules.get(firing.schedule), has_room=going < AT_ONCE)
            except Exception as error:  # what one of them meets does not keep the others
                failures.append(error)
        if failures:
            raise failures[0]

    async def schedules(self) -> dict[str, Schedule]:
        """Return all schedules by name; of two with the same name that of the configuration."""
        kept = await self.parts.control.schedules.kept()
        return {one.schedule.name: one.schedule for one in kept} | {one.name: one for one in self.declared()}

    async def tell(self) -> None:
        """Raise and resolve alerts by what came of each schedule last."""
        store, alerts = self.parts.control.schedules, self.parts.control.alerts
        known = await self.schedules()
        late = [one for one in await store.active() if self._now() - one.at > STUCK_AFTER]
        ended = {one.schedule: _ran(one) for one in await store.latest() if one.schedule in known}
        ran = ended | {one.schedule: _late(one, known[one.schedule]) for one in late if one.schedule in known}
        marks = {kind: await alerts.marks(kind) for kind in evals.KINDS}
        for findings in evals.look(list(ran.values()), marks, console=self.console):
            for row in await alerts.apply(findings, self.parts.notifications()) or ():
                _log.warning("%s %s (%s): %s", row.id, row.kind, row.severity, row.title)

    async def _step(self, firing: Firing, schedule: Schedule | None, *, has_room: bool) -> int:
        """Bring one firing on; return how many processes were started."""
        store = self.parts.control.schedules
        if firing.child and self.processes.lives(firing.child):
            await store.note(firing)
            return 0
        if firing.run:
            row = await self.parts.control.runs.get(firing.run)
            if row.head.status == "finished" or (row.head.status == "stopped" and row.head.note != INTERRUPTED):
                await self._conclude(firing, row)
                return 0
            if firing.tries >= TRIES_MAX:
                why = f"its process ended {firing.tries} times, the last time with: {self.processes.last_words()}"
                await self._end(firing, "failed", {"suite": row.head.title, "asked": _asked(row), "failure": why})
                return 0
        if not has_room or not await self._is_gateway_up():
            await store.note(firing)
            return 0
        if not firing.run:
            begun = await self._begin(firing, schedule)
            if begun is None:
                return 0
            firing = begun
        # Written down before it is done: a keeper that dies in between has not tried without end.
        noted = await store.note(firing, tries=firing.tries + 1, child="")
        if noted is None:
            return 0
        await store.note(noted, child=await self.processes.start(noted.run))
        return 1

    async def _begin(self, firing: Firing, schedule: Schedule | None) -> Firing | None:
        """Begin a run, unless a keeper before this one has; None where it cannot be begun."""
        try:
            if schedule is None:
                raise _NotRun("there is no such schedule any more")
            found = await self._begun_before(firing, schedule)
            if found is None:
                found = await self._run(schedule)
        except WatchkeeperError as error:
            suite = schedule.suite if schedule is not None else ""
            asked = schedule.candidate if schedule is not None else ""
            await self._end(firing, "failed", {"suite": suite, "asked": asked, "failure": str(error)})
            return None
        run, suite_id = found
        return await self.parts.control.schedules.note(firing, run=run, suite_id=suite_id, status="running")

    async def _begun_before(self, firing: Firing, schedule: Schedule) -> tuple[str, str] | None:
        """Return a run that was begun for this firing and not written down."""
        feature, _, name = schedule.suite.partition("/")
        for row in await self.parts.control.runs.find(RunFilter(feature=feature, suite=name, status="running")):
            if row.head.by == _by(schedule) and row.head.started_ms >= firing.at.timestamp() * 1000 - 1:
                return row.id, row.head.suite_id
        return None

    async def _run(self, schedule: Schedule) -> tuple[str, str]:
        row, suite = await self.parts.control.suites.get(schedule.suite)
        if _runs_code(suite) and not self.runs_python():
            raise _NotRun(
                "the suite has scorers that are written in Python, which schedules run only with `evals: {python: "
                "true}` in the configuration"
            )
        wish = RunWish(
            suite=row.id,
            candidate=schedule.candidate,
            baseline=await self._baseline(schedule, row.id),
            repeats=schedule.repeats,
            cap_nusd=schedule.cap_nusd,
            by=_by(schedule),
        )
        return (await begin(self.parts, wish)).head.id, row.id

    async def _baseline(self, schedule: Schedule, suite_id: str) -> str:
        """Name the baseline: `previous` is the last run of this version that was no regression, or was accepted."""
        if schedule.baseline == NO_BASELINE:
            return ""
        if schedule.baseline != PREVIOUS:
            return schedule.baseline
        store = self.parts.control.schedules
        state = (await store.states()).get(schedule.name)
        for firing in await store.history(schedule.name, limit=BACK):
            is_good = not _BAD & {firing.result, firing.facts.get("accepted_result", "")}
            is_accepted = state is not None and firing.run == state.accepted
            if firing.status == "finished" and firing.suite_id == suite_id and (is_good or is_accepted):
                return firing.run
        return ""

    async def _conclude(self, firing: Firing, row: RunRow) -> None:
        """Write down what a run has shown, also beside the one that somebody has accepted."""
        decision = row.decision
        facts: dict[str, Any] = {
            "suite": row.head.title,
            "asked": _asked(row),
            "baseline": row.head.baseline_run,
            "reasons": [*_reasons(decision), *([row.head.note] if row.head.note else [])],
        }
        state = (await self.parts.control.schedules.states()).get(firing.schedule)
        if state is not None and state.accepted and state.accepted not in (row.id, row.head.baseline_run):
            other = await self.parts.control.runs.get(state.accepted)
            if other.head.suite_id == row.head.suite_id:
                beside = (await compared(self.parts, row, other)).decision
                facts["accepted"] = other.id
                facts["accepted_result"] = beside.result if beside is not None else ""
                facts["accepted_reasons"] = _reasons(beside)
        result = decision.result if decision is not None else ""
        if row.head.status == "stopped" and result != "regression":
            result = "unmeasured"  # the part that was not asked
        await self._end(firing, "finished", facts, result=result)

    async def _end(self, firing: Firing, status: FiringStatus, facts: dict[str, Any], *, result: str = "") -> None:
        ended = await self.parts.control.schedules.end(firing, status, result=result, facts=facts)
        if ended is not None:
            why = facts.get("failure") or result
            _log.info("the schedule %s, due at %s: %s %s", firing.schedule, firing.due_at, status, why)
            await self.tell()

    async def _is_gateway_up(self) -> bool:
        """Knock: what is asked of a gateway that is not there would only be unmeasured."""
        if self.is_gateway_up is not None:
            return bool(self.is_gateway_up(self.parts.gateway_url))
        found = urlsplit(within_reach(self.parts.gateway_url))
        try:
            async with asyncio.timeout(KNOCK_S):
                _, writer = await asyncio.open_connection(found.hostname, found.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.parts.clock.unix_ns() / 1e9, UTC)


def holder_of(host: str, pid: int) -> str:
    """Return what a keeper's process is known by, on all hosts."""
    return f"{host} {pid}/{peers.born_of(pid)}"


def is_gone(holder: str, host: str) -> bool:
    """Tell whether a keeper of this host is no more; of other hosts' nobody can tell."""
    whose, _, process = holder.partition(" ")
    number, _, born = process.partition("/")
    return whose == host and number.isdigit() and not peers.lives(int(number), born)


def _by(schedule: Schedule) -> str:
    return f"{BY_PREFIX}{schedule.name}"


def _runs_code(suite: Suite) -> bool:
    every = [*suite.scorers, *(scorer for case in suite.cases for scorer in case.scorers)]
    return any(scorer.type in RUNS_CODE for scorer in every)


def _asked(row: RunRow) -> str:
    arm = row.head.arms[0] if row.head.arms else None
    return (arm.title or arm.model or arm.name) if arm is not None else ""


def _reasons(decision: Decision | None) -> list[str]:
    return list(decision.reasons) if decision is not None else []


def _ran(firing: Firing) -> Ran:
    facts = firing.facts
    shown: list[Shown] = []
    if firing.result:
        reasons = tuple(facts.get("reasons", ()))
        shown.append(Shown(run=facts.get("baseline", ""), result=firing.result, reasons=reasons))
    if facts.get("accepted_result"):
        reasons = tuple(facts.get("accepted_reasons", ()))
        shown.append(Shown(run=facts["accepted"], result=facts["accepted_result"], reasons=reasons))
    return Ran(
        schedule=firing.schedule,
        suite=facts.get("suite", ""),
        run=firing.run,
        asked=facts.get("asked", ""),
        at=firing.due_at,
        failure=facts.get("failure", ""),
        shown=tuple(shown),
    )


def _late(firing: Firing, schedule: Schedule) -> Ran:
    why = f"it is under way for more than {STUCK_AFTER.total_seconds() / 3600:g} hours"
    return Ran(
        schedule=firing.schedule,
        suite=schedule.suite,
        run=firing.run,
        asked=schedule.candidate,
        at=firing.due_at,
        failure=why,
    )
