"""What was seen of drift, as the control database keeps it: last looks, findings, and what was accepted."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.evals.drift.levels import Window
from watchkeeper.evals.drift.readings import Group, Look, Reference
from watchkeeper.store import moments
from watchkeeper.store.changes import note
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.drift_tables import drift_findings, drift_looks, drift_references

LISTED_MAX = 500
LOOKS_MAX = 2_000

FindingKind = Literal["raised", "over", "accepted"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Look).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDraft:
    """Something to be written down."""

    kind: FindingKind
    group: Group
    """Of a canary, `target` is the model and the rest is empty."""
    signal: str
    """Empty for all of a group."""
    cause: str
    sentence: str
    evidence: dict[str, Any]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow(FindingDraft):
    """Something that was written down."""

    id: int
    at: datetime


class Drift:
    """Keeps looks, findings and references."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def looks(self, feature: str = "") -> list[Look]:
        """Return the last look at each group in each window, of one feature or of all."""
        query = select(drift_looks.c.look).order_by(drift_looks.c.until.desc(), drift_looks.c.id).limit(LOOKS_MAX)
        if feature:
            query = query.where(drift_looks.c.feature == feature)
        async with self._engine.connect() as connection:
            return [_decode(text) for text in (await connection.execute(query)).scalars()]

    async def note_look(self, look: Look) -> None:
        """Keep a look in the place of the one before."""
        key = look_key(look.group, look.window)
        values = {"until": moments.stored(look.until), "look": _encode(look).decode()}
        first = {"id": key, "feature": look.group.feature, "window": look.window} | values
        async with self._engine.begin() as connection:
            writing = insert_into(connection, drift_looks).values(**first)
            await connection.execute(writing.on_conflict_do_update(index_elements=["id"], set_=values))

    async def note_findings(self, drafts: Sequence[FindingDraft]) -> None:
        """Write findings down."""
        if drafts:
            async with self._engine.begin() as connection:
                for draft in drafts:
                    await self.note_in(connection, draft)

    async def note_in(self, connection: AsyncConnection, draft: FindingDraft) -> None:
        """As `note_findings`, in the transaction of whoever does what it says."""
        group = {name: getattr(draft.group, name) for name in Group.__struct_fields__}
        row: dict[str, Any] = {
            "kind": draft.kind,
            "signal": draft.signal,
            "cause": draft.cause,
            "sentence": draft.sentence,
        }
        row |= {"evidence": draft.evidence, "by": draft.by, "at": moments.now(self._clock)}
        await connection.execute(insert(drift_findings).values(**group, **row))

    async def findings(self, feature: str | None = None, *, limit: int = 100) -> list[FindingRow]:
        """Return findings, the newest first: of one feature, of canaries (empty), or all (None)."""
        query = select(drift_findings).order_by(drift_findings.c.id.desc()).limit(min(limit, LISTED_MAX))
        if feature is not None:
            query = query.where(drift_findings.c.feature == feature)
        async with self._engine.connect() as connection:
            return [_finding(row) for row in (await connection.execute(query)).all()]

    async def references(self, feature: str = "") -> dict[Group, Reference]:
        """Return what was accepted last of each group, of one feature or of all."""
        query = select(drift_references).order_by(drift_references.c.id)
        if feature:
            query = query.where(drift_references.c.feature == feature)
        async with self._engine.connect() as connection:
            return {_group(row): _reference(row) for row in (await connection.execute(query)).all()}

    async def fix_reference(self, group: Group, reference: Reference, *, reason: str) -> None:
        """Have a group compared with a window from now on, which is written down and no news to anybody."""
        async with self._engine.begin() as connection:
            await self._add(connection, group, reference, reason)

    async def accept(self, group: Group, reference: Reference, *, reason: str) -> None:
        """Have a group compared with a window from now on: what has changed is how it should be."""
        draft = FindingDraft(
            kind="accepted", group=group, signal="", cause="", by=reference.by, evidence={},
            sentence=reason or "What has changed is how it should be.",
        )  # fmt: skip
        detail = {"release": group.release, "target": group.target, "environment": group.environment}
        detail |= {"since": reference.since.isoformat(), "until": reference.until.isoformat()}
        async with self._engine.begin() as connection:
            await self._add(connection, group, reference, reason)
            await self.note_in(connection, draft)
            what = f"accepted how {group.feature} is now in {group.environment}"
            await note(connection, self._clock, "drift", what, actor=reference.by, detail=detail, feature=group.feature)

    async def _add(self, connection: AsyncConnection, group: Group, reference: Reference, reason: str) -> None:
        names = {name: getattr(group, name) for name in Group.__struct_fields__}
        row = {"since": moments.stored(reference.since), "until": moments.stored(reference.until), "reason": reason}
        row |= {"at": moments.now(self._clock), "by": reference.by}
        await connection.execute(insert(drift_references).values(**names, **row))


def look_key(group: Group, window: Window) -> str:
    """Name a group's looks of one kind of window, in 64 letters."""
    return hashlib.sha256(_encode([group, window])).hexdigest()


def _group(row: Row[Any]) -> Group:
    return Group(row.feature, row.environment, row.release, row.target)


def _reference(row: Row[Any]) -> Reference:
    return Reference(
        since=moments.read_known(row.since),
        until=moments.read_known(row.until),
        by=row.by,
        at=moments.read_known(row.at),
    )


def _finding(row: Row[Any]) -> FindingRow:
    return FindingRow(
        id=row.id,
        at=moments.read_known(row.at),
        kind=row.kind,
        group=_group(row),
        signal=row.signal,
        cause=row.cause,
        sentence=row.sentence,
        evidence=dict(row.evidence),
        by=row.by,
    )
