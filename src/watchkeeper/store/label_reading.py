"""How rows of the tables about labels are read: queues with how far they are, items as people see them, words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from watchkeeper.evals.labelling import Shown
from watchkeeper.store import moments
from watchkeeper.store.eval_tables import label_items, label_queues, labels
from watchkeeper.store.label_rows import ItemRow, ItemShown, LabelRow, QueueRow, QueueUnknown

_QUEUE_FIELDS = (
    "id", "feature", "title", "run", "scorer", "rubric", "scale", "population", "is_open", "created_by",
)  # fmt: skip
_ITEM_FIELDS = (
    "id", "queue", "number", "arm", "repeat", "call", "mark", "has_passed", "is_torn", "judge", "stratum",
    "probability", "wanted", "gold", "state", "value",
)  # fmt: skip


def has_spoken(by: str) -> ColumnElement[bool]:
    """Hold for items about which somebody has said something that is not taken back."""
    return exists(
        select(labels.c.id).where(labels.c.item == label_items.c.id, labels.c.by == by, *counts_still())
    ).correlate(label_items)


def counts_still() -> tuple[ColumnElement[bool], ...]:
    """A word that is no `undo`, and that none has taken back."""
    undo = labels.alias("undo")
    return labels.c.said != "undo", ~exists(select(undo.c.id).where(undo.c.undoes == labels.c.id)).correlate(labels)


async def known_queue(connection: AsyncConnection, queue: int) -> QueueRow:
    """Return a queue in a transaction that does more. Raises QueueUnknown."""
    row = (await connection.execute(select(label_queues).where(label_queues.c.id == queue))).one_or_none()
    if row is None:
        raise QueueUnknown(f"There is no label queue {queue}. `watchkeeper labels list` lists them.")
    return read_queue(row, (await counts_of(connection, [queue]))[queue])


async def counts_of(connection: AsyncConnection, queues: Sequence[int]) -> dict[int, dict[str, int]]:
    """Count the items of queues as `QueueRow` has them."""
    is_gold = label_items.c.gold.is_not(None)
    query = (
        select(label_items.c.queue, is_gold.label("is_gold"), label_items.c.state, func.count().label("times"))
        .where(label_items.c.queue.in_(queues))
        .group_by(label_items.c.queue, is_gold, label_items.c.state)
    )
    found: dict[int, dict[str, int]] = defaultdict(lambda: {"items": 0, "settled": 0, "disputed": 0, "gold": 0})
    for row in (await connection.execute(query)).all():
        counts = found[row.queue]
        if row.is_gold:
            counts["gold"] += row.times
            continue
        counts["items"] += row.times
        if row.state in counts:
            counts[row.state] += row.times
    return found


def read_queue(row: Row[Any], counts: Mapping[str, Any]) -> QueueRow:
    """Read a queue; `counts` as `counts_of` gives them."""
    return QueueRow(
        **{name: getattr(row, name) for name in _QUEUE_FIELDS},
        reasons=tuple(row.reasons),
        created_at=moments.read_known(row.created_at),
        **counts,
    )


def read_shown(row: Row[Any]) -> ItemShown:
    """Read an item as a person gets it; it must be leased."""
    return ItemShown(
        id=row.id,
        number=row.number,
        shown=None if row.shown is None else msgspec.convert(row.shown, Shown),
        call=row.call,
        leased_until=moments.read_known(row.leased_until),
    )


def read_item(row: Row[Any], said: Sequence[LabelRow]) -> ItemRow:
    """Read an item with what counts still of what was said of it."""
    return ItemRow(
        **{name: getattr(row, name) for name in _ITEM_FIELDS},
        case=row.case_id,
        shown=None if row.shown is None else msgspec.convert(row.shown, Shown),
        labels=tuple(said),
    )


def read_label(row: Row[Any]) -> LabelRow:
    """Read what somebody said."""
    return LabelRow(
        id=row.id,
        item=row.item,
        by=row.by,
        at=moments.read_known(row.at),
        said=row.said,
        value=row.value,
        reason=row.reason,
        comment=row.comment,
    )
