"""How each case stands in a run that has ended, in the order in which people look at them."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.evals.outcome import Status
from watchkeeper.evals.reports.report import STANDINGS, Standing, Tally
from watchkeeper.evals.run import RunHead
from watchkeeper.evals.tasks import CANDIDATE
from watchkeeper.store.deciding import deciding
from watchkeeper.store.eval_tables import eval_outcomes, eval_runs
from watchkeeper.store.quality_tables import eval_standings
from watchkeeper.store.runs import RunRow

AT_ONCE = 2_000
REASON_LETTERS_MAX = 400
SCORERS_MAX = 20
"""Of one case."""
TAGS_MAX = 20
UNSTEADY_RUNS = 10
UNSTEADY_MAX = 20
FACETS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStanding:
    """How one case stands under the candidate."""

    case: str
    standing: Standing
    passed: int
    """Repeats, as are the next two."""
    failed: int
    unmeasured: int
    before: Standing | None
    """Under the baseline; None without one, or where it was not asked."""
    is_breach: bool
    """Whether it fails what no case may fail."""
    scorers: tuple[str, ...]
    """Titles of those that an answer did not pass, or that could not tell."""
    tags: tuple[str, ...]
    reason: str
    """Why it did not pass: of the first answer that says so."""

    @property
    def is_new(self) -> bool:
        """Tell whether it does not pass, and did under the baseline."""
        return self.before == "passed" and self.standing != "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingFilter:
    """Which cases. An empty field does not restrict; all that are set must hold."""

    standing: str = ""
    tag: str = ""
    scorer: str = ""
    """One that an answer did not pass."""
    search: str = ""
    """In the id of the case."""
    search_reasons: bool = False
    """Whether reasons are searched, too: they may quote answers."""
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """What cases can be narrowed to: names, each with how many there are, the commonest first."""

    scorers: tuple[tuple[str, int], ...]
    tags: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unsteady:
    """A case that did not always pass of late."""

    case: str
    runs: int
    """In which it did not stand as passed."""
    flaky: int
    """Of them, in which some repeats passed."""


class _ToldMark(Struct, frozen=True):
    scorer: str
    status: Status


class _Told(Struct, frozen=True):
    """As much of an outcome as says why."""

    status: Status
    reason: str = ""
    marks: tuple[_ToldMark, ...] = ()


@dataclass(slots=True)
class _Why:
    status: Status
    reason: str
    scorers: dict[str, None]


_told = msgspec.json.Decoder(_Told).decode
_list = msgspec.json.Decoder(tuple[str, ...]).decode


class Standings:
    """Keeps how cases stand, and finds them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, row: RunRow, tags: Mapping[str, Collection[str]]) -> None:
        """Put how the cases of a run stand in the place of what was kept of it.

        Args:
            row: A run that has ended.
            tags: Of each case that has some.
        """
        head = row.head
        breaches = frozenset(one.case for one in (row.decision.breaches if row.decision is not None else ()))
        async with self._engine.connect() as connection:
            tallies = await _tallies(connection, head.id, head.arms[0].name) if head.arms else {}
            before = await _before(connection, head)
            why = await _why(connection, head.id, head.arms[0].name) if head.arms else {}
        rows = [
            _stored(head.id, case, tally, before.get(case), why.get(case), tags.get(case, ()), case in breaches)
            for case, tally in tallies.items()
        ]
        async with deciding(self._engine) as connection:
            await connection.execute(delete(eval_standings).where(eval_standings.c.run == head.id))
            for start in range(0, len(rows), AT_ONCE):
                await connection.execute(insert(eval_standings), rows[start : start + AT_ONCE])

    async def counts(self, run: str, chosen: StandingFilter | None = None) -> dict[Standing, int]:
        """Count the cases of a run by how they stand; empty where nothing is kept of it."""
        table = eval_standings
        query = select(table.c.standing, func.count().label("cases")).where(table.c.run == run, *_conditions(chosen))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.group_by(table.c.standing))).all()
        found: dict[str, int] = {row.standing: row.cases for row in rows}
        return {standing: found[standing] for standing in STANDINGS if standing in found}

    async def cases(
        self, run: str, chosen: StandingFilter | None = None, *, offset: int = 0, limit: int = 50
    ) -> list[CaseStanding]:
        """List cases of a run: failing ones first, then unmeasured, flaky, passed; new ones first among each."""
        table = eval_standings
        query = select(table).where(table.c.run == run, *_conditions(chosen))
        query = query.order_by(table.c.place, table.c.case_id).offset(offset).limit(limit)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def beside(self, run: str, other: str, *, limit: int = 50) -> list[CaseStanding]:
        """List the cases of a run that stand otherwise in another one, whose standing is then the one before."""
        table, before = eval_standings, eval_standings.alias()
        query = (
            select(table, before.c.standing.label("other"))
            .join(before, (before.c.run == other) & (before.c.case_id == table.c.case_id))
            .where(table.c.run == run, table.c.standing != before.c.standing)
            .order_by(table.c.place, table.c.case_id)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [replace(_read(row), before=cast("Standing", row.other)) for row in rows]

    async def facets(self, run: str) -> Facets:
        """Count the cases of a run by scorers that were not passed, and by tags."""
        counted = []
        async with self._engine.connect() as connection:
            for column in (eval_standings.c.scorers, eval_standings.c.tags):
                query = select(column, func.count()).where(eval_standings.c.run == run, column != "[]").group_by(column)
                sums = Counter[str]()
                for names, count in (await connection.execute(query)).all():
                    for name in _list(names):
                        sums[name] += count
                counted.append(tuple(sums.most_common(FACETS_MAX)))
        return Facets(scorers=counted[0], tags=counted[1])

    async def of_case(self, feature: str, suite: str, case: str, *, limit: int = 30) -> dict[str, CaseStanding]:
        """Return how a case stood in the latest runs of its suite, by run; the newest first."""
        runs, table = eval_runs, eval_standings
        newest = select(runs.c.id, runs.c.started_at).where(runs.c.feature == feature, runs.c.suite == suite)
        latest = newest.order_by(runs.c.started_at.desc()).limit(limit).subquery()
        query = select(table).join(latest, (table.c.run == latest.c.id) & (table.c.case_id == case))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(latest.c.started_at.desc()))).all()
        return {row.run: _read(row) for row in rows}

    async def unsteady(self, feature: str, suite: str) -> list[Unsteady]:
        """List the cases that did not always pass in the latest runs of a suite, the worst first."""
        runs, table = eval_runs, eval_standings
        of = select(runs.c.id).where(runs.c.feature == feature, runs.c.suite == suite, runs.c.status == "finished")
        latest = of.order_by(runs.c.started_at.desc()).limit(UNSTEADY_RUNS).subquery()
        query = (
            select(table.c.case_id, table.c.standing, func.count())
            .join(latest, table.c.run == latest.c.id)
            .where(table.c.place < _FIRST_PASSED)
            .group_by(table.c.case_id, table.c.standing)
        )
        found: dict[str, Counter[str]] = {}
        async with self._engine.connect() as connection:
            for case, standing, count in (await connection.execute(query)).all():
                found.setdefault(case, Counter())[standing] += count
        ranked = sorted(found, key=lambda case: (-found[case].total(), case))[:UNSTEADY_MAX]
        return [Unsteady(case, found[case].total(), found[case]["flaky"]) for case in ranked]


