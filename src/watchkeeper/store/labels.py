"""Labels: queues of answers, each shown to one person at a time, and every word that was said, none ever changed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, and_, case, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from watchkeeper.core.clock import Clock
from watchkeeper.evals.decision import Label
from watchkeeper.evals.labelling import SCALES, Word, standing
from watchkeeper.store import moments
from watchkeeper.store.changes import note
from watchkeeper.store.eval_tables import label_items, label_queues, labels
from watchkeeper.store.label_reading import (
    counts_of,
    counts_still,
    has_spoken,
    known_queue,
    read_item,
    read_label,
    read_queue,
    read_shown,
)
from watchkeeper.store.label_rows import (
    ItemRow,
    ItemShown,
    LabelDraft,
    LabelRefused,
    LabelRow,
    QueueClosed,
    QueueDraft,
    QueueExists,
    QueueRow,
    QueueUnknown,
)

LEASE = timedelta(minutes=10)
"""So long an item that somebody was shown is shown to nobody else."""
LISTED_MAX = 500
ITEMS_MAX = 5_000
"""Of one queue."""


class Labels:
    """Keeps queues, hands out what is to be labelled, and keeps what is said."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._changing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._clock = clock

    async def create(self, draft: QueueDraft) -> QueueRow:
        """Make a queue.

        Raises:
            QueueExists: there is one of this run and scorer.
            LabelRefused: it would hold nothing, or more than `ITEMS_MAX`.
        """
        if not 0 < len(draft.items) <= ITEMS_MAX:
            raise LabelRefused(f"A queue holds 1 to {ITEMS_MAX:,} answers, not {len(draft.items):,}; none was made.")
        async with self._changing.begin() as connection:
            await _require_first_draw(connection, draft)
            values = {
                "feature": draft.feature, "title": draft.title, "run": draft.run, "scorer": draft.scorer,
                "rubric": draft.rubric, "scale": draft.scale, "reasons": list(draft.reasons),
                "population": draft.population, "is_open": True, "created_at": moments.now(self._clock),
                "created_by": draft.by,
            }  # fmt: skip
            made = insert(label_queues).values(**values).returning(label_queues.c.id)
            queue = int((await connection.execute(made)).scalar_one())
            await connection.execute(insert(label_items), _stored_items(queue, draft))
            what = f"made the label queue {queue} of {len(draft.items)} answers: {draft.title}"
            detail = {"queue": queue, "run": draft.run, "scorer": draft.scorer, "population": draft.population}
            await note(connection, self._clock, "label", what, actor=draft.by, detail=detail, feature=draft.feature)
            return await known_queue(connection, queue)

    async def queue(self, queue: int) -> QueueRow:
        """Return a queue. Raises QueueUnknown."""
        async with self._engine.connect() as connection:
            return await known_queue(connection, queue)

    async def queues(
        self, *, feature: str = "", run: str = "", features: Iterable[str] | None = None
    ) -> list[QueueRow]:
        """List queues, the latest first; only of some features, where they are given."""
        terms: list[ColumnElement[bool]] = []
        if features is not None:
            terms.append(label_queues.c.feature.in_(list(features)))
        if feature:
            terms.append(label_queues.c.feature == feature)
        if run:
            terms.append(label_queues.c.run == run)
        query = select(label_queues).where(*terms).order_by(label_queues.c.id.desc()).limit(LISTED_MAX)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
            counts = await counts_of(connection, [row.id for row in rows])
        return [read_queue(row, counts[row.id]) for row in rows]

    async def close(self, queue: int, *, by: str) -> QueueRow:
        """Let nothing more be said in a queue; what was said stands. Raises QueueUnknown."""
        async with self._changing.begin() as connection:
            held = await known_queue(connection, queue)
            if held.is_open:
                await connection.execute(update(label_queues).where(label_queues.c.id == queue).values(is_open=False))
                what = f"closed the label queue {queue}: {held.title}"
                detail = {"queue": queue, "settled": held.settled, "items": held.items}
                await note(connection, self._clock, "label", what, actor=by, detail=detail, feature=held.feature)
            return await known_queue(connection, queue)

    async def next(self, queue: int, *, by: str) -> ItemShown | None:
        """Lease somebody what they are to look at: what they hold already, else what others do not agree on, else the
        first that nobody else has been shown. None where nothing is left for them.

        Raises:
            QueueUnknown: there is none.
            QueueClosed: it is closed.
        """
        now = moments.now(self._clock)
        is_mine = and_(label_items.c.leased_by == by, label_items.c.leased_until > now)
        is_free = or_(label_items.c.leased_until.is_(None), label_items.c.leased_until <= now, is_mine)
        is_left = or_(label_items.c.state != "settled", label_items.c.gold.is_not(None))
        order = case((is_mine, 0), (label_items.c.state == "disputed", 1), else_=2)
        candidate = (
            select(label_items.c.id)
            .where(label_items.c.queue == queue, is_free, is_left, ~has_spoken(by))
            .order_by(order, label_items.c.number)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._changing.begin() as connection:
            _require_open(await known_queue(connection, queue))
            await _give_back(connection, queue, by)
            leasing = (
                update(label_items)
                .where(label_items.c.id == candidate.scalar_subquery())
                .values(leased_by=by, leased_until=now + LEASE)
                .returning(label_items)
            )
            row = (await connection.execute(leasing)).one_or_none()
        return None if row is None else read_shown(row)

    async def shown(self, queue: int, item: int, *, by: str) -> ItemShown:
        """Return an item that somebody has been shown and may still label.

        Raises:
            QueueUnknown: there is no such item, or somebody else is looking at it.
        """
        query = select(label_items).where(label_items.c.id == item, label_items.c.queue == queue)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None or row.leased_by != by or row.leased_until is None:
            raise QueueUnknown(f"The item {item} of queue {queue} is not yours to label; ask for the next one.")
        return read_shown(row)

    async def label(self, queue: int, draft: LabelDraft) -> QueueRow:
        """Keep what somebody says of an item, which then is no longer theirs.

        Raises:
            QueueUnknown: there is no such queue or item.
            QueueClosed: the queue is closed.
            LabelRefused: the value is not on its scale, or they have spoken about this one already.
        """
        async with self._changing.begin() as connection:
            held = await known_queue(connection, queue)
            _require_open(held)
            row = await _locked(connection, queue, draft.item)
            _require_on_scale(held, draft)
            spoken = select(label_items.c.id).where(label_items.c.id == draft.item, has_spoken(draft.by))
            if (await connection.execute(spoken)).one_or_none() is not None:
                raise LabelRefused("You have labelled this one already; nothing was kept. Undo takes a label back.")
            await self._say(connection, queue, draft)
            await _settle(connection, row, lease="" if row.leased_by == draft.by else None)
            return await known_queue(connection, queue)

    async def undo(self, queue: int, *, by: str) -> ItemShown:
        """Take back what somebody said last in a queue, and lease them its item again.

        Raises:
            QueueUnknown: there is no such queue.
            QueueClosed: it is closed.
            LabelRefused: they have said nothing in it that is not taken back.
        """
        async with self._changing.begin() as connection:
            _require_open(await known_queue(connection, queue))
            last = (
                select(labels)
                .where(labels.c.queue == queue, labels.c.by == by, *counts_still())
                .order_by(labels.c.id.desc())
                .limit(1)
            )
            taken = (await connection.execute(last)).one_or_none()
            if taken is None:
                raise LabelRefused("There is nothing of yours in this queue to take back; nothing was changed.")
            row = await _locked(connection, queue, taken.item)
            await self._say(connection, queue, LabelDraft(item=taken.item, said="undo", by=by), undoes=taken.id)
            await _give_back(connection, queue, by)
            await _settle(connection, row, lease=by, until=moments.now(self._clock) + LEASE)
            found = select(label_items).where(label_items.c.id == taken.item)
            return read_shown((await connection.execute(found)).one())

    async def items(self, queue: int) -> list[ItemRow]:
        """List the items of a queue with what was said of them, by number."""
        return await self._items(label_items.c.queue == queue)

    async def judged(self, judge: str, *, scorer: str = "", feature: str = "") -> list[ItemRow]:
        """List the settled items whose answers a judge's release has marked, but for gold ones."""
        terms = [label_items.c.judge == judge, label_items.c.state == "settled", label_items.c.gold.is_(None)]
        if scorer or feature:
            of = select(label_queues.c.id).where(label_queues.c.scorer == scorer, label_queues.c.feature == feature)
            terms.append(label_items.c.queue.in_(of))
        return await self._items(and_(*terms))

    async def values_of_calls(self, calls: Sequence[str]) -> dict[str, float]:
        """Return what people came to of some calls; of several queues, the latest."""
        query = (
            select(label_items.c.call, label_items.c.value)
            .where(label_items.c.call.in_(calls), label_items.c.call != "", label_items.c.value.is_not(None))
            .order_by(label_items.c.id)
        )
        async with self._engine.connect() as connection:
            return {row.call: row.value for row in (await connection.execute(query)).all()}

    async def judges(self, *, features: Iterable[str] | None = None) -> list[tuple[str, str, str]]:
        """List the releases of judges of which answers were drawn, with feature and scorer."""
        query = (
            select(label_items.c.judge, label_queues.c.feature, label_queues.c.scorer)
            .join(label_queues, label_queues.c.id == label_items.c.queue)
            .where(label_items.c.judge != "")
            .distinct()
            .order_by(label_queues.c.feature, label_queues.c.scorer, label_items.c.judge)
            .limit(LISTED_MAX)
        )
        if features is not None:
            query = query.where(label_queues.c.feature.in_(list(features)))
        async with self._engine.connect() as connection:
            return [(row.judge, row.feature, row.scorer) for row in (await connection.execute(query)).all()]

    async def labels_for(self, run: str) -> list[Label]:
        """Return what people said of a run's answers, for the correction of its judges.

        Gold items are left out, and so are answers of which nobody could say. The probability is that of having been
        drawn, times the share of the drawn that were labelled: items are shown in the order of a lottery, so that those
        that were reached are as if drawn from them.
        """
        found: list[Label] = []
        for queue in await self.queues(run=run):
            drawn = [item for item in await self.items(queue.id) if item.gold is None]
            said = [item for item in drawn if item.state == "settled" and item.value is not None]
            found += [
                Label(
                    arm=item.arm,
                    case=item.case,
                    repeat=item.repeat,
                    scorer=queue.scorer,
                    value=item.value,
                    probability=item.probability * len(said) / len(drawn),
                    by=", ".join(dict.fromkeys(one.by for one in item.labels)),
                )
                for item in said
                if item.value is not None
            ]
        return found

    async def _items(self, condition: ColumnElement[bool]) -> list[ItemRow]:
        query = select(label_items).where(condition).order_by(label_items.c.queue, label_items.c.number)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
            said = select(labels).where(labels.c.item.in_(select(label_items.c.id).where(condition)), *counts_still())
            by_item: dict[int, list[LabelRow]] = defaultdict(list)
            for row in (await connection.execute(said.order_by(labels.c.id))).all():
                by_item[row.item].append(read_label(row))
        return [read_item(row, by_item[row.id]) for row in rows]

    async def _say(
        self, connection: AsyncConnection, queue: int, draft: LabelDraft, *, undoes: int | None = None
    ) -> None:
        values = {
            "queue": queue, "item": draft.item, "by": draft.by, "at": moments.now(self._clock), "said": draft.said,
            "value": draft.value, "reason": draft.reason, "comment": draft.comment, "undoes": undoes,
        }  # fmt: skip
        await connection.execute(insert(labels).values(**values))


def _stored_items(queue: int, draft: QueueDraft) -> list[dict[str, Any]]:
    return [
        {
            "queue": queue, "number": number, "arm": item.answered.arm, "case_id": item.answered.case,
            "repeat": item.answered.repeat, "call": item.answered.call,
            "shown": None if item.answered.shown is None else msgspec.to_builtins(item.answered.shown),
            "mark": item.answered.mark, "has_passed": item.answered.has_passed,
            "is_torn": item.answered.is_torn, "judge": item.answered.judge,
            "stratum": item.answered.stratum, "probability": item.probability, "wanted": item.wanted,
            "gold": item.gold, "state": "open", "value": None, "leased_by": "", "leased_until": None,
        }
        for number, item in enumerate(draft.items, 1)
    ]  # fmt: skip


async def _require_first_draw(connection: AsyncConnection, draft: QueueDraft) -> None:
    if not draft.run:
        return
    known = select(label_queues.c.id).where(label_queues.c.run == draft.run, label_queues.c.scorer == draft.scorer)
    held = (await connection.execute(known.limit(1))).scalar_one_or_none()
    if held is not None:
        raise QueueExists(
            f"The queue {held} has answers of the run {draft.run} for this scorer already; none was made, because an "
            "answer that is drawn twice counts twice. Go on with that queue, or label another run."
        )


async def _locked(connection: AsyncConnection, queue: int, item: int) -> Row[Any]:
    query = select(label_items).where(label_items.c.id == item, label_items.c.queue == queue).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise QueueUnknown(f"There is no item {item} in the label queue {queue}; nothing was kept.")
    return row


async def _give_back(connection: AsyncConnection, queue: int, by: str) -> None:
    """Let somebody hold nothing any more whose time is up or that they have spoken about."""
    held = (label_items.c.queue == queue, label_items.c.leased_by == by, has_spoken(by))
    await connection.execute(update(label_items).where(*held).values(leased_by="", leased_until=None))


async def _settle(connection: AsyncConnection, row: Row[Any], *, lease: str | None, until: Any = None) -> None:
    """Write down what the words about an item come to, and who holds it; None leaves that as it is."""
    said = select(labels).where(labels.c.item == row.id).order_by(labels.c.id)
    words = [Word(one.by, one.said, one.value) for one in (await connection.execute(said)).all()]
    found = standing(words, row.wanted)
    values: dict[str, Any] = {"state": found.state, "value": found.value}
    if lease is not None:
        values |= {"leased_by": lease, "leased_until": until}
    await connection.execute(update(label_items).where(label_items.c.id == row.id).values(**values))


def _require_open(queue: QueueRow) -> None:
    if not queue.is_open:
        raise QueueClosed(f"The label queue {queue.id} is closed; nothing was kept. What was said in it stands.")


def _require_on_scale(queue: QueueRow, draft: LabelDraft) -> None:
    choices = SCALES[queue.scale]
    if draft.said == "label" and draft.value not in {choice.value for choice in choices}:
        offered = ", ".join(f"{choice.title} ({choice.value:g})" for choice in choices)
        raise LabelRefused(f"{draft.value} is not on the scale of the queue {queue.id}, {offered}; nothing was kept.")
    if draft.said not in ("label", "skip", "cannot_say"):
        raise LabelRefused(f"{draft.said!r} is nothing that can be said of an item; nothing was kept.")
