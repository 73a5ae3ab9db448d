"""Draws answers for people to label, from a run or from calls, and says what a person sees of one."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from watchkeeper.api.auth import Operator
from watchkeeper.api.permits import require
from watchkeeper.api.replaying import answer_of
from watchkeeper.api.services import Services
from watchkeeper.core.conversation import read_conversation
from watchkeeper.core.errors import CallerError
from watchkeeper.evals.answered import answers_of, judged_scorers, rubric_of
from watchkeeper.evals.from_calls import variables_sent
from watchkeeper.evals.labelling import Answered, ScaleName, Shown, interest
from watchkeeper.evals.sampling import Drawn, Unit, draw
from watchkeeper.evals.suite import Case
from watchkeeper.evals.tasks import prompt_of
from watchkeeper.store.label_rows import ItemDraft, ItemShown, QueueDraft, QueueRow
from watchkeeper.store.rows import CallFilter, CallRow

CALLS_MAX = 2_000
"""The newest that match; a sample stands for these."""
CALLS_AT_ONCE = 500
SECOND_SHARE = 0.2

_DICE = random.SystemRandom()


class ScorerUnclear(CallerError):
    """It is not clear which scorer's marks people are to check, or the run has no such scorer; no queue was made."""

    code = "scorer_unclear"
    http_status = 422


class NothingToLabel(CallerError):
    """There is no answer to draw from; no queue was made."""

    code = "nothing_to_label"
    http_status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """An answer of which it is known what is right."""

    shown: Shown
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawWish:
    """What is to be drawn, and how it is labelled."""

    run: str = ""
    scorer: str = ""
    """Of the run; where it is empty, the only one that a judge gives marks for."""
    calls: CallFilter = field(default_factory=CallFilter)
    """Where no run is named; it names a feature."""
    sample: int
    title: str = ""
    rubric: str = ""
    """Empty for the scorer's own."""
    scale: ScaleName = "pass_fail"
    reasons: tuple[str, ...] = ()
    second_share: float = SECOND_SHARE
    """Share of the answers that two people are asked about."""
    gold: Sequence[Gold] = ()


async def make_queue(parts: Services, wish: DrawWish, by: Operator, *, dice: random.Random = _DICE) -> QueueRow:
    """Draw answers and make a queue of them.

    Raises:
        ScorerUnclear, NothingToLabel: nothing can be drawn.
        NotAllowed: the feature's answers may not be read, or its suites not written.
        RunUnknown, QueueExists, LabelRefused: as the stores say.
    """
    draft, answers = await (_of_run(parts, wish, by) if wish.run else _of_calls(parts, wish, by))
    if not answers:
        raise NothingToLabel("There is no answer to draw from; no queue was made.")
    units = [Unit(id=str(place), stratum=one.stratum, interest=interest(one)) for place, one in enumerate(answers)]
    items = [_item(one, answers, wish, dice) for one in draw(units, wish.sample, dice)]
    for gold in wish.gold:
        item = ItemDraft(answered=Answered(shown=gold.shown), gold=gold.value)
        items.insert(dice.randrange(len(items) + 1), item)
    return await parts.control.labels.create(replace(draft, items=items, population=len(answers)))


async def shown_to(parts: Services, queue: QueueRow, item: ItemShown, by: Operator) -> Shown | None:
    """Return what a person sees of an item; that a call is read is noted. None where the call is no longer kept."""
    if item.shown is not None:
        return item.shown
    found = await parts.analytics.call(item.call)
    if found is None:
        return None
    await parts.control.changes.note_reading(item.call, actor=by.name, feature=queue.feature)
    row = found.row
    conversation = read_conversation(
        found.request_body, found.response_body, surface=row.surface, is_stream=row.is_stream
    )
    asked = [one.text for one in conversation.messages if one.role == "user" and one.text]
    # Who calls a feature sends variables, and the messages are its release's.
    question = asked[-1] if asked else prompt_of(Case(id=row.id, variables=variables_sent(found.request_body)))
    return Shown(question=question or row.input_preview, answer=answer_of(found))


async def _of_run(parts: Services, wish: DrawWish, by: Operator) -> tuple[QueueDraft, list[Answered]]:
    head = (await parts.control.runs.get(wish.run)).head
    await _require_making(parts, by, head.feature)
    _, suite = await parts.control.suites.get(head.suite_id)
    outcomes = [outcome async for outcome in parts.control.runs.all_outcomes(head.id)]
    scorer = _chosen(wish.scorer, judged_scorers(outcomes), {mark.scorer for one in outcomes for mark in one.marks})
    draft = QueueDraft(
        feature=head.feature,
        title=wish.title or f"{scorer} of {head.title}",
        items=(),
        population=0,
        by=by.name,
        run=head.id,
        scorer=scorer,
        rubric=wish.rubric or rubric_of(suite, scorer),
        scale=wish.scale,
        reasons=wish.reasons,
    )
    return draft, answers_of(suite, outcomes, scorer)


async def _of_calls(parts: Services, wish: DrawWish, by: Operator) -> tuple[QueueDraft, list[Answered]]:
    feature = wish.calls.feature
    if not feature:
        raise NothingToLabel("Name a run, or calls by their feature; no queue was made.")
    await _require_making(parts, by, feature)
    chosen = replace(wish.calls, status=wish.calls.status or "ok", origin=wish.calls.origin or "client")
    found = [Answered(arm=row.release, call=row.id) for row in await newest_calls(parts, chosen, CALLS_MAX)]
    draft = QueueDraft(
        feature=feature,
        title=wish.title or f"Answers of {feature}",
        items=(),
        population=0,
        by=by.name,
        scorer=wish.scorer,
        rubric=wish.rubric,
        scale=wish.scale,
        reasons=wish.reasons,
    )
    return draft, found


async def newest_calls(parts: Services, chosen: CallFilter, most: int) -> list[CallRow]:
    """Return the newest calls that match."""
    rows: list[CallRow] = []
    before: str | None = None
    while len(rows) < most:
        page = await parts.analytics.calls(chosen, before=before, limit=min(CALLS_AT_ONCE, most - len(rows)))
        rows += page.rows
        before = page.next_before
        if before is None:
            break
    return rows


async def _require_making(parts: Services, by: Operator, feature: str) -> None:
    await require(parts, by, "write_releases", feature=feature)
    await require(parts, by, "read_bodies", feature=feature)


def _chosen(wanted: str, judged: Sequence[str], known: Iterable[str]) -> str:
    if not wanted and len(judged) == 1:
        return judged[0]
    if wanted in set(known):
        return wanted
    offered = ", ".join(f"`{one}`" for one in (judged or sorted(known))[:10]) or "none"
    if not wanted:
        raise ScorerUnclear(f"Say of which scorer people are to check the marks: {offered}. No queue was made.")
    raise ScorerUnclear(f"The run has no scorer `{wanted[:60]}`; it has {offered}. No queue was made.")


def _item(drawn: Drawn, answers: Sequence[Answered], wish: DrawWish, dice: random.Random) -> ItemDraft:
    wanted = 2 if dice.random() < wish.second_share else 1
    return ItemDraft(answered=answers[int(drawn.unit.id)], probability=drawn.probability, wanted=wanted)
