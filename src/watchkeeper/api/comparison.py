"""Two periods beside each other, and why the cost of one differs from that of the other."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.api.spend import SpendDocument, spend_document
from watchkeeper.core.money import usd
from watchkeeper.money.effects import NOTHING, Effects, Used, added, effects
from watchkeeper.store.cost_rows import NO_SPEND, CostAnswer, CostScope, Dimension, Spend

Names = tuple[str, ...]
OTHER: Names = ()
"""In the place of a group's names: all groups beyond those that a question lists."""


class EffectsDocument(BaseModel):
    """A difference of cost in parts that add up to it exactly."""

    difference_usd: Annotated[Dollars, Field(description="The second period less the first, of the priced calls.")]
    price_usd: Annotated[Dollars, Field(description="The same tokens at other prices.")]
    volume_usd: Annotated[Dollars, Field(description="More or fewer calls, distributed as before.")]
    mix_usd: Annotated[Dollars, Field(description="Calls that moved between the groups.")]
    efficiency_usd: Annotated[Dollars, Field(description="More or fewer tokens for each call.")]


class PeriodDocument(BaseModel):
    """One of the two periods."""

    since: datetime
    until: datetime
    spend: SpendDocument


class ComparedGroup(BaseModel):
    """One group in both periods."""

    names: dict[str, str]
    first: SpendDocument
    second: SpendDocument
    effects: EffectsDocument


class OtherEffects(BaseModel):
    """The groups that are not listed."""

    groups: int
    effects: EffectsDocument


class ComparisonDocument(BaseModel):
    """Two periods, the whole difference, and the groups with the largest one first."""

    tz: str
    by: list[Dimension]
    first: PeriodDocument
    second: PeriodDocument
    effects: EffectsDocument
    groups: list[ComparedGroup]
    other: OtherEffects | None


def comparison(
    first: tuple[CostScope, CostAnswer], second: tuple[CostScope, CostAnswer], *, tz: str, limit: int
) -> ComparisonDocument:
    """Explain the difference between two answers to the same question; unpriced calls take no part in it."""
    by = first[1].by
    before, after = spends_of(first[1]), spends_of(second[1])
    found = effects(used_of(before), used_of(after))
    order = sorted(found, key=lambda names: (names == OTHER, -abs(found[names].difference), names))
    listed = [names for names in order[:limit] if names != OTHER]
    rest = [names for names in order if names not in set(listed)]
    beyond = max(answer.other_groups for _, answer in (first, second))
    return ComparisonDocument(
        tz=tz,
        by=list(by),
        first=_period(*first),
        second=_period(*second),
        effects=_effects(added(found.values())),
        groups=[
            ComparedGroup(
                names=dict(zip(by, names, strict=True)),
                first=spend_document(before.get(names, NO_SPEND)),
                second=spend_document(after.get(names, NO_SPEND)),
                effects=_effects(found[names]),
            )
            for names in listed
        ],
        other=OtherEffects(
            groups=len([names for names in rest if names != OTHER]) + beyond,
            effects=_effects(added(found[names] for names in rest)),
        )
        if rest
        else None,
    )


def spends_of(answer: CostAnswer) -> dict[Names, Spend]:
    """Return what each group came to, and all groups that are not listed under `OTHER`."""
    spends = {group.names: group.spend for group in answer.groups}
    return spends if answer.other is None else spends | {OTHER: answer.other}


def used_of(spends: Mapping[Names, Spend]) -> dict[Names, Used]:
    """Return what the priced calls of each group used and cost."""
    return {
        names: Used(calls=spend.priced_calls, tokens=spend.priced_tokens, nusd=spend.cost_nusd or 0)
        if spend.priced_calls
        else NOTHING
        for names, spend in spends.items()
    }


def _period(scope: CostScope, answer: CostAnswer) -> PeriodDocument:
    return PeriodDocument(since=scope.since, until=scope.until, spend=spend_document(answer.total))


def _effects(found: Effects) -> EffectsDocument:
    return EffectsDocument(
        difference_usd=usd(found.difference),
        price_usd=usd(found.price),
        volume_usd=usd(found.volume),
        mix_usd=usd(found.mix),
        efficiency_usd=usd(found.efficiency),
    )