_PER_STANDING = 4
_FIRST_PASSED = STANDINGS.index("passed") * _PER_STANDING


async def _tallies(connection: AsyncConnection, run: str, arm: str) -> dict[str, Tally]:
    table = eval_outcomes
    columns = (table.c.case_id, table.c.status, func.count())
    query = select(*columns).where(table.c.run == run, table.c.arm == arm).group_by(*columns[:2])
    found: dict[str, Tally] = {}
    for case, status, count in (await connection.execute(query)).all():
        setattr(found.setdefault(case, Tally()), status, count)
    return found


async def _before(connection: AsyncConnection, head: RunHead) -> dict[str, Standing]:
    if head.baseline_run:
        tallies = await _tallies(connection, head.baseline_run, CANDIDATE)
    elif head.baseline:
        tallies = await _tallies(connection, head.id, head.baseline)
    else:
        tallies = {}
    return {case: tally.standing for case, tally in tallies.items()}


async def _why(connection: AsyncConnection, run: str, arm: str) -> dict[str, _Why]:
    """Why cases did not pass: the first repeat that failed says it, else the first that was not measured."""
    table = eval_outcomes
    columns = (table.c.case_id, table.c.repeat, table.c.outcome)
    query = select(*columns).where(table.c.run == run, table.c.arm == arm)
    found: dict[str, _Why] = {}
    for status in ("failed", "unmeasured"):
        of_status = query.where(table.c.status == status).order_by(table.c.case_id, table.c.repeat).limit(AT_ONCE)
        offset = 0
        while rows := (await connection.execute(of_status.offset(offset))).all():
            offset += len(rows)
            for row in rows:
                told = _told(row.outcome)
                why = found.setdefault(row.case_id, _Why(told.status, told.reason, {}))
                why.scorers |= dict.fromkeys(mark.scorer for mark in told.marks if mark.status != "passed")
    return found


def _stored(
    run: str,
    case: str,
    tally: Tally,
    before: Standing | None,
    why: _Why | None,
    tags: Collection[str],
    is_breach: bool,
) -> dict[str, Any]:
    standing = tally.standing
    is_new = before == "passed" and standing != "passed"
    return {
        "run": run, "case_id": case, "standing": standing, "passed": tally.passed, "failed": tally.failed,
        "unmeasured": tally.unmeasured, "before": before or "", "is_breach": is_breach,
        "place": STANDINGS.index(standing) * _PER_STANDING + 2 * (not is_breach) + (not is_new),
        "scorers": _written(list(why.scorers)[:SCORERS_MAX] if why is not None else ()),
        "tags": _written(list(tags)[:TAGS_MAX]), "reason": why.reason[:REASON_LETTERS_MAX] if why is not None else "",
    }  # fmt: skip


def _written(names: Sequence[str]) -> str:
    return msgspec.json.encode(names).decode()


def _conditions(chosen: StandingFilter | None) -> Iterator[ColumnElement[bool]]:
    table = eval_standings
    if chosen is None:
        return
    if chosen.standing:
        yield table.c.standing == chosen.standing
    if chosen.is_new:
        yield (table.c.before == "passed") & (table.c.standing != "passed")
    for column, name in ((table.c.scorers, chosen.scorer), (table.c.tags, chosen.tag)):
        if name:
            yield column.contains(msgspec.json.encode(name).decode(), autoescape=True)
    if chosen.search:
        wanted = table.c.case_id.icontains(chosen.search, autoescape=True)
        yield (wanted | table.c.reason.icontains(chosen.search, autoescape=True) if chosen.search_reasons else wanted)


def _read(row: Row[Any]) -> CaseStanding:
    return CaseStanding(
        case=row.case_id,
        standing=cast("Standing", row.standing),
        passed=row.passed,
        failed=row.failed,
        unmeasured=row.unmeasured,
        before=cast("Standing", row.before) if row.before else None,
        is_breach=bool(row.is_breach),
        scorers=_list(row.scorers),
        tags=_list(row.tags),
        reason=row.reason,
    )
