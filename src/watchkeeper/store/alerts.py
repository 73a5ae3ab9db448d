"""Alerts, and what their rules remember, as the control database keeps them.

Raising an alert writes one row of the outbox for each destination in the same transaction: an alert that exists is
sent, and nothing is sent of one that does not.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.config.notifications import Notifications
from watchkeeper.core.alert import AlertDraft, AlertKind, Feedback, Findings, Mark, MessageEvent, Over, Severity
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.tables import alert_marks, alerts, outbox

LISTED_MAX = 500
KEPT_FOR = timedelta(days=400)
"""How long an alert is kept after it was resolved."""
RULES = "watchkeeper"
"""Who resolves an alert that is over by itself."""


class AlertUnknown(CallerError):
    """There is no alert with this id."""

    code = "alert_not_found"
    http_status = 404


class AlertOver(CallerError):
    """The alert was resolved already."""

    code = "alert_resolved"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert that was raised; the fields mean what those of `core.alert.AlertDraft` mean."""

    id: str
    kind: AlertKind
    key: str
    severity: Severity
    title: str
    text: str
    facts: dict[str, Any]
    raised_at: datetime
    resolved_at: datetime | None
    """None while it is open."""
    resolved_by: str
    resolution: str
    """Why it is over; empty while it is open."""
    feedback: Feedback | None
    """None as long as nobody has said anything."""

    @property
    def is_open(self) -> bool:
        """Tell whether what it is about goes on."""
        return self.resolved_at is None


class Alerts:
    """Raises, resolves and lists alerts, and keeps the marks of their rules."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, *, random_hex: Callable[[int], str] = secrets.token_hex
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._random_hex = random_hex

    async def apply(self, found: Findings, tell: Notifications) -> tuple[AlertRow, ...] | None:
        """Let findings take effect, all in one transaction, and return the alerts that are new.

        None when somebody else has changed the mark since it was read: then nothing was done, and the subject is looked
        at anew.
        """
        async with self._engine.begin() as connection:
            return await self._take_effect(connection, found, tell, told=tell)

    async def apply_together(
        self,
        found: Sequence[Findings],
        tell: Notifications,
        sum_up: Callable[[Sequence[AlertDraft]], AlertDraft],
    ) -> tuple[AlertRow, ...]:
        """As `apply`, for many: what they raise is told in the words of one alert more, which is over at once.

        Returns:
            The alerts that are new, the one that sums up last; what somebody else was first with is left out.
        """
        new: list[AlertRow] = []
        drafts: list[AlertDraft] = []
        async with self._engine.begin() as connection:
            for findings in found:
                rows = await self._take_effect(connection, findings, tell, told=Notifications())
                new += rows or ()
                drafts += findings.raised if rows else ()
            if drafts:
                whole = sum_up(drafts)
                row = await self.raise_in(connection, whole, tell)
                over = Over(kind=whole.kind, key=whole.key, reason="It has been told.", is_told=False)
                await self.end_in(connection, over, tell)
                new += [row] if row is not None else []
        return tuple(new)

    async def raise_alert(self, draft: AlertDraft, tell: Notifications) -> AlertRow | None:
        """Raise an alert; None, and nothing is written, when one of its kind and key is open."""
        async with self._engine.begin() as connection:
            return await self.raise_in(connection, draft, tell)

    async def raise_in(self, connection: AsyncConnection, draft: AlertDraft, tell: Notifications) -> AlertRow | None:
        """As `raise_alert`, in the transaction of whoever writes down what happened."""
        row = {
            "id": f"alert-{self._random_hex(8)}",
            "kind": draft.kind,
            "key": draft.key,
            "open_key": _digest(draft.kind, draft.key),
            "severity": draft.severity,
            "title": draft.title,
            "text": draft.text,
            "facts": draft.facts,
            "raised_at": moments.now(self._clock),
            "resolved_by": "",
            "resolution": "",
            "feedback": "",
        }
        unless_open = insert_into(connection, alerts).values(**row)
        raising = unless_open.on_conflict_do_nothing(index_elements=["open_key"]).returning(alerts)
        raised = (await connection.execute(raising)).one_or_none()
        if raised is None:
            return None
        for name in tell.takers(draft.kind, draft.severity):
            await self._post(connection, raised.id, "raised", name)
        return _read(raised)

    async def end_in(self, connection: AsyncConnection, over: Over, tell: Notifications) -> None:
        """End what an alert was about, in the transaction of whoever writes down that it is over."""
        is_meant = alerts.c.open_key == _digest(over.kind, over.key)
        for alert_id in await self._close(connection, is_meant, by=RULES, why=over.reason):
            if over.is_told:
                await self._tell_of_resolution(connection, alert_id, tell)

    async def resolve(self, alert_id: str, tell: Notifications, *, actor: str) -> AlertRow:
        """End an alert by hand.

        Raises:
            AlertUnknown: there is none of this id.
            AlertOver: it has been resolved.
        """
        async with self._engine.begin() as connection:
            ended = await self._close(connection, alerts.c.id == alert_id, by=actor, why=f"{actor} resolved it.")
            if ended:
                await self._tell_of_resolution(connection, alert_id, tell)
                detail = {"alert": alert_id} | changed({"state": "open"}, {"state": "resolved"})
                await note(connection, self._clock, "alert", f"resolved {alert_id}", actor=actor, detail=detail)
        found = await self.get(alert_id)
        if not ended:
            raise AlertOver(f"The alert {alert_id} was resolved already. It stays so; nothing was changed.")
        return found

    async def judge(self, alert_id: str, feedback: Feedback, *, actor: str) -> AlertRow:
        """Note what somebody thinks of an alert; a later word replaces an earlier one.

        Raises:
            AlertUnknown: there is none of this id.
        """
        before = await self.get(alert_id)
        detail = {"alert": alert_id} | changed({"feedback": before.feedback}, {"feedback": feedback})
        async with self._engine.begin() as connection:
            await connection.execute(update(alerts).where(alerts.c.id == alert_id).values(feedback=feedback))
            await note(connection, self._clock, "alert", f"called {alert_id} {feedback}", actor=actor, detail=detail)
        return await self.get(alert_id)

    async def get(self, alert_id: str) -> AlertRow:
        """Return one alert.

        Raises:
            AlertUnknown: there is none of this id.
        """
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(alerts).where(alerts.c.id == alert_id))).one_or_none()
        if row is None:
            raise AlertUnknown(
                f"There is no alert {alert_id[:50]!r}; nothing was changed. `watchkeeper alerts list` shows them."
            )
        return _read(row)

    async def list_alerts(
        self, *, only_open: bool = False, kind: AlertKind | None = None, limit: int = LISTED_MAX
    ) -> list[AlertRow]:
        """List alerts, the newest first, at most `LISTED_MAX`."""
        query = select(alerts).order_by(alerts.c.raised_at.desc(), alerts.c.id.desc()).limit(min(limit, LISTED_MAX))
        if only_open:
            query = query.where(alerts.c.resolved_at.is_(None))
        if kind is not None:
            query = query.where(alerts.c.kind == kind)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def marks(self, kind: AlertKind) -> dict[str, Mark]:
        """Return what a rule remembers, by key."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(alert_marks).where(alert_marks.c.kind == kind))).all()
        return {row.key: _mark(row) for row in rows}

    async def forget(self) -> None:
        """Drop what is older than it is kept, and the marks of windows that ended as long ago."""
        before = moments.now(self._clock) - KEPT_FOR
        async with self._engine.begin() as connection:
            await connection.execute(delete(alerts).where(alerts.c.resolved_at < before))
            await connection.execute(delete(alert_marks).where(alert_marks.c.window_end < before))

    async def _take_effect(
        self, connection: AsyncConnection, found: Findings, tell: Notifications, *, told: Notifications
    ) -> tuple[AlertRow, ...] | None:
        """Do all of it, or nothing and return None; `told` get what is raised, `tell` what is over."""
        if found.mark is not None and not await _remember(connection, found.mark):
            return None
        for over in found.over:
            await self.end_in(connection, over, tell)
        raised = [await self.raise_in(connection, draft, told) for draft in found.raised]
        return tuple(row for row in raised if row is not None)

    async def _close(self, connection: AsyncConnection, is_meant: Any, *, by: str, why: str) -> list[str]:
        ended = {"resolved_at": moments.now(self._clock), "resolved_by": by, "resolution": why, "open_key": None}
        closing = update(alerts).where(is_meant, alerts.c.resolved_at.is_(None)).values(**ended)
        return [row.id for row in (await connection.execute(closing.returning(alerts.c.id))).all()]

    async def _tell_of_resolution(self, connection: AsyncConnection, alert_id: str, tell: Notifications) -> None:
        """Whoever was not told of the alert is not told of its end either."""
        was_told = (outbox.c.alert_id == alert_id) & (outbox.c.event == "raised") & (outbox.c.state != "dead")
        told = {row.destination for row in (await connection.execute(select(outbox.c.destination).where(was_told)))}
        for name in sorted(told & tell.asking_for_resolutions()):
            await self._post(connection, alert_id, "resolved", name)

    async def _post(self, connection: AsyncConnection, alert_id: str, event: MessageEvent, destination: str) -> None:
        now = moments.now(self._clock)
        row = {
            "id": f"msg_{self._random_hex(16)}",
            "alert_id": alert_id,
            "event": event,
            "destination": destination,
            "state": "waiting",
            "attempts": 0,
            "created_at": now,
            "due_at": now,
            "claimed_by": "",
            "answer": "",
        }
        await connection.execute(insert(outbox).values(**row))


