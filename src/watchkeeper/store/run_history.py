"""The latest runs of suites in a few figures each, for strips and trends; and what checks have come to."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.evals.decision import Result
from watchkeeper.evals.outcome import Status
from watchkeeper.evals.run import RunHead
from watchkeeper.store import moments
from watchkeeper.store.eval_tables import eval_outcomes, eval_runs
from watchkeeper.store.gates import GateRow
from watchkeeper.store.tables import gate_results, releases

EACH = 12
"""Runs of each suite."""
SUITES_MAX = 60
LISTED_MAX = 200


class RunFigures(Struct, frozen=True, kw_only=True):
    """As much of a decision as a list of runs says."""

    result: Result
    reasons: tuple[str, ...] = ()
    passed: float | None = None
    """Share of the measured cases, with its two-sided 95 % interval."""
    passed_lower: float | None = None
    passed_upper: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBrief:
    """One run, as lists show it."""

    head: RunHead
    at: datetime
    figures: RunFigures | None
    """None where nothing was decided."""

    @property
    def release(self) -> str:
        """Return the release that was tried; empty for a plain model."""
        return self.head.arms[0].release if self.head.arms else ""


_figures = msgspec.json.Decoder(RunFigures).decode
_head = msgspec.json.Decoder(RunHead).decode


class RunHistory:
    """Finds runs, and results of checks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of_suites(
        self, features: Collection[str] | None = None, *, each: int = EACH
    ) -> dict[tuple[str, str], list[RunBrief]]:
        """Return the latest runs of each suite, by feature and name; the newest first.

        Args:
            features: Only of these; None for all.
            each: So many of each at most.
        """
        runs = eval_runs
        newest = func.row_number().over(
            partition_by=(runs.c.feature, runs.c.suite), order_by=(runs.c.started_at.desc(), runs.c.id)
        )
        ranked = select(runs.c.id, newest.label("rank"))
        if features is not None:
            ranked = ranked.where(runs.c.feature.in_(features))
        latest = ranked.subquery()
        query = select(runs).join(latest, latest.c.id == runs.c.id).where(latest.c.rank <= each)
        found: dict[tuple[str, str], list[RunBrief]] = {}
        for row in await self._all(query.order_by(runs.c.started_at.desc(), runs.c.id).limit(SUITES_MAX * each)):
            found.setdefault((row.feature, row.suite), []).append(_read(row))
        return found

    async def of_suite(self, feature: str, suite: str, *, limit: int = LISTED_MAX) -> list[RunBrief]:
        """List the runs of a suite, the newest first."""
        query = select(eval_runs).where(eval_runs.c.feature == feature, eval_runs.c.suite == suite)
        query = query.order_by(eval_runs.c.started_at.desc(), eval_runs.c.id).limit(limit)
        return [_read(row) for row in await self._all(query)]

    async def progress(self, run: str, arm: str) -> Counter[Status]:
        """Count the outcomes of one arm of a run by status, by way of an index of its own."""
        table = eval_outcomes
        query = select(table.c.status, func.count().label("number")).where(table.c.run == run, table.c.arm == arm)
        return Counter({row.status: row.number for row in await self._all(query.group_by(table.c.status))})

    async def gates_of(self, feature: str, *, has_passed: bool | None = None, limit: int = 20) -> list[GateRow]:
        """List what checks on the releases of a feature came to, the latest first.

        Args:
            feature: Whose releases.
            has_passed: Only those that have, or that have not; None for all.
            limit: So many at most.
        """
        query = select(gate_results).join(releases, releases.c.id == gate_results.c.release)
        query = query.where(releases.c.feature == feature)
        if has_passed is not None:
            query = query.where(gate_results.c.has_passed.is_(has_passed))
        return [
            GateRow(
                release=row.release, gate=row.gate, run=row.run, has_passed=row.has_passed, summary=row.summary,
                at=moments.read_known(row.at), by=row.by,
            )
            for row in await self._all(query.order_by(gate_results.c.id.desc()).limit(limit))
        ]  # fmt: skip

    async def _all(self, query: Select[Any]) -> list[Row[Any]]:
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).all())


def _read(row: Row[Any]) -> RunBrief:
    figures = _figures(row.decision) if row.decision else None
    return RunBrief(head=_head(row.head), at=moments.read_known(row.started_at), figures=figures)
