"""The price book as the control database keeps it: what was believed of each price, from when until when.

A row is never changed but for the moment at which it ceased to be believed, so what was believed earlier can be asked
at any time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.core.errors import CallerError
from watchkeeper.money.book import PriceBook
from watchkeeper.money.diff import BookDiff, PriceChange
from watchkeeper.money.edition import Edition, Entry, ListFacts, Origin, Row
from watchkeeper.money.moments import moment_of
from watchkeeper.money.prices import Match
from watchkeeper.store import moments
from watchkeeper.store.changes import changed, note
from watchkeeper.store.tables import price_approvals, prices

ROWS_A_STATEMENT = 500
"""Written at a time."""
APPROVALS_LISTED_MAX = 100
NOTED_MAX = 50
"""Changes that are written out in the list of changes; the rows themselves hold all of them."""


class PricesMoved(CallerError):
    """Somebody else has changed the price book meanwhile."""

    code = "prices_moved"
    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRecord:
    """What was written down of one model's price."""

    entry: Entry
    origin: Origin
    recorded_at: datetime
    superseded_at: datetime | None
    """None while it is believed."""
    approved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One update of the book."""

    number: int
    at: datetime
    origin: Origin
    source: str
    approved_by: str
    added: int
    changed: int
    removed: int


_decode_rows = msgspec.json.Decoder(tuple[Row, ...]).decode
_decode_match = msgspec.json.Decoder(Match | None).decode
_decode_lists = msgspec.json.Decoder(dict[str, ListFacts]).decode


class Prices:
    """Keeps the price book, and asks what it said."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def revision(self) -> int:
        """Return the number of the latest approval; 0 where there is no book yet."""
        async with self._engine.connect() as connection:
            return await _revision(connection)

    async def seed(self, edition: Edition) -> None:
        """Take an edition as the beginning of the book, unless it has begun."""
        now = moments.now(self._clock)
        try:
            async with self._engine.begin() as connection:
                approval = _approval(1, now, "edition", edition.source, "watchkeeper")
                lists = msgspec.json.encode(edition.lists).decode()
                await connection.execute(
                    insert(price_approvals).values(**approval | {"lists": lists, "added": len(edition.entries)})
                )
                await _add(connection, edition.entries, "edition", now, "watchkeeper")
        except IntegrityError:  # it has begun
            return

    async def book(self, as_of: datetime | None = None) -> PriceBook:
        """Return what is believed now, or what was believed at an earlier time; an empty book before there was any."""
        records = await self.records(as_of=as_of)
        approvals = select(price_approvals.c.id, price_approvals.c.origin, price_approvals.c.lists)
        if as_of is not None:
            approvals = approvals.where(price_approvals.c.at <= moments.stored(as_of))
        async with self._engine.connect() as connection:
            done = (await connection.execute(approvals.order_by(price_approvals.c.id))).all()
        lists = next((_decode_lists(row.lists) for row in reversed(done) if row.origin == "edition"), {})
        return PriceBook(
            lists,
            [record.entry for record in records if record.origin == "edition"],
            [record.entry for record in records if record.origin == "file"],
            revision=done[-1].id if done else 0,
        )

    async def records(
        self, *, as_of: datetime | None = None, lists: Iterable[str] | None = None, origin: Origin | None = None
    ) -> list[PriceRecord]:
        """List what is believed now, or was believed at an earlier time, in the order of list, place and model."""
        query = _believed(as_of)
        if lists is not None:
            query = query.where(prices.c.list.in_(list(lists)))
        if origin is not None:
            query = query.where(prices.c.origin == origin)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.order_by(prices.c.list, prices.c.place, prices.c.model))).all()
        return [_record(row) for row in rows]

    async def behind(self, price_source: str, as_of: datetime) -> PriceRecord | None:
        """Return the row that a bill names as its source, as it was believed at a time; None for what is not stored.

        Args:
            price_source: As in `money.prices.Rates.source`, a contract behind it or not.
            as_of: When the call was priced.
        """
        source, _, rest = price_source.partition(": ")
        price_list, _, model = rest.partition("/")
        records = await self.records(as_of=as_of, lists=[price_list])
        found = [record for record in records if record.entry.source == source and _is_named(record.entry.model, model)]
        return max(found, key=lambda record: len(record.entry.model), default=None)

    async def approvals(self) -> list[Approval]:
        """List the updates of the book, the newest first."""
        newest = select(price_approvals).order_by(price_approvals.c.id.desc()).limit(APPROVALS_LISTED_MAX)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(newest)).all()
        return [
            Approval(
                number=row.id,
                at=moments.read_known(row.at),
                origin=row.origin,
                source=row.source,
                approved_by=row.approved_by,
                added=row.added,
                changed=row.changed,
                removed=row.removed,
            )
            for row in rows
        ]

    async def apply(
        self, diff: BookDiff, origin: Origin, *, revision: int, lists: dict[str, ListFacts] | None, actor: str
    ) -> int:
        """Believe what a diff says from now on; return the number of the approval.

        Args:
            diff: Made against the book of `revision`.
            origin: Whether it comes from an edition or from an operator's file.
            revision: Of the book that was looked at.
            lists: Of the edition; None for a file, which leaves them as they are.
            actor: Who approves.

        Raises:
            PricesMoved: the book has another revision by now; nothing was changed.
        """
        now = moments.now(self._clock)
        counts = {"added": diff.count("added"), "changed": diff.count("changed"), "removed": diff.count("removed")}
        try:
            async with self._engine.begin() as connection:
                approval = _approval(revision + 1, now, origin, diff.source, actor) | counts
                if lists is not None:
                    approval["lists"] = msgspec.json.encode(lists).decode()
                await connection.execute(insert(price_approvals).values(**approval))
                await _supersede(connection, [change.old for change in diff.changes if change.old], origin, now)
                await _add(connection, [change.new for change in diff.changes if change.new], origin, now, actor)
                said = ", ".join(f"{number} {kind}" for kind, number in counts.items())
                detail = {"revision": revision + 1, "changes": [_noted(change) for change in diff.changes[:NOTED_MAX]]}
                await note(connection, self._clock, "prices", f"{diff.source}: {said}", actor=actor, detail=detail)
        except IntegrityError:  # there is an approval of this number already
            raise PricesMoved(
                "Somebody else has changed the price book meanwhile; nothing was changed by this. "
                "Look again with `watchkeeper prices diff`."
            ) from None
        return revision + 1


