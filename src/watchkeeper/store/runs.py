"""Runs of suites as the control database keeps them, and what came of each case."""

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.decision import Decision
from watchkeeper.evals.outcome import Answer, Outcome, Status
from watchkeeper.evals.run import RunHead
from watchkeeper.evals.running import cost_of
from watchkeeper.store import moments
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.deciding import deciding
from watchkeeper.store.eval_tables import eval_outcomes, eval_runs

LISTED_MAX = 500
READ_AT_ONCE = 500
RUN_PREFIX = "run-"
ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 12
KEPT_FOR = timedelta(days=400)
"""How long the outcomes of a run are kept; its figures and its decision stay."""
TOO_OLD = timedelta(days=30)
"""An answer that is older is not taken again, whatever is asked for."""

Counts = dict[str, dict[Status, int]]
"""By arm and status."""


class RunUnknown(CallerError):
    """There is no such run."""

    code = "run_not_found"
    http_status = 404


class RunEnded(CallerError):
    """The run has ended; nothing was added to it."""

    code = "run_ended"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run, without its outcomes."""

    head: RunHead
    decision: Decision | None
    counts: Counts

    @property
    def id(self) -> str:
        """Return its id."""
        return self.head.id


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs. An empty field does not restrict; all that are set must hold."""

    feature: str = ""
    suite: str = ""
    status: str = ""
    result: str = ""
    candidate: str = ""
    features: Collection[str] | None = None
    """Only of these; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFilter:
    """Which outcomes of a run. An empty field does not restrict."""

    arm: str = ""
    status: str = ""
    case: str = ""


class Runs:
    """Keeps runs and finds them."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(self, head: RunHead) -> RunHead:
        """Keep a new run; return it with its id and the moment at which it began."""
        name = RUN_PREFIX + "".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH))
        began = msgspec.structs.replace(head, id=name, started_ms=self._clock.unix_ns() // 1_000_000, status="running")
        candidate = began.arms[0] if began.arms else None
        values = {
            "id": name, "suite_id": began.suite_id, "feature": began.feature, "suite": began.suite,
            "candidate": (candidate.release or candidate.model or candidate.title)[:200] if candidate else "",
            "status": began.status, "result": "", "head": _written(began), "by": began.by,
            "started_at": moments.now(self._clock),
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(eval_runs.insert().values(**values))
        return began

    async def add(self, run: str, outcomes: Sequence[Outcome], *, turn: int | None = None) -> None:
        """Keep outcomes of a run; one that is there already stays as it is.

        Args:
            run: Its whole id.
            outcomes: In any order.
            turn: As in `RunHead`, when whoever adds began or went on with it; None: it does not matter.

        Raises:
            RunUnknown: there is no such run.
            RunEnded: it has ended, or somebody else goes on with it.
        """
        now = moments.now(self._clock)
        rows = [_outcome_row(run, outcome, now) for outcome in outcomes]
        # What is read before it is written must not be read beside another writer, which SQLite would then refuse.
        async with self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            query = select(eval_runs.c.status, eval_runs.c.head).where(eval_runs.c.id == run)
            found = (await connection.execute(query)).one_or_none()
            if found is None:
                raise _unknown(run)
            if turn is not None and turn != _head(found).turn:
                raise RunEnded(f"Somebody else goes on with the run {run}; nothing was added to it from here.")
            if found.status == "finished":
                raise RunEnded(f"The run {run} has ended; nothing was added to it.")
            if not rows:
                return
            # One statement for all rows is compiled anew for each number of them, which takes a thousand times as long.
            statement = insert_into(connection, eval_outcomes).on_conflict_do_nothing()
            await connection.execute(statement, rows)

    async def go_on(self, run: str, *, again: bool = False, cap_nusd: int | None = None) -> RunHead:
        """Have a run that has stopped go on.

        Args:
            run: Its whole id.
            again: Whether what could not be measured is asked once more; then one that has ended goes on, too.
            cap_nusd: What all of it may cost from now on; None: as before.

        Raises:
            RunUnknown: there is no such run.
            RunEnded: all of it is done.
        """
        async with deciding(self._engine) as connection:
            row = (await connection.execute(select(eval_runs).where(eval_runs.c.id == run))).one_or_none()
            if row is None:
                raise _unknown(run)
            head = _head(row)
            if head.status == "finished" and not again:
                raise RunEnded(f"The run {run} has ended, and every case of it is done; `eval show {run}` shows it.")
            if again:
                lost = (eval_outcomes.c.run == run, eval_outcomes.c.status == "unmeasured")
                await connection.execute(delete(eval_outcomes).where(*lost))
            cap = head.cap_nusd if cap_nusd is None else cap_nusd
            head = msgspec.structs.replace(
                head, status="running", ended_ms=None, note="", cap_nusd=cap, turn=head.turn + 1
            )
            changed = {"status": head.status, "head": _written(head), "ended_at": None}
            await connection.execute(update(eval_runs).where(eval_runs.c.id == run).values(**changed))
        return head

    async def end(self, head: RunHead, decision: Decision | None) -> RunRow:
        """Keep how a run ended, with its figures as they are then.

        Raises:
            RunUnknown: there is no such run.
        """
        counts = await self.counts(head.id)
        values = {
            "status": head.status, "head": _written(head), "counts": counts,
            "result": decision.result if decision is not None else "",
            "decision": _written(decision) if decision is not None else None, "ended_at": moments.now(self._clock),
        }  # fmt: skip
        async with deciding(self._engine) as connection:
            changed = await connection.execute(update(eval_runs).where(eval_runs.c.id == head.id).values(**values))
            if not changed.rowcount:
                raise _unknown(head.id)
        return RunRow(head=head, decision=decision, counts=counts)

    async def get(self, run: str) -> RunRow:
        """Return a run by its id, or by a beginning of it that fits no other.

        Raises:
            RunUnknown: none fits, or several do.
        """
        wanted = run if run.startswith(RUN_PREFIX) else RUN_PREFIX + run
        if not wanted.removeprefix(RUN_PREFIX).isalnum():
            raise _unknown(run)
        query = select(eval_runs).where(eval_runs.c.id.startswith(wanted)).limit(2)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        if len(rows) != 1:
            raise _unknown(run, several=bool(rows))
        found = _row(rows[0])
        return found if rows[0].counts else RunRow(head=found.head, decision=None, counts=await self.counts(found.id))

    async def find(self, chosen: RunFilter, *, limit: int = LISTED_MAX) -> list[RunRow]:
        """List runs, the newest first; of those that run, without counts."""
        query = select(eval_runs)
        for name in ("feature", "suite", "status", "result", "candidate"):
            if value := getattr(chosen, name):
                query = query.where(eval_runs.c[name] == value)
        if chosen.features is not None:
            query = query.where(eval_runs.c.feature.in_(chosen.features))
        query = query.order_by(eval_runs.c.started_at.desc(), eval_runs.c.id).limit(min(limit, LISTED_MAX))
        async with self._engine.connect() as connection:
            return [_row(row) for row in (await connection.execute(query)).all()]

    async def counts(self, run: str) -> Counts:
        """Count the outcomes of a run."""
        columns = (eval_outcomes.c.arm, eval_outcomes.c.status, func.count())
        query = select(*columns).where(eval_outcomes.c.run == run).group_by(*columns[:2])
        found: Counts = {}
        async with self._engine.connect() as connection:
            for arm, status, number in (await connection.execute(query)).all():
                found.setdefault(arm, {})[status] = number
        return found

    async def spent(self, run: str) -> int:
        """Return what a run has cost so far in nano-dollars, judges included, as far as anybody knows."""
        query = select(func.sum(eval_outcomes.c.cost_nusd)).where(eval_outcomes.c.run == run)
        async with self._engine.connect() as connection:
            return int((await connection.execute(query)).scalar() or 0)

    async def done(self, run: str) -> list[tuple[str, str, int]]:
        """List arm, case and repeat of what is there of a run."""
        columns = (eval_outcomes.c.arm, eval_outcomes.c.case_id, eval_outcomes.c.repeat)
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(*columns).where(eval_outcomes.c.run == run))
            return [(row.arm, row.case_id, row.repeat) for row in rows.all()]

    async def outcomes(
        self,
        run: str,
        chosen: OutcomeFilter | None = None,
        *,
        after: tuple[str, str, int] | None = None,
        limit: int = READ_AT_ONCE,
    ) -> list[Outcome]:
        """List outcomes of a run by case, repeat and arm.

        Args:
            run: Its whole id.
            chosen: Which of them.
            after: Case, arm and repeat of the last one that is known.
            limit: So many at most.
        """
        table, wanted = eval_outcomes, chosen or OutcomeFilter()
        query = select(table.c.outcome).where(table.c.run == run)
        for name, value in (("arm", wanted.arm), ("status", wanted.status), ("case_id", wanted.case)):
            if value:
                query = query.where(table.c[name] == value)
        if after is not None:
            case, arm, repeat = after
            later_arm = (table.c.arm > arm) | ((table.c.arm == arm) & (table.c.repeat > repeat))
            query = query.where((table.c.case_id > case) | ((table.c.case_id == case) & later_arm))
        query = query.order_by(table.c.case_id, table.c.arm, table.c.repeat).limit(limit)
        async with self._engine.connect() as connection:
            return [_outcome(row.outcome) for row in (await connection.execute(query)).all()]

    async def all_outcomes(self, run: str, chosen: OutcomeFilter | None = None) -> AsyncIterator[Outcome]:
        """Give all outcomes of a run by case, arm and repeat, a few at a time."""
        after: tuple[str, str, int] | None = None
        while found := await self.outcomes(run, chosen, after=after):
            for outcome in found:
                yield outcome
            after = (found[-1].case, found[-1].arm, found[-1].repeat)

    async def of_case(self, feature: str, suite: str, case: str, *, limit: int = 50) -> list[tuple[RunHead, Outcome]]:
        """List what came of a case in the runs of its suite, the newest first."""
        runs, table = eval_runs, eval_outcomes
        of = select(runs.c.id).where(runs.c.feature == feature, runs.c.suite == suite)
        newest = of.order_by(runs.c.started_at.desc()).limit(limit).subquery()
        query = (
            select(runs.c.head, table.c.outcome)
            .join(newest, newest.c.id == runs.c.id)
            .join(table, (table.c.run == runs.c.id) & (table.c.case_id == case))
            .order_by(runs.c.started_at.desc(), table.c.arm, table.c.repeat)
        )
        async with self._engine.connect() as connection:
            return [
                (msgspec.json.decode(row.head, type=RunHead), _outcome(row.outcome))
                for row in (await connection.execute(query)).all()
            ]

    async def answers(self, asks: Collection[str], *, of: RunHead, within: timedelta) -> dict[str, Answer]:
        """Return what was answered of late to asks, by their hashes; errors are no answers.

        Args:
            asks: Hashes, as in `Answer.ask`.
            of: The run that wants them: answers come from runs of its feature, and, where it may become a check's
                result, from such runs only. Others could have been made up.
            within: How old an answer may be.
        """
        since = datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC) - min(within, TOO_OLD)
        table = eval_outcomes
        query = (
            select(table.c.ask, table.c.outcome, table.c.run)
            .join(eval_runs, eval_runs.c.id == table.c.run)
            .where(eval_runs.c.feature == of.feature)
            .where(table.c.ask.in_(set(asks) - {""}), table.c.at >= moments.stored(since))
            .order_by(table.c.at)
        )
        found: dict[str, Answer] = {}
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
            sources = {row.run for row in rows}
            if of.may_report and rows:
                heads = (await connection.execute(select(eval_runs.c.head).where(eval_runs.c.id.in_(sources)))).all()
                sources = {head.id for head in map(_head, heads) if head.may_report}
        for row in rows:
            answer = _outcome(row.outcome).answer
            if not answer.error and row.run in sources:
                found[row.ask] = answer
        return found

    async def forget(self) -> int:
        """Drop outcomes that have been kept for long enough; return how many."""
        before = moments.stored(datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC) - KEPT_FOR)
        async with self._engine.begin() as connection:
            return (await connection.execute(delete(eval_outcomes).where(eval_outcomes.c.at < before))).rowcount


