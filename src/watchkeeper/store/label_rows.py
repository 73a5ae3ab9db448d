"""What the store of labels is given and answers with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.core.errors import CallerError
from watchkeeper.evals.labelling import Answered, Said, ScaleName, Shown, State


class QueueUnknown(CallerError):
    """There is no such queue, or no such item in it."""

    code = "label_queue_not_found"
    http_status = 404


class QueueClosed(CallerError):
    """Nothing more is said in this queue."""

    code = "label_queue_closed"
    http_status = 409


class QueueExists(CallerError):
    """The answers of this run have been drawn for this scorer already: a second draw would count some of them twice."""

    code = "label_queue_exists"
    http_status = 409


class LabelRefused(CallerError):
    """What was said is not on the queue's scale, or cannot be taken back."""

    code = "label_refused"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """An answer that was drawn for labelling."""

    answered: Answered
    probability: float = 1.0
    wanted: int = 1
    """How many people are asked first."""
    gold: float | None = None
    """What is right, of one that shows how well people label; None for all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDraft:
    """Answers to be labelled."""

    feature: str
    title: str
    items: Sequence[ItemDraft]
    """In the order in which they are shown."""
    population: int
    """How many they were drawn from."""
    by: str
    run: str = ""
    scorer: str = ""
    rubric: str = ""
    scale: ScaleName = "pass_fail"
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue, and how far it is."""

    id: int
    feature: str
    title: str
    run: str
    scorer: str
    rubric: str
    scale: ScaleName
    reasons: tuple[str, ...]
    population: int
    is_open: bool
    created_at: datetime
    created_by: str
    items: int = 0
    """Without gold items, as are the next two."""
    settled: int = 0
    disputed: int = 0
    gold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemShown:
    """An item as a person gets it: blind to whose answer it is, to what a judge says of it, and to what others said."""

    id: int
    number: int
    shown: Shown | None
    """None where it is read from the call."""
    call: str
    """Which is read; not for the person's eyes, since its page tells the release."""
    leased_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDraft:
    """What somebody says of an item."""

    item: int
    said: Said
    by: str
    value: float | None = None
    """Of a label; a value of the queue's scale."""
    reason: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """What somebody said."""

    id: int
    item: int
    by: str
    at: datetime
    said: Said
    value: float | None
    reason: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An item with everything that is known of it: not for who still labels."""

    id: int
    queue: int
    number: int
    arm: str
    case: str
    repeat: int
    call: str
    shown: Shown | None
    mark: float | None
    has_passed: bool | None
    is_torn: bool | None
    judge: str
    stratum: str
    probability: float
    wanted: int
    gold: float | None
    state: State
    value: float | None
    """Of a settled one; None where nobody can say."""
    labels: tuple[LabelRow, ...] = ()
    """The earliest first, without those that were taken back."""
