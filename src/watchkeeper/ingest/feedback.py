"""Sorts out what applications said of calls: whose call it is, and whether their key may speak about it."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.core.clock import Clock
from watchkeeper.store.feedback import Feedback, FeedbackRow, InboxRow, Sorted, Subject, same
from watchkeeper.store.value import ValueConflict, ValueEvent, ValueEvents

BATCH = 2_000
"""Looked at together; what one key may have waiting for calls that never come is a tenth of it."""
WAIT = timedelta(minutes=10)
"""So long feedback may be here before its call, which may be on its way through another worker's spool."""
UNKNOWN = "there is no such call or session of this key's feature and tenant"
"""The same whether it is another's or nobody's: who asks about others' calls learns nothing."""
KNOWN_OTHERWISE = "feedback of this id is there, and says something else"

_log = logging.getLogger("watchkeeper.ingest")


class FeedbackDesk:
    """Takes feedback out of the inbox, once.

    Args:
        feedback: Where it is kept.
        values: Where the units of value that it reports are kept.
        clock: The time.
        taken_in: How much feedback this process has put into the inbox so far; while that stays, nothing is looked for.
    """

    def __init__(self, feedback: Feedback, values: ValueEvents, clock: Clock, *, taken_in: Callable[[], int]) -> None:
        self._feedback = feedback
        self._values = values
        self._clock = clock
        self._taken_in = taken_in
        self._seen = -1
        self._is_empty = False
        self._waiting = 0
        self._kept = 0
        self._refused: Counter[str] = Counter()

    def status(self) -> dict[str, Any]:
        """Tell how much waits for its call, and what became of the rest since the keeper started."""
        return {"waiting": self._waiting, "kept": self._kept, "refused": dict(self._refused)}

    async def look(self) -> None:
        """Sort out what can be."""
        taken_in = self._taken_in()
        if taken_in == self._seen and self._is_empty:
            return
        now = datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC)
        rows = await self._feedback.waiting(now, limit=BATCH)
        outcomes = await self._sorted(rows, now) if rows else []
        if outcomes:
            await self._feedback.sort_out(outcomes)
        for one in outcomes:
            if one.outcome == "kept":
                self._kept += 1
            else:
                self._refused[one.reason] += 1
                _log.warning("feedback was refused: %s", one.reason)
        self._is_empty = not rows
        self._waiting = len(rows) - len(outcomes)
        self._seen = taken_in

    async def _sorted(self, rows: Sequence[InboxRow], now: datetime) -> list[Sorted]:
        calls = await self._feedback.calls([row.call_id for row in rows if row.call_id])
        sessions = await self._feedback.sessions([row.session for row in rows if row.session], now)
        outcomes: list[Sorted] = []
        known: list[tuple[InboxRow, Subject]] = []
        for row in rows:
            found = sessions.get(row.session, []) if row.session else [*filter(None, [calls.get(row.call_id)])]
            subject = next((one for one in found if _may_speak(row, one)), None)
            if subject is not None:
                known.append((row, subject))
            elif now - row.taken_in_at >= WAIT or (row.call_id and found):
                outcomes.append(Sorted(row.entry, row.taken_in_at, "refused", UNKNOWN))
        wanted = [_feedback(row, subject) for row, subject in known]
        kept = await self._feedback.add(wanted) if wanted else []
        for (row, subject), given, (there, _) in zip(known, wanted, kept, strict=True):
            is_same = same(given, there) and await self._add_value(there, subject)
            reason = "" if is_same else KNOWN_OTHERWISE
            outcomes.append(Sorted(row.entry, row.taken_in_at, "kept" if is_same else "refused", reason))
        return outcomes

    async def _add_value(self, row: FeedbackRow, subject: Subject) -> bool:
        """Report the units of value of feedback, if any; False where its id is known with others."""
        event = value_of(row, subject)
        if event is None:
            return True
        try:
            await self._values.add(event)
        except ValueConflict:
            return False
        return True


def value_of(row: FeedbackRow, subject: Subject) -> ValueEvent | None:
    """Return the report of value that feedback makes; None where it makes none."""
    if row.value_milli is None:
        return None
    return ValueEvent(
        id=f"feedback:{row.feature}:{row.tenant}:{row.id}",
        feature=row.feature,
        tenant=row.tenant,
        call_id=row.call_id,
        units_milli=row.value_milli,
        at=subject.started_at if row.call_id else row.at,
        recorded_at=row.at,
        source=row.by,
    )


def _may_speak(row: InboxRow, subject: Subject) -> bool:
    """A key speaks about its own calls, and about those of its feature; bound to a tenant, about that tenant's only."""
    if subject.key_id == row.key_id:
        return True
    return subject.feature == row.feature and (not row.tenant or subject.tenant == row.tenant)


def _feedback(row: InboxRow, subject: Subject) -> FeedbackRow:
    return FeedbackRow(
        id=row.id,
        at=row.received_at,
        call_id=row.call_id,
        session=row.session or subject.session,
        feature=subject.feature,
        tenant=subject.tenant,
        release=subject.release,
        environment=subject.environment,
        rollout=subject.rollout,
        name=row.name,
        score=row.score,
        label=row.label,
        comment=row.comment,
        value_milli=row.value_milli,
        by=f"key:{row.key_id}",
    )
