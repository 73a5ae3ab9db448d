"""Labels: queues of answers that people look at, what they say, and how far judges agree with them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from watchkeeper.api.auth import By, Operator, Parts
from watchkeeper.api.filters import CallQuery
from watchkeeper.api.labelling import SECOND_SHARE, DrawWish, Gold, make_queue, shown_to
from watchkeeper.api.permits import SOME, needs, require
from watchkeeper.api.services import Services
from watchkeeper.api.strict import Strict
from watchkeeper.evals.labelling import SCALES, ScaleName, Shown
from watchkeeper.store.label_rows import ItemRow, ItemShown, LabelDraft, QueueRow
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


class ChoiceDocument(BaseModel):
    """One label of a scale."""

    key: str
    title: str
    value: float


class QueueDocument(BaseModel):
    """A queue, and how far it is; gold items are counted apart."""

    id: int
    feature: str
    title: str
    run: str
    scorer: str
    rubric: str
    scale: ScaleName
    choices: list[ChoiceDocument]
    reasons: list[str]
    population: Annotated[int, Field(description="How many answers the items were drawn from.")]
    is_open: bool
    created_at: datetime
    created_by: str
    items: int
    settled: int
    disputed: int
    gold: int


class QueueList(BaseModel):
    """Queues, the latest first."""

    queues: list[QueueDocument]


class ItemDocument(BaseModel):
    """An item as a person gets it: blind to whose answer it is, and to what anybody says of it."""

    id: int
    number: int
    question: str
    answer: str
    reference: str
    contexts: list[str]
    is_gone: Annotated[bool, Field(description="The call that it was is no longer kept: nobody can say.")]
    leased_until: datetime


class NextDocument(BaseModel):
    """What somebody is to look at, and how far the queue is."""

    queue: QueueDocument
    item: Annotated[ItemDocument | None, Field(description="Null where nothing is left for whoever asks.")]


class WordDocument(BaseModel):
    """What somebody said."""

    by: str
    at: datetime
    said: str
    value: float | None
    reason: str
    comment: str


class SettledDocument(BaseModel):
    """An item that is settled, with everything that is known of it."""

    id: int
    number: int
    arm: str
    case: str
    repeat: int
    call: str
    question: Annotated[str | None, Field(description="Null where it is read from the call.")]
    answer: str | None
    mark: Annotated[float | None, Field(description="The judge's.")]
    has_passed: Annotated[bool | None, Field(description="What the judge made of it.")]
    judge: str
    stratum: str
    probability: Annotated[float, Field(description="With which it was drawn.")]
    gold: float | None
    value: Annotated[float | None, Field(description="What people came to; null where nobody can say.")]
    labels: list[WordDocument]


class SettledList(BaseModel):
    """Settled items, by number."""

    items: list[SettledDocument]


class RunLabel(BaseModel):
    """What people said of an answer of a run."""

    arm: str
    case: str
    repeat: int
    scorer: str
    value: float
    probability: float
    by: str


class RunLabels(BaseModel):
    """What people said of a run's answers."""

    labels: list[RunLabel]


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
    return SettledList(items=[_settled(item) for item in items if item.state == "settled"])


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


def queue_document(row: QueueRow) -> QueueDocument:
    """Write a queue."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in QueueDocument.model_fields if name != "choices"}
    fields["reasons"] = list(row.reasons)
    choices = [ChoiceDocument(key=one.key, title=one.title, value=one.value) for one in SCALES[row.scale]]
    return QueueDocument(choices=choices, **fields)


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


def _settled(item: ItemRow) -> SettledDocument:
    names = (
        "id", "number", "arm", "case", "repeat", "call", "mark", "has_passed", "judge", "stratum", "probability",
        "gold", "value",
    )  # fmt: skip
    words = [
        WordDocument(by=one.by, at=one.at, said=one.said, value=one.value, reason=one.reason, comment=one.comment)
        for one in item.labels
    ]
    return SettledDocument(
        **{name: getattr(item, name) for name in names},
        question=None if item.shown is None else item.shown.question,
        answer=None if item.shown is None else item.shown.answer,
        labels=words,
    )
