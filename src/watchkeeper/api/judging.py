"""What labels say of judges, and of those who label."""

import asyncio
from collections.abc import Sequence
from types import ModuleType

from msgspec.structs import replace

from watchkeeper.api.auth import Operator
from watchkeeper.api.services import Services
from watchkeeper.evals.decision import Label
from watchkeeper.evals.judge_cards import Checked, JudgeCard, PeopleAgreement
from watchkeeper.evals.run import RunHead
from watchkeeper.evals.tasks import BASELINE, CANDIDATE
from watchkeeper.store.label_rows import ItemRow


async def card_of(parts: Services, judge: str, *, scorer: str = "", feature: str = "") -> JudgeCard:
    """Return the card of a release of a judge, from all queues, or those of one scorer of one feature."""
    items = await parts.control.labels.judged(judge, scorer=scorer, feature=feature)
    return await asyncio.to_thread(lambda: _checks().judge_card(judge, checked_of(items)))


async def cards_seen(parts: Services, by: Operator) -> list[tuple[str, str, JudgeCard]]:
    """Return the cards of the features that somebody may read, with feature and scorer."""
    known = await parts.control.labels.judges(features=by.rights.features("read"))
    return [
        (feature, scorer, await card_of(parts, judge, scorer=scorer, feature=feature))
        for judge, feature, scorer in known
    ]


async def people_of(parts: Services, queue: int) -> PeopleAgreement:
    """Return how far those who label in a queue agree."""
    items = await parts.control.labels.items(queue)
    said = [_values(item) for item in items if item.gold is None]
    gold = [(item.gold, _values(item)) for item in items if item.gold is not None]
    return await asyncio.to_thread(lambda: _checks().people_agreement(said, gold))


def checked_of(items: Sequence[ItemRow]) -> list[Checked]:
    """Return the items of which judge and people have an opinion."""
    return [
        Checked(
            arm=item.arm,
            has_passed=item.has_passed,
            value=item.value,
            probability=item.probability,
            is_torn=item.is_torn,
        )
        for item in items
        if item.has_passed is not None and item.value is not None
    ]


async def labels_of_run(parts: Services, head: RunHead) -> list[Label]:
    """Return what people said of the answers of a run, and of those that its baseline is taken from."""
    found = await parts.control.labels.labels_for(head.id)
    if head.baseline_run:
        earlier = await parts.control.labels.labels_for(head.baseline_run)
        found += [replace(label, arm=BASELINE) for label in earlier if label.arm == CANDIDATE]
    return found


def _checks() -> ModuleType:
    # numpy and scipy are of use to no other question.
    from watchkeeper.evals import judge_checks

    return judge_checks


def _values(item: ItemRow) -> dict[str, float]:
    return {one.by: one.value for one in item.labels if one.value is not None}
