"""The components of the pages about labels, with ordinary data, with none, with too much, with hostile data."""

from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.console.pages.cases import CasePage, SuiteChoice, case_page
from watchkeeper.console.pages.labels import LabelPage, LabelsPage, label_page, labels_page
from watchkeeper.core.conversation import Conversation, Message, Text
from watchkeeper.evals.from_calls import RecordedCall, case_of
from watchkeeper.evals.judge_cards import Figure, Fitness, JudgeCard, Labeller, PeopleAgreement
from watchkeeper.evals.labelling import Shown
from watchkeeper.store.label_rows import ItemShown, QueueRow

_AT = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
_CALL = "01KDV8XG0000000000000000AA"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPatterns:
    """What the page of patterns shows of labels."""

    full: LabelsPage
    empty: LabelsPage
    items: tuple[LabelPage, ...]
    done: LabelPage
    case: CasePage


def label_patterns(*, hostile: str, long: str) -> LabelPatterns:
    """Build them; they ask nothing of any store and are always the same."""
    queues = [_queue(1, "Tone"), _queue(2, hostile, disputed=3), _queue(3, long, is_open=False, run="")]
    weak = ("It has 20 labels, and needs 100.", f"It fails 40% of the bad answers; 80% is needed. {hostile}")
    cards = [
        ("support", "tone", _card("wk1-known", "eligible", 140, Figure(0.84, 0.73, 0.93))),
        ("support", hostile, _card("wk1-weak", "advisory", 20, Figure(0.35, -0.1, 0.7), *weak)),
        (long, "tone", _card(long, "unlabelled", 0, Figure(None, -1.0, 1.0), "Nobody has labelled an answer.")),
    ]
    item = ItemShown(id=1, number=1, shown=None, call="", leased_until=_AT)
    texts = [
        Shown(question="Where is my refund?", answer="On its way.", reference="Within 5 days.", contexts=("Terms",)),
        Shown(question=hostile, answer=f"{long} {hostile} " * 20, contexts=(hostile, long * 10)),
        None,
    ]
    people = PeopleAgreement(
        alpha=0.71,
        shared=40,
        labellers=tuple(
            Labeller(name=name, labels=place * 10, gold_right=place, gold=place * 2)
            for place, name in enumerate(("ana", hostile, long), 1)
        ),
    )
    return LabelPatterns(
        full=labels_page(queues, cards, [("run-1", "support/answers"), (long, hostile)], problems=[hostile]),
        empty=labels_page([], [], []),
        items=tuple(label_page(queue, (item, shown), None) for queue, shown in zip(queues, texts, strict=True)),
        done=label_page(queues[0], None, people, why="Nothing is left for you."),
        case=_case(hostile, long),
    )


def _queue(number: int, title: str, *, disputed: int = 0, is_open: bool = True, run: str = "run-abc") -> QueueRow:
    return QueueRow(
        id=number, feature="support", title=title, run=run, scorer="tone", rubric="Is it kind?" if run else "",
        scale="five" if number == 2 else "pass_fail", reasons=("rude", "wrong", title[:60]) if number > 1 else (),
        population=400, is_open=is_open, created_at=_AT, created_by=title, items=120, settled=48, disputed=disputed,
    )  # fmt: skip


def _card(judge: str, fitness: Fitness, labels: int, kappa: Figure, *reasons: str) -> JudgeCard:
    share = Figure(None, 0.0, 1.0) if kappa.value is None else Figure(0.9, 0.82, 0.95)
    return JudgeCard(
        judge=judge, fitness=fitness, reasons=reasons, labels=labels, good=labels // 2, agreement=share, kappa=kappa,
        ac1=kappa.value, sensitivity=share, specificity=share, arms_differ_p=None, labels_saved=None,
        torn=share if labels > 100 else Figure(None, 0.0, 1.0),
    )  # fmt: skip


def _case(hostile: str, long: str) -> CasePage:
    message = Message(role="user", parts=(Text(f"I am ana@example.com. {hostile} {long}"),))
    made = case_of(RecordedCall(id=_CALL, conversation=Conversation(messages=(message,))), is_reference=True)
    choice = SuiteChoice(feature="support", names=("answers", long))
    return case_page(made, choice, call=_CALL, referring="answer", added="support/answers")
