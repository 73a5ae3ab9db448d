"""Results of checks on releases, as evals and CI report them. Rows are added, never changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.deciding import deciding
from watchkeeper.store.tables import gate_results, releases

LISTED_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDraft:
    """What a check came to."""

    release: str
    gate: str
    run: str
    """Where it can be looked up."""
    has_passed: bool
    summary: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """One result; the latest of a check counts."""

    release: str
    gate: str
    run: str
    has_passed: bool
    summary: str
    at: datetime
    by: str


class Gates:
    """Keeps results."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def report(self, draft: GateDraft) -> GateRow:
        """Keep a result, and note it as a change."""
        values = {
            "release": draft.release, "gate": draft.gate, "run": draft.run, "has_passed": draft.has_passed,
            "summary": draft.summary, "by": draft.by, "at": moments.now(self._clock),
        }  # fmt: skip
        async with deciding(self._engine) as connection:
            row = (await connection.execute(insert(gate_results).values(**values).returning(gate_results))).one()
            word = "passed" if draft.has_passed else "failed"
            summary = f"{draft.gate} {word} for release {draft.release[:12]}"
            of = select(releases.c.feature).where(releases.c.id == draft.release)
            feature = (await connection.execute(of)).scalar_one_or_none() or ""
            detail = {"release": draft.release, **changed(None, {"gate": draft.gate, "run": draft.run, "result": word})}
            await note(connection, self._clock, "release", summary, actor=draft.by, detail=detail, feature=feature)
        return _read(row)

    async def of(self, release: str) -> list[GateRow]:
        """List the results of a release, the latest first."""
        query = select(gate_results).where(gate_results.c.release == release).order_by(gate_results.c.id.desc())
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query.limit(LISTED_MAX))).all()]


async def latest_gates(connection: AsyncConnection, release: str) -> dict[str, GateRow]:
    """Return the latest result of each check on a release, in a transaction that does more."""
    newest = select(func.max(gate_results.c.id)).where(gate_results.c.release == release).group_by(gate_results.c.gate)
    rows = (await connection.execute(select(gate_results).where(gate_results.c.id.in_(newest)))).all()
    return {row.gate: _read(row) for row in rows}


def _read(row: Row[Any]) -> GateRow:
    return GateRow(
        release=row.release,
        gate=row.gate,
        run=row.run,
        has_passed=row.has_passed,
        summary=row.summary,
        at=moments.read_known(row.at),
        by=row.by,
    )
