"""Labels: queues with how far they are, the cards of judges, and one item at a time, blind."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.console import figures
from watchkeeper.evals.judge_cards import Figure, Fitness, JudgeCard, PeopleAgreement
from watchkeeper.evals.labelling import SCALES, Shown
from watchkeeper.store.label_rows import ItemShown, QueueRow

PATH = "/labels"
TEXT_MAX = 40_000
"""Letters of one text that a page shows."""
CONTEXTS_MAX = 10
_MARKS: dict[Fitness, str] = {"eligible": "valid", "advisory": "warning", "unlabelled": "expired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One queue."""

    href: str
    title: str
    feature: str
    run: str
    """Empty for one of calls."""
    scorer: str
    settled: int
    items: int
    disputed: str
    """Answers on which people do not agree yet; empty for none."""
    is_open: bool
    at: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """What labels say of a release of a judge."""

    feature: str
    scorer: str
    judge: str
    judge_href: str
    """Empty where its id is that of no release."""
    fitness: Fitness
    mark: str
    reasons: tuple[str, ...]
    labels: str
    kappa: str
    sensitivity: str
    specificity: str
    torn: str
    """Of a judge of pairs; empty for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPage:
    """The list."""

    lines: tuple[QueueLine, ...]
    cards: tuple[CardLine, ...]
    runs: tuple[tuple[str, str], ...]
    """Runs to draw from: id, and what it is of."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceButton:
    """Something that can be said of an item."""

    key: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """How somebody labels."""

    name: str
    labels: str
    gold: str
    """Gold items of which they said what is right, of how many; empty where they saw none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """What is to be labelled: nothing of it tells whose answer it is, or what anybody says of it."""

    id: int
    question: str
    answer: str
    reference: str
    contexts: tuple[str, ...]
    is_gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPage:
    """One queue: the item to look at, or what it came to."""

    id: int
    title: str
    href: str
    rubric: str
    choices: tuple[ChoiceButton, ...]
    reasons: tuple[str, ...]
    settled: int
    items: int
    is_open: bool
    item: ItemView | None
    """None where nothing is left for who looks, or they may not label."""
    why: str
    """Why there is none."""
    alpha: str
    """Krippendorff's, in words; empty while an item is shown."""
    people: tuple[PersonLine, ...]
    problems: tuple[str, ...] = ()


def labels_page(
    queues: Sequence[QueueRow],
    cards: Sequence[tuple[str, str, JudgeCard]],
    runs: Sequence[tuple[str, str]],
    *,
    problems: Sequence[str] = (),
) -> LabelsPage:
    """Build the list."""
    return LabelsPage(
        lines=tuple(_line(one) for one in queues),
        cards=tuple(_card(feature, scorer, card) for feature, scorer, card in cards),
        runs=tuple(runs),
        problems=tuple(problems),
    )


def label_page(
    queue: QueueRow,
    item: tuple[ItemShown, Shown | None] | None,
    people: PeopleAgreement | None,
    *,
    why: str = "",
    problems: Sequence[str] = (),
) -> LabelPage:
    """Build the page of a queue.

    Args:
        queue: The queue.
        item: What is to be labelled, with its texts; None for these where the call is no longer kept.
        people: How far people agree; None while an item is shown.
        why: Why there is no item.
        problems: Said on top.
    """
    return LabelPage(
        id=queue.id,
        title=queue.title,
        href=f"{PATH}/{queue.id}",
        rubric=queue.rubric,
        choices=tuple(ChoiceButton(key=one.key, title=one.title) for one in SCALES[queue.scale]),
        reasons=queue.reasons,
        settled=queue.settled,
        items=queue.items,
        is_open=queue.is_open,
        item=None if item is None else _item(*item),
        why=why,
        alpha="" if people is None else _alpha(people),
        people=() if people is None else tuple(_person(people)),
        problems=tuple(problems),
    )


def _line(row: QueueRow) -> QueueLine:
    return QueueLine(
        href=f"{PATH}/{row.id}",
        title=row.title,
        feature=row.feature,
        run=row.run,
        scorer=row.scorer,
        settled=row.settled,
        items=row.items,
        disputed=figures.count(row.disputed) if row.disputed else "",
        is_open=row.is_open,
        at=figures.iso(row.created_at),
        by=row.created_by,
    )


def _card(feature: str, scorer: str, card: JudgeCard) -> CardLine:
    return CardLine(
        feature=feature,
        scorer=scorer,
        judge=card.judge,
        judge_href=f"/releases/{card.judge}" if card.judge.startswith("wk1-") else "",
        fitness=card.fitness,
        mark=_MARKS[card.fitness],
        reasons=card.reasons,
        labels=figures.count(card.labels),
        kappa=_figure(card.kappa),
        sensitivity=_percent(card.sensitivity),
        specificity=_percent(card.specificity),
        torn="" if card.torn.value is None else _percent(card.torn),
    )


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return figures.NOTHING
    return f"{figure.value:.2f} ({figure.lower:.2f} to {figure.upper:.2f})"


def _percent(figure: Figure) -> str:
    if figure.value is None:
        return figures.NOTHING
    return f"{figure.value:.0%} ({figure.lower:.0%} to {figure.upper:.0%})"


def _item(item: ItemShown, shown: Shown | None) -> ItemView:
    told = shown or Shown()
    return ItemView(
        id=item.id,
        question=told.question[:TEXT_MAX],
        answer=told.answer[:TEXT_MAX],
        reference=told.reference[:TEXT_MAX],
        contexts=tuple(one[: TEXT_MAX // CONTEXTS_MAX] for one in told.contexts[:CONTEXTS_MAX]),
        is_gone=shown is None,
    )


def _alpha(people: PeopleAgreement) -> str:
    if people.alpha is None:
        return "How far people agree cannot be told yet: too few answers were labelled by several of them."
    shared = figures.count(people.shared)
    return f"Krippendorff's alpha is {people.alpha:.2f}, over {shared} answers that several people labelled."


def _person(people: PeopleAgreement) -> list[PersonLine]:
    return [
        PersonLine(
            name=one.name,
            labels=figures.count(one.labels),
            gold=f"{one.gold_right} of {one.gold}" if one.gold else "",
        )
        for one in people.labellers
    ]
