"""A queue shows each item to one person at a time, keeps every word, and comes to values that can be trusted."""

import asyncio

import pytest

from watchkeeper.evals.labelling import Answered, Shown
from watchkeeper.store.control import ControlStore
from watchkeeper.store.label_rows import (
    ItemDraft,
    LabelDraft,
    LabelRefused,
    QueueClosed,
    QueueDraft,
    QueueExists,
    QueueRow,
    QueueUnknown,
)
from watchkeeper.store.labels import LEASE
from watchkeeper.testing import FakeClock


def answered(number: int, **more: object) -> Answered:
    shown = Shown(question=f"Question {number}?", answer=f"Answer {number}.")
    fields = {"arm": "candidate", "case": f"case-{number}", "shown": shown, "mark": 0.9, "has_passed": True}
    return Answered(**(fields | {"judge": "wkr1-judge"} | more))  # type: ignore[arg-type]


def drafts(count: int, *, wanted: int = 1) -> list[ItemDraft]:
    return [ItemDraft(answered=answered(number), probability=0.5, wanted=wanted) for number in range(count)]


async def a_queue(store: ControlStore, items: list[ItemDraft], run: str = "run-1") -> QueueRow:
    draft = QueueDraft(
        feature="support", title="Tone", items=items, population=2 * len(items), by="lead", run=run, scorer="tone"
    )
    return await store.labels.create(draft)


async def say(store: ControlStore, queue: int, by: str, value: float | None = 1.0, said: str = "label") -> int:
    """Take the next item and speak about it."""
    item = await store.labels.next(queue, by=by)
    assert item is not None
    await store.labels.label(queue, LabelDraft(item=item.id, said=said, by=by, value=value))  # type: ignore[arg-type]
    return item.number


async def test_many_people_at_once_never_get_the_same_item(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(12))).id
    found = await asyncio.gather(*(store.labels.next(queue, by=f"person-{n}") for n in range(12)))
    assert sorted(item.number for item in found if item is not None) == list(range(1, 13))
    assert await store.labels.next(queue, by="late") is None


async def test_who_asks_again_gets_what_they_hold_and_who_takes_too_long_loses_it(
    store: ControlStore, clock: FakeClock
) -> None:
    queue = (await a_queue(store, drafts(2))).id
    first, again = await store.labels.next(queue, by="ana"), await store.labels.next(queue, by="ana")
    assert first is not None and again is not None and first.id == again.id
    other = await store.labels.next(queue, by="ben")
    assert other is not None and other.id != first.id
    assert await store.labels.next(queue, by="cleo") is None
    clock.advance(LEASE.total_seconds() + 1)
    taken = await store.labels.next(queue, by="cleo")
    assert taken is not None and taken.id == first.id
    with pytest.raises(QueueUnknown):
        await store.labels.shown(queue, first.id, by="ana")


async def test_a_person_sees_neither_arm_nor_mark_nor_what_others_said(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(1, wanted=2))).id
    await say(store, queue, "ana", 0.0)
    item = await store.labels.next(queue, by="ben")
    assert item is not None
    assert set(type(item).__slots__) == {"id", "number", "shown", "call", "leased_until"}
    assert set(Shown.__struct_fields__) == {"question", "answer", "reference", "contexts"}


async def test_two_who_disagree_are_decided_between_by_a_third(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(3, wanted=2))).id
    assert await say(store, queue, "ana", 1.0) == 1
    assert await say(store, queue, "ben", 0.0) == 1
    assert (await store.labels.queue(queue)).disputed == 1
    assert await store.labels.next(queue, by="dan") is not None
    assert await say(store, queue, "dan", 0.0) == 1
    [item, *_] = await store.labels.items(queue)
    assert (item.state, item.value, [one.by for one in item.labels]) == ("settled", 0.0, ["ana", "ben", "dan"])
    assert (await store.labels.queue(queue)).settled == 1


async def test_skipping_leaves_the_item_to_others_and_cannot_say_is_an_answer(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(1))).id
    await say(store, queue, "ana", None, "skip")
    assert await store.labels.next(queue, by="ana") is None
    await say(store, queue, "ben", None, "cannot_say")
    [item] = await store.labels.items(queue)
    assert (item.state, item.value) == ("settled", None)


