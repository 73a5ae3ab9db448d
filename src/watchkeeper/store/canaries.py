"""Rounds of canaries, and from which round on a model's answers are what it is held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.evals.drift.rounds import Round, Verdict
from watchkeeper.store import moments
from watchkeeper.store.changes import note
from watchkeeper.store.drift_tables import canary_references, canary_rounds

LISTED_MAX = 500

_encode = msgspec.json.Encoder().encode
_round = msgspec.json.Decoder(Round).decode
_verdict = msgspec.json.Decoder(Verdict).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """A round, and what it came to."""

    id: int
    model: str
    round: Round
    verdict: Verdict
    cost_nusd: int | None
    """None where the price of an answer is not known."""
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a model is held to."""

    first_round: int
    at: datetime
    by: str
    reason: str


class Canaries:
    """Keeps rounds and what was accepted."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def add(self, model: str, one: Round, verdict: Verdict, *, cost_nusd: int | None, by: str) -> int:
        """Keep a round and return its id."""
        row = {
            "model": model, "prompts": one.prompts, "at": moments.stored(one.at),
            "status": verdict.status, "round": _encode(one).decode(),
            "verdict": _encode(verdict).decode(), "cost_nusd": cost_nusd, "by": by,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            adding = insert(canary_rounds).values(**row).returning(canary_rounds.c.id)
            return int((await connection.execute(adding)).scalar_one())

    async def rounds(self, model: str, *, limit: int = 50) -> list[RoundRow]:
        """Return the rounds of a model, the newest first."""
        query = select(canary_rounds).where(canary_rounds.c.model == model).order_by(canary_rounds.c.id.desc())
        return await self._read(query.limit(min(limit, LISTED_MAX)))

    async def reference(self, model: str, prompts: str, *, limit: int) -> list[RoundRow]:
        """Return the first rounds of a set of prompts since what was accepted last, the oldest first.

        Rounds that were not measured are left out.
        """
        accepted = await self.accepted(model)
        query = (
            select(canary_rounds)
            .where(
                canary_rounds.c.model == model,
                canary_rounds.c.prompts == prompts,
                canary_rounds.c.status != "unmeasured",
                canary_rounds.c.id >= (accepted.first_round if accepted is not None else 0),
            )
            .order_by(canary_rounds.c.id)
            .limit(limit)
        )
        return await self._read(query)

    async def latest(self) -> dict[str, RoundRow]:
        """Return the newest round of each model."""
        newest = select(func.max(canary_rounds.c.id)).group_by(canary_rounds.c.model)
        rows = await self._read(select(canary_rounds).where(canary_rounds.c.id.in_(newest)))
        return {row.model: row for row in rows}

    async def spent(self, since: datetime) -> dict[str, int]:
        """Return what the rounds of each model have cost since a moment, in nano-dollars, as far as it is known."""
        query = (
            select(canary_rounds.c.model, func.sum(canary_rounds.c.cost_nusd))
            .where(canary_rounds.c.at >= moments.stored(since))
            .group_by(canary_rounds.c.model)
        )
        async with self._engine.connect() as connection:
            return {model: int(nusd or 0) for model, nusd in (await connection.execute(query)).all()}

    async def accepted(self, model: str) -> Accepted | None:
        """Return what a model is held to; None where nobody has accepted anything: then its first rounds."""
        query = select(canary_references).where(canary_references.c.model == model)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query.order_by(canary_references.c.id.desc()).limit(1))).one_or_none()
        if found is None:
            return None
        return Accepted(
            first_round=found.first_round, at=moments.read_known(found.at), by=found.by, reason=found.reason
        )

    async def accept(self, model: str, first_round: int, *, by: str, reason: str) -> None:
        """Hold a model to its answers from a round on."""
        row = {"model": model, "first_round": first_round, "at": moments.now(self._clock), "by": by, "reason": reason}
        detail = {"model": model, "first_round": first_round}
        async with self._engine.begin() as connection:
            await connection.execute(insert(canary_references).values(**row))
            await note(connection, self._clock, "drift", f"accepted how {model} answers now", actor=by, detail=detail)

    async def _read(self, query: Any) -> list[RoundRow]:
        async with self._engine.connect() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
        return [
            RoundRow(
                id=row.id,
                model=row.model,
                round=_round(row.round),
                verdict=_verdict(row.verdict),
                cost_nusd=row.cost_nusd,
                by=row.by,
            )
            for row in rows
        ]
