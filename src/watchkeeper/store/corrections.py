"""What calls cost after all: stored calls as they can be priced again, and the rows that correct them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.usage import Usage
from watchkeeper.money.moments import unix_ns
from watchkeeper.store.questions import sql

Ask = Callable[[str, dict[str, Any]], Awaitable[Sequence[tuple[Any, ...]]]]

CORRECTION_COLUMNS = (
    "call_id", "call_started_at", "recorded_at", "old_nusd", "new_nusd", "price_source", "reason", "actor",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCost:
    """A stored call, as far as its price depends on it."""

    call: Call
    """With its attempts, their usage, and what was stored as its cost; everything else is empty."""
    started_at: datetime
    believed_nusd: int | None
    """What it is said to cost now: by its latest correction, else by its own row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a call costs after all."""

    call_id: str
    call_started_at: datetime
    recorded_at: datetime
    old_nusd: int | None
    """None for a call that had no price."""
    new_nusd: int
    price_source: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Which calls are looked at: those that started in a time, of one feature or (empty) of all."""

    since: datetime
    until: datetime
    feature: str = ""


async def page(ask: Ask, stretch: Stretch, *, after: str, limit: int) -> list[StoredCost]:
    """Return the calls behind an id, in the order of their ids, with what they used."""
    values = {"since": stretch.since, "until": stretch.until}
    asked = values | {"feature": stretch.feature, "after": after, "limit": limit}
    calls = await ask(sql("repriced_calls"), asked)
    if not calls:
        return []
    bounds = values | {"first": calls[0][0], "last": calls[-1][0]}
    found = await ask(sql("repriced_attempts"), bounds)
    attempts = {call_id: list(rows) for call_id, rows in groupby(found, key=lambda row: row[0])}
    corrected = {call_id: int(nusd) for call_id, nusd in await ask(sql("believed_costs"), bounds)}
    return [_stored(row, attempts.get(row[0], []), corrected) for row in calls]


def encoded(corrections: Sequence[Correction]) -> bytes:
    """Write corrections as lines of JSON in the columns of `CORRECTION_COLUMNS`."""
    return b"\n".join(msgspec.json.encode(_line(correction)) for correction in corrections)


def _line(correction: Correction) -> dict[str, Any]:
    values = {name: getattr(correction, name) for name in CORRECTION_COLUMNS}
    return {name: _written(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def _stored(row: Sequence[Any], attempts: Sequence[Sequence[Any]], corrected: dict[str, int]) -> StoredCost:
    call_id, started_at, tenant, usage_status, cost_nusd, cost_status, *counts = row
    call = Call(
        id=call_id,
        started_ns=unix_ns(started_at),
        worker="",
        tenant=tenant,
        attempts=[_attempt(attempt) for attempt in attempts],
        usage=_usage(usage_status, counts),
        usage_status=usage_status,
        cost_nusd=cost_nusd,
        cost_status=cost_status,
    )
    return StoredCost(call=call, started_at=started_at, believed_nusd=corrected.get(call_id, cost_nusd))


def _attempt(row: Sequence[Any]) -> Attempt:
    _, number, provider, model, dialect, started_ms, usage_status, cost_nusd, cost_status, tier, *counts = row
    return Attempt(
        number=number,
        provider=provider,
        model=model,
        dialect=dialect,
        started_ms=started_ms,
        usage=_usage(usage_status, counts),
        usage_status=usage_status,
        cost_nusd=cost_nusd,
        cost_status=cost_status,
        service_tier=tier,
    )


def _usage(status: str, counts: Sequence[Any]) -> Usage | None:
    return None if status == "missing" else Usage(*map(int, counts))
