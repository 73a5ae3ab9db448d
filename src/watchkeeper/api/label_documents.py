"""Labels as JSON: queues, items as people see them, settled ones with everything, cards of judges."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from watchkeeper.evals.judge_cards import Fitness, JudgeCard
from watchkeeper.evals.labelling import SCALES, ScaleName
from watchkeeper.store.label_rows import ItemRow, QueueRow


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


class FigureDocument(BaseModel):
    """A figure with its two-sided 95 % interval; the value is null where the labels do not tell it."""

    value: float | None
    lower: float
    upper: float


class JudgeDocument(BaseModel):
    """What labels say of a release of a judge."""

    feature: str
    scorer: str
    judge: Annotated[str, Field(description="Its release; another one has a card of its own.")]
    fitness: Annotated[Fitness, Field(description="Whether a gate may go by its marks.")]
    reasons: Annotated[list[str], Field(description="Why it may not, one sentence each.")]
    labels: int
    good: Annotated[int, Field(description="Answers that people found good.")]
    agreement: FigureDocument
    kappa: FigureDocument
    ac1: float | None
    sensitivity: FigureDocument
    specificity: FigureDocument
    arms_differ_p: float | None
    labels_saved: Annotated[float | None, Field(description="Share of the labels that its marks make up for.")]
    torn: Annotated[FigureDocument, Field(description="Of pairs, the share in which the order decided.")]


class JudgeList(BaseModel):
    """Judges by feature and scorer."""

    judges: list[JudgeDocument]


class LabellerDocument(BaseModel):
    """How somebody labels."""

    name: str
    labels: int
    gold_right: int
    gold: int


class AgreementDocument(BaseModel):
    """How far people agree."""

    alpha: Annotated[float | None, Field(description="Krippendorff's; null where it cannot be told.")]
    shared: Annotated[int, Field(description="Answers that several people labelled.")]
    labellers: list[LabellerDocument]


def queue_document(row: QueueRow) -> QueueDocument:
    """Write a queue."""
    fields: dict[str, Any] = {name: getattr(row, name) for name in QueueDocument.model_fields if name != "choices"}
    fields["reasons"] = list(row.reasons)
    choices = [ChoiceDocument(key=one.key, title=one.title, value=one.value) for one in SCALES[row.scale]]
    return QueueDocument(choices=choices, **fields)


def judge_document(feature: str, scorer: str, card: JudgeCard) -> JudgeDocument:
    """Write a judge\'s card."""
    names = ("judge", "fitness", "labels", "good", "ac1", "arms_differ_p", "labels_saved")
    figures: dict[str, Any] = {
        name: FigureDocument(value=figure.value, lower=figure.lower, upper=figure.upper)
        for name in ("agreement", "kappa", "sensitivity", "specificity", "torn")
        for figure in [getattr(card, name)]
    }
    fields: dict[str, Any] = {name: getattr(card, name) for name in names}
    return JudgeDocument(feature=feature, scorer=scorer, reasons=list(card.reasons), **fields, **figures)


def settled_document(item: ItemRow) -> SettledDocument:
    """Write an item that is settled."""
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