def _written(value: RunHead | Decision) -> str:
    return msgspec.json.encode(value).decode()


def _outcome_row(run: str, outcome: Outcome, now: datetime) -> Mapping[str, Any]:
    answer = outcome.answer
    return {
        "run": run, "arm": outcome.arm, "case_id": outcome.case, "repeat": outcome.repeat, "status": outcome.status,
        "score": outcome.score, "latency_ms": answer.latency_ms, "cost_nusd": cost_of(outcome),
        # An answer that was taken from an earlier run is not taken again: it would never grow old.
        "ask": "" if answer.reused or answer.error else answer.ask, "at": now,
        "outcome": msgspec.json.encode(outcome).decode(),
    }  # fmt: skip


def _outcome(text: str) -> Outcome:
    return msgspec.json.decode(text, type=Outcome)


def _head(row: Any) -> RunHead:
    return msgspec.json.decode(row.head, type=RunHead)


def _row(row: Row[Any]) -> RunRow:
    decision = msgspec.json.decode(row.decision, type=Decision) if row.decision else None
    return RunRow(head=_head(row), decision=decision, counts=row.counts or {})


def _unknown(run: str, *, several: bool = False) -> RunUnknown:
    why = "several begin so; write more of it" if several else "`watchkeeper eval list` lists those there are"
    return RunUnknown(f"There is no one run {run[:60]!r}: {why}.")
