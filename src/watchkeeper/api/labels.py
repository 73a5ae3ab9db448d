"""Labels: queues of answers that people look at, what they say, and how far judges agree with them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.filters import CallQuery
from watchkeeper.api.judging import cards_seen, people_of
from watchkeeper.api.label_documents import (
    AgreementDocument,
    ItemDocument,
    JudgeList,
    LabellerDocument,
    NextDocument,
    QueueDocument,
    QueueList,
    RunLabel,
    RunLabels,
    SettledList,
    judge_document,
    queue_document,
    settled_document,
)
from watchkeeper.api.labelling import SECOND_SHARE, DrawWish, Gold, make_queue, shown_to
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.evals.labelling import SCALES, ScaleName, Shown
from watchkeeper.store.label_rows import ItemShown, LabelDraft, QueueRow
from watchkeeper.store.labels import ITEMS_MAX

NAME_MAX = 200
TEXT_MAX = 10_000
REASONS_MAX = 20
GOLD_MAX = 200

MAKING = [needs("write_releases", somewhere=True)]
LABELLING = [needs("write_releases", "approve", somewhere=True)]

router = APIRouter(prefix="/api/v1/labels", tags=["labels"])


class GoldWish(Strict):
    """An answer of which it is known what is right: it shows how well people label, and counts nowhere else."""

    question: str = Field(max_length=TEXT_MAX)
    answer: str = Field(max_length=TEXT_MAX)
    reference: str = Field(default="", max_length=TEXT_MAX)
    value: float = Field(ge=0, le=1)


class QueueWish(Strict):
    """Answers to be drawn: of a run, or of calls."""

    run: str = Field(default="", max_length=NAME_MAX, description="Id of a run, or a beginning of it.")
    scorer: str = Field(default="", max_length=NAME_MAX, description="Whose marks people are to check.")
    calls: CallQuery | None = Field(default=None, description="Without a run: which calls, of one feature.")
    sample: int = Field(default=100, ge=1, le=ITEMS_MAX)
    title: str = Field(default="", max_length=NAME_MAX)
    rubric: str = Field(default="", max_length=TEXT_MAX, description="What is asked of an answer; else the scorer's.")
    scale: ScaleName = "pass_fail"
    reasons: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(default=[], max_length=REASONS_MAX)
    second_share: float = Field(default=SECOND_SHARE, ge=0, le=1, description="Share that two people are asked about.")
    gold: list[GoldWish] = Field(default=[], max_length=GOLD_MAX)


class LabelWish(Strict):
    """What somebody says of an item."""

    item: int
    said: Literal["label", "cannot_say", "skip"] = "label"
    value: float | None = Field(default=None, description="Of a label: a value of the queue's scale.")
    key: str = Field(default="", max_length=1, description="Instead of the value: the key of a choice.")
    reason: str = Field(default="", max_length=100)
    comment: str = Field(default="", max_length=TEXT_MAX)


@router.post("/queues", status_code=201, summary="Make a queue", dependencies=MAKING)
async def create(wish: QueueWish, parts: Parts, by: By) -> QueueDocument:
    """Draw answers of a run or of calls, each with a known probability, and make a queue of them."""
    drawn = DrawWish(
        run=wish.run,
        scorer=wish.scorer,
        sample=wish.sample,
        title=wish.title,
        rubric=wish.rubric,
        scale=wish.scale,
        reasons=tuple(dict.fromkeys(wish.reasons)),
        second_share=wish.second_share,
        gold=[
            Gold(shown=Shown(question=one.question, answer=one.answer, reference=one.reference), value=one.value)
            for one in wish.gold
        ],
        **({} if wish.calls is None else {"calls": wish.calls.call_filter(parts)}),
    )
    return queue_document(await make_queue(parts, drawn, by))


@router.get("/queues", summary="List queues", dependencies=SOME)
async def list_queues(
    parts: Parts,
    by: By,
    feature: Annotated[str, Query(max_length=NAME_MAX)] = "",
    run: Annotated[str, Query(max_length=NAME_MAX)] = "",
) -> QueueList:
    """List queues, the latest first."""
    if feature:
        await require(parts, by, "read", feature=feature)
    rows = await parts.control.labels.queues(feature=feature, run=run, features=by.rights.features("read"))
    return QueueList(queues=[queue_document(row) for row in rows])


@router.get("/queues/{queue}", summary="Read a queue", dependencies=SOME)
async def read_queue(queue: int, parts: Parts, by: By) -> QueueDocument:
    """Return a queue, and how far it is."""
    held = await parts.control.labels.queue(queue)
    await require(parts, by, "read", feature=held.feature)
    return queue_document(held)


@router.post("/queues/{queue}/close", summary="Close a queue", dependencies=MAKING)
async def close(queue: int, parts: Parts, by: By) -> QueueDocument:
    """Let nothing more be said; what was said stands."""
    held = await parts.control.labels.queue(queue)
    await require(parts, by, "write_releases", feature=held.feature)
    return queue_document(await parts.control.labels.close(queue, by=by.name))


@router.post("/queues/{queue}/next", summary="Take the next item", dependencies=LABELLING)
async def take_next(queue: int, parts: Parts, by: By) -> NextDocument:
    """Lease whoever asks what they are to look at; nobody else gets it meanwhile."""
    held = await labelled_queue(parts, queue, by)
    return await _next(parts, held, await parts.control.labels.next(queue, by=by.name), by)


@router.post("/queues/{queue}/labels", status_code=201, summary="Label an item", dependencies=LABELLING)
async def label(queue: int, wish: LabelWish, parts: Parts, by: By) -> QueueDocument:
    """Keep what somebody says of an item."""
    held = await labelled_queue(parts, queue, by)
    choice = next((one for one in SCALES[held.scale] if wish.key and one.key == wish.key), None)
    value = choice.value if choice is not None else wish.value
    draft = LabelDraft(
        item=wish.item,
        said=wish.said,
        by=by.name,
        value=value if wish.said == "label" else None,
        reason=wish.reason,
        comment=wish.comment,
    )
    return queue_document(await parts.control.labels.label(queue, draft))


@router.post("/queues/{queue}/undo", summary="Take back the last label", dependencies=LABELLING)
async def undo(queue: int, parts: Parts, by: By) -> NextDocument:
    """Take back what whoever asks said last in the queue; its item is theirs again."""
    held = await labelled_queue(parts, queue, by)
    item = await parts.control.labels.undo(queue, by=by.name)
    return await _next(parts, await parts.control.labels.queue(held.id), item, by)


@router.get("/queues/{queue}/items", summary="List settled items", dependencies=MAKING)
async def list_items(queue: int, parts: Parts, by: By) -> SettledList:
    """List what is settled, with arm, mark and every word: what still is to be labelled stays blind."""
    held = await parts.control.labels.queue(queue)
    await require(parts, by, "write_releases", feature=held.feature)
    await require(parts, by, "read_bodies", feature=held.feature)
    items = await parts.control.labels.items(queue)
    return SettledList(items=[settled_document(item) for item in items if item.state == "settled"])


@router.get("/queues/{queue}/agreement", summary="How far people agree", dependencies=SOME)
async def read_agreement(queue: int, parts: Parts, by: By) -> AgreementDocument:
    """Return how far those who label in a queue agree with each other, and with its gold items."""
    held = await parts.control.labels.queue(queue)
    await require(parts, by, "read", feature=held.feature)
    found = await people_of(parts, queue)
    return AgreementDocument(
        alpha=found.alpha,
        shared=found.shared,
        labellers=[
            LabellerDocument(name=one.name, labels=one.labels, gold_right=one.gold_right, gold=one.gold)
            for one in found.labellers
        ],
    )


@router.get("/judges", summary="Cards of judges", dependencies=SOME)
async def list_judges(parts: Parts, by: By) -> JudgeList:
    """Return the card of each release of a judge of whose answers some were drawn for labelling."""
    cards = await cards_seen(parts, by)
    return JudgeList(judges=[judge_document(feature, scorer, card) for feature, scorer, card in cards])


@router.get("/runs/{run}", summary="Labels of a run", dependencies=SOME)
async def list_labels(run: str, parts: Parts, by: By) -> RunLabels:
    """Return what people said of a run's answers, each with the probability with which it came about."""
    head = (await parts.control.runs.get(run)).head
    await require(parts, by, "read", feature=head.feature)
    return RunLabels(
        labels=[
            RunLabel(**{name: getattr(one, name) for name in RunLabel.model_fields})
            for one in await parts.control.labels.labels_for(head.id)
        ]
    )


async def labelled_queue(parts: Services, queue: int, by: Operator) -> QueueRow:
    """Return a queue in which somebody may label.

    Raises:
        QueueUnknown: there is none.
        NotAllowed: they may not.
    """
    held = await parts.control.labels.queue(queue)
    await require(parts, by, "write_releases", "approve", feature=held.feature)
    await require(parts, by, "read_bodies", feature=held.feature)
    return held


async def _next(parts: Services, queue: QueueRow, item: ItemShown | None, by: Operator) -> NextDocument:
    if item is None:
        return NextDocument(queue=queue_document(queue), item=None)
    shown = await shown_to(parts, queue, item, by)
    told = shown or Shown()
    document = ItemDocument(
        id=item.id,
        number=item.number,
        question=told.question,
        answer=told.answer,
        reference=told.reference,
        contexts=list(told.contexts),
        is_gone=shown is None,
        leased_until=item.leased_until,
    )
    return NextDocument(queue=queue_document(queue), item=document)