async def test_undo_takes_back_the_last_word_and_nothing_is_ever_deleted(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(2))).id
    await say(store, queue, "ana", 1.0)
    await say(store, queue, "ana", 1.0)
    taken = await store.labels.undo(queue, by="ana")
    assert taken.number == 2
    assert (await store.labels.queue(queue)).settled == 1
    again = await store.labels.next(queue, by="ana")
    assert again is not None and again.id == taken.id
    await store.labels.label(queue, LabelDraft(item=taken.id, said="label", by="ana", value=0.0))
    assert [item.value for item in await store.labels.items(queue)] == [1.0, 0.0]
    assert (await store.labels.undo(queue, by="ana")).number == 2
    assert (await store.labels.undo(queue, by="ana")).number == 1
    with pytest.raises(LabelRefused, match="nothing of yours"):
        await store.labels.undo(queue, by="ana")


async def test_what_is_not_on_the_scale_is_not_kept(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(1))).id
    item = await store.labels.next(queue, by="ana")
    assert item is not None
    for value in (0.5, None, 7.0):
        with pytest.raises(LabelRefused, match="not on the scale"):
            await store.labels.label(queue, LabelDraft(item=item.id, said="label", by="ana", value=value))
    await store.labels.label(queue, LabelDraft(item=item.id, said="label", by="ana", value=1.0))
    with pytest.raises(LabelRefused, match="already"):
        await store.labels.label(queue, LabelDraft(item=item.id, said="label", by="ana", value=0.0))
    with pytest.raises(QueueUnknown):
        await store.labels.label(queue, LabelDraft(item=999, said="label", by="ana", value=0.0))


async def test_the_same_word_sent_twice_at_once_counts_once(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(1, wanted=2))).id
    item = await store.labels.next(queue, by="ana")
    assert item is not None
    word = LabelDraft(item=item.id, said="label", by="ana", value=1.0)
    results = await asyncio.gather(*(store.labels.label(queue, word) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, QueueRow) for one in results) == 1
    assert sum(isinstance(one, LabelRefused) for one in results) == 4


async def test_everybody_gets_the_gold_items_and_they_count_nowhere_else(store: ControlStore) -> None:
    gold = ItemDraft(answered=answered(9, judge=""), gold=0.0)
    queue = (await a_queue(store, [gold, *drafts(1)])).id
    assert [await say(store, queue, by, 0.0) for by in ("ana", "ben")] == [1, 1]
    await say(store, queue, "ana", 1.0)
    found = await store.labels.queue(queue)
    assert (found.items, found.settled, found.gold) == (1, 1, 1)
    assert [label.case for label in await store.labels.labels_for("run-1")] == ["case-0"]
    assert [item.case for item in await store.labels.judged("wkr1-judge")] == ["case-0"]


async def test_labels_of_a_run_say_with_which_probability_they_came_about(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(4))).id
    await say(store, queue, "ana", 1.0)
    await say(store, queue, "ben", None, "cannot_say")
    [label] = await store.labels.labels_for("run-1")
    assert (label.arm, label.scorer, label.value, label.by) == ("candidate", "tone", 1.0, "ana")
    assert label.probability == 0.5 * 1 / 4
    assert await store.labels.labels_for("run-2") == []


async def test_a_run_is_drawn_from_once_for_a_scorer_and_a_closed_queue_takes_no_words(store: ControlStore) -> None:
    queue = (await a_queue(store, drafts(1))).id
    with pytest.raises(QueueExists, match="counts twice"):
        await a_queue(store, drafts(1))
    await a_queue(store, drafts(1), run="run-2")
    item = await store.labels.next(queue, by="ana")
    assert item is not None and not (await store.labels.close(queue, by="lead")).is_open
    with pytest.raises(QueueClosed):
        await store.labels.label(queue, LabelDraft(item=item.id, said="label", by="ana", value=1.0))
    with pytest.raises(QueueClosed):
        await store.labels.next(queue, by="ana")
    with pytest.raises(QueueClosed):
        await store.labels.undo(queue, by="ana")
    with pytest.raises(QueueUnknown):
        await store.labels.next(99, by="ana")
    with pytest.raises(LabelRefused):
        await a_queue(store, [], run="run-3")


async def test_queues_are_listed_by_feature_and_judges_by_release(store: ControlStore) -> None:
    queue = await a_queue(store, drafts(1))
    assert [one.id for one in await store.labels.queues(features={"support"})] == [queue.id]
    assert await store.labels.queues(features={"payroll"}) == []
    assert await store.labels.judges() == [("wkr1-judge", "support", "tone")]
