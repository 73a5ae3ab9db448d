"""The outbox: messages about alerts, each for one destination, until they are delivered or given up.

A message is claimed for a while before it is sent. Whoever sends it and ends before it says so lets the claim run out,
and the message is sent again under the same id: at least once, and a receiver that knows the id takes it once.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from watchkeeper.core.alert import MessageEvent
from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.store import moments
from watchkeeper.store.conflicts import insert_into
from watchkeeper.store.tables import destinations_off, outbox

CLAIM_S = 90
"""How long a message is kept from other keepers while it is being sent; sending takes less."""
LISTED_MAX = 500
KEPT_FOR = timedelta(days=30)
"""How long a message is kept after it was delivered or given up."""
ANSWER_MAX = 500


MessageState = Literal["waiting", "delivered", "dead"]
"""dead: given up, and sent no more unless somebody says so."""


class MessageUnknown(CallerError):
    """There is no message with this id in the outbox."""

    code = "message_not_found"
    http_status = 404


class MessageNotDead(CallerError):
    """The message was delivered, or it is still being tried."""

    code = "message_not_dead"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message about an alert, for one destination."""

    id: str
    """Goes with every attempt, unchanged."""
    alert_id: str
    event: MessageEvent
    destination: str
    state: MessageState
    attempts: int
    """Begun so far."""
    created_at: datetime
    due_at: datetime
    """When it is tried, if it waits."""
    delivered_at: datetime | None
    answer: str
    """What came back at the last attempt; empty before the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationOff:
    """A destination that has asked to be sent nothing any more."""

    name: str
    at: datetime
    answer: str


class Outbox:
    """Hands out what is due, and notes what became of it."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def claim(self, claimant: str, *, limit: int = 20) -> list[MessageRow]:
        """Take messages that are due, and count the attempt; for `CLAIM_S` nobody else is given them."""
        now = moments.now(self._clock)
        is_due = (outbox.c.state == "waiting") & (outbox.c.due_at <= now)
        is_free = or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now)
        due = (
            select(outbox.c.id)
            .where(is_due, is_free)
            .order_by(outbox.c.due_at, outbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claiming = (
            update(outbox)
            .where(outbox.c.id.in_(due.scalar_subquery()))
            .values(
                claimed_by=claimant,
                claimed_until=now + timedelta(seconds=CLAIM_S),
                attempts=outbox.c.attempts + 1,
            )
            .returning(outbox)
        )
        async with self._engine.begin() as connection:
            rows = (await connection.execute(claiming)).all()
        return sorted((_read(row) for row in rows), key=lambda row: (row.due_at, row.id))

    async def delivered(self, message_id: str, answer: str) -> None:
        """Note that a message arrived, whoever holds the claim by now."""
        now = moments.now(self._clock)
        await self._set(outbox.c.id == message_id, state="delivered", delivered_at=now, answer=answer)

    async def failed(self, message_id: str, claimant: str, answer: str, *, again_in_s: float | None) -> None:
        """Note that an attempt failed.

        Args:
            message_id: Of the message.
            claimant: Who tried; if another keeper holds the claim by now, nothing is noted.
            answer: What came back.
            again_in_s: When it is tried again; None gives it up.
        """
        is_mine = (outbox.c.id == message_id) & (outbox.c.claimed_by == claimant) & (outbox.c.state == "waiting")
        if again_in_s is None:
            await self._set(is_mine, state="dead", answer=answer)
        else:
            due = moments.now(self._clock) + timedelta(seconds=again_in_s)
            await self._set(is_mine, due_at=due, answer=answer)

    async def retry(self, message_id: str) -> MessageRow:
        """Let a message that was given up be tried again from the start, at once.

        Raises:
            MessageUnknown: there is none of this id.
            MessageNotDead: it was not given up.
        """
        is_dead = (outbox.c.id == message_id) & (outbox.c.state == "dead")
        revived = await self._set(is_dead, state="waiting", attempts=0, due_at=moments.now(self._clock))
        found = await self.get(message_id)
        if not revived:
            raise MessageNotDead(
                f"The message {message_id} is {found.state}, so there is nothing to try again; nothing was changed."
            )
        return found

    async def get(self, message_id: str) -> MessageRow:
        """Return one message.

        Raises:
            MessageUnknown: there is none of this id.
        """
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(outbox).where(outbox.c.id == message_id))).one_or_none()
        if row is None:
            raise MessageUnknown(
                f"There is no message {message_id[:50]!r} in the outbox; nothing was changed. "
                "`watchkeeper alerts outbox` shows them."
            )
        return _read(row)

    async def list_messages(
        self, *, only_dead: bool = False, alert_id: str = "", limit: int = LISTED_MAX
    ) -> list[MessageRow]:
        """List messages, the newest first, at most `LISTED_MAX`."""
        query = select(outbox).order_by(outbox.c.created_at.desc(), outbox.c.id).limit(min(limit, LISTED_MAX))
        if only_dead:
            query = query.where(outbox.c.state == "dead")
        if alert_id:
            query = query.where(outbox.c.alert_id == alert_id)
        async with self._engine.connect() as connection:
            return [_read(row) for row in (await connection.execute(query)).all()]

    async def switch_off(self, name: str, address: str, answer: str) -> None:
        """Note that a destination wants nothing more at this address; at another it is served again."""
        row = {"address": _digest(address), "at": moments.now(self._clock), "answer": answer[:ANSWER_MAX]}
        async with self._engine.begin() as connection:
            noting = insert_into(connection, destinations_off).values(name=name, **row)
            await connection.execute(noting.on_conflict_do_update(index_elements=["name"], set_=row))

    async def switch_on(self, name: str) -> None:
        """Serve a destination again."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(destinations_off).where(destinations_off.c.name == name))

    async def off(self, name: str, address: str) -> DestinationOff | None:
        """Tell whether a destination is switched off at this address, and why; None when it is not."""
        is_meant = (destinations_off.c.name == name) & (destinations_off.c.address == _digest(address))
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(destinations_off).where(is_meant))).one_or_none()
        return DestinationOff(name=row.name, at=moments.read_known(row.at), answer=row.answer) if row else None

    async def forget(self) -> None:
        """Drop messages that are no longer tried and older than they are kept."""
        before = moments.now(self._clock) - KEPT_FOR
        is_old = (outbox.c.state != "waiting") & (outbox.c.created_at < before)
        async with self._engine.begin() as connection:
            await connection.execute(delete(outbox).where(is_old))

    async def _set(self, is_meant: Any, **values: Any) -> bool:
        """Change messages, which ends their claim; tell whether there was one."""
        freed = {"claimed_until": None, "claimed_by": ""}
        if "answer" in values:
            values["answer"] = str(values["answer"])[:ANSWER_MAX]
        async with self._engine.begin() as connection:
            done = await connection.execute(update(outbox).where(is_meant).values(**values | freed))
        return bool(done.rowcount)


def _digest(address: str) -> str:
    """An address carries credentials, which do not belong in a table."""
    return hashlib.sha256(address.encode()).hexdigest()


def _read(row: Row[Any]) -> MessageRow:
    return MessageRow(
        id=row.id,
        alert_id=row.alert_id,
        event=row.event,
        destination=row.destination,
        state=row.state,
        attempts=row.attempts,
        created_at=moments.read_known(row.created_at),
        due_at=moments.read_known(row.due_at),
        delivered_at=moments.read(row.delivered_at),
        answer=row.answer,
    )
