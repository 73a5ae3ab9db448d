"""Prices stored calls again, and writes down where that differs from what they are said to cost."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from watchkeeper.core.clock import Clock
from watchkeeper.ingest.pricing import Pricer
from watchkeeper.money.moments import moment_of
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.corrections import Correction, StoredCost, Stretch

PAGE = 5_000
"""Calls held in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who has calls priced again, and why."""

    actor: str
    reason: str
    is_rehearsal: bool = False
    """Nothing is written down."""


class Recomputed(NamedTuple):
    """What came out; amounts are nano-dollars of the calls that were corrected."""

    calls: int = 0
    """Looked at."""
    corrected: int = 0
    newly_priced: int = 0
    """Of the corrected: those that had no price."""
    without_price: int = 0
    """Looked at and not priced now; whatever they are said to cost stands."""
    old_nusd: int = 0
    new_nusd: int = 0

    def plus(self, other: "Recomputed") -> "Recomputed":
        """Add up two results."""
        return Recomputed(*(one + two for one, two in zip(self, other, strict=True)))


class Repricing:
    """Prices stored calls again, one stretch at a time: two at once would write the same correction twice."""

    def __init__(self, store: AnalyticsStore, clock: Clock, lock: asyncio.Lock) -> None:
        self._store = store
        self._clock = clock
        self._lock = lock

    async def recompute(self, stretch: Stretch, pricer: Pricer, approval: Approval) -> Recomputed:
        """Price the calls of a stretch by the prices of today for their own day; calls' own rows are not touched.

        A second time finds nothing to correct, since what is compared is the cost by the latest correction.
        """
        result = Recomputed()
        after = ""
        async with self._lock:
            while page := await self._store.stored_costs(stretch, after=after, limit=PAGE):
                after = page[-1].call.id
                now = moment_of(self._clock.unix_ns())
                found, seen = await asyncio.to_thread(_compared, page, pricer, approval, now)
                if not approval.is_rehearsal:
                    await self._store.insert_corrections(found)
                result = result.plus(seen)
        return result


def _compared(
    page: Iterable[StoredCost], pricer: Pricer, approval: Approval, now: datetime
) -> tuple[list[Correction], Recomputed]:
    corrections: list[Correction] = []
    calls = without_price = newly_priced = old_nusd = new_nusd = 0
    for stored in page:
        calls += 1
        priced = pricer.price(stored.call)
        if priced.nusd is None:
            without_price += 1
            continue
        believed = stored.believed_nusd
        # Without a source it is what the gateway booked: nobody knows the provider's prices, or nothing was used.
        if not priced.source or priced.nusd == believed:
            continue
        newly_priced += believed is None
        old_nusd += believed or 0
        new_nusd += priced.nusd
        corrections.append(
            Correction(
                call_id=stored.call.id,
                call_started_at=stored.started_at,
                recorded_at=now,
                old_nusd=believed,
                new_nusd=priced.nusd,
                price_source=priced.source,
                reason=approval.reason,
                actor=approval.actor,
            )
        )
    return corrections, Recomputed(calls, len(corrections), newly_priced, without_price, old_nusd, new_nusd)