async def _remember(connection: AsyncConnection, mark: Mark) -> bool:
    """Write a mark if it is still the one that was read; tell whether it was."""
    mark_id = _digest(mark.kind, mark.key)
    kept = {
        "window_start": moments.stored(mark.window_start),
        "window_end": moments.stored(mark.window_end),
        "passed": sorted(mark.passed),
        "version": mark.version + 1,
    }
    if mark.version:
        is_same = (alert_marks.c.id == mark_id) & (alert_marks.c.version == mark.version)
        return bool((await connection.execute(update(alert_marks).where(is_same).values(**kept))).rowcount)
    first = insert_into(connection, alert_marks).values(id=mark_id, kind=mark.kind, key=mark.key, **kept)
    writing = first.on_conflict_do_nothing(index_elements=["id"]).returning(alert_marks.c.id)
    return (await connection.execute(writing)).one_or_none() is not None


def _digest(kind: str, key: str) -> str:
    return hashlib.sha256(f"{kind}\n{key}".encode()).hexdigest()


def _mark(row: Row[Any]) -> Mark:
    return Mark(
        kind=row.kind,
        key=row.key,
        window_start=moments.read(row.window_start),
        window_end=moments.read(row.window_end),
        passed=frozenset(row.passed),
        version=row.version,
    )


def _read(row: Row[Any]) -> AlertRow:
    found = {name: value for name, value in row._mapping.items() if name != "open_key"}
    return AlertRow(
        **found
        | {
            "raised_at": moments.read_known(row.raised_at),
            "resolved_at": moments.read(row.resolved_at),
            "feedback": row.feedback or None,
        }
    )