def _is_named(model: str, text: str) -> bool:
    return text == model or text.startswith(f"{model}, ")


async def _revision(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.max(price_approvals.c.id)))).scalar_one() or 0


def _believed(as_of: datetime | None) -> Select[Any]:
    if as_of is None:
        return select(prices).where(prices.c.superseded_at.is_(None))
    moment = moments.stored(as_of)
    is_over = prices.c.superseded_at.is_not(None) & (prices.c.superseded_at <= moment)
    return select(prices).where(prices.c.recorded_at <= moment, ~is_over)


async def _supersede(connection: AsyncConnection, entries: list[Entry], origin: Origin, now: datetime) -> None:
    for entry in entries:
        is_meant = (prices.c.list == entry.list) & (prices.c.model == entry.model) & (prices.c.origin == origin)
        await connection.execute(
            update(prices).where(is_meant, prices.c.superseded_at.is_(None)).values(superseded_at=now)
        )


async def _add(
    connection: AsyncConnection, entries: Iterable[Entry], origin: Origin, now: datetime, actor: str
) -> None:
    rows = [_stored(entry) | {"origin": origin, "recorded_at": now, "approved_by": actor} for entry in entries]
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        await connection.execute(insert(prices), rows[start : start + ROWS_A_STATEMENT])


def _approval(number: int, now: datetime, origin: Origin, source: str, actor: str) -> dict[str, Any]:
    nothing = {"added": 0, "changed": 0, "removed": 0}
    return {"id": number, "at": now, "origin": origin, "source": source, "approved_by": actor, "lists": "{}"} | nothing


def _stored(entry: Entry) -> dict[str, Any]:
    """Write an entry; its columns of validity span all of its rows, for questions in SQL."""
    starts = [row.valid_from_ns for row in entry.rows]
    ends = [row.valid_to_ns for row in entry.rows]
    return {
        "list": entry.list,
        "model": entry.model,
        "place": entry.place,
        "match": msgspec.json.encode(entry.match).decode(),
        "rates": msgspec.json.encode(entry.rows).decode(),
        "valid_from": _moment(min((start for start in starts if start is not None), default=None), starts),
        "valid_to": _moment(max((end for end in ends if end is not None), default=None), ends),
        "superseded_at": None,
        "source": entry.source,
    }


def _moment(bound: int | None, bounds: list[int | None]) -> datetime | None:
    return None if bound is None or None in bounds else moments.stored(moment_of(bound))


def _record(row: Any) -> PriceRecord:
    return PriceRecord(
        entry=Entry(row.list, row.model, _decode_match(row.match), _decode_rows(row.rates), row.source, row.place),
        origin=row.origin,
        recorded_at=moments.read_known(row.recorded_at),
        superseded_at=moments.read(row.superseded_at),
        approved_by=row.approved_by,
    )


def _noted(change: PriceChange) -> dict[str, Any]:
    entry = change.entry
    said = {"kind": change.kind, "list": entry.list, "model": entry.model, "words": list(change.words)}
    return said | changed(_rows(change.old), _rows(change.new))


def _rows(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else {"source": entry.source, "rows": msgspec.to_builtins(entry.rows)}
