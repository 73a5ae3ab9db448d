"""What calls used and cost as JSON, and by what features it is owned."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.api.services import CostBasis, Ownership
from watchkeeper.core.money import usd
from watchkeeper.store.cost_rows import CostAnswer, CostGroup, CostScope, Dimension, Spend

NOBODY = Ownership()
CENT = 10_000_000
"""Nano-dollars."""


class SpendDocument(BaseModel):
    """What calls used and cost."""

    calls: int
    input_tokens: Annotated[int, Field(description="Cached or not; of the calls whose tokens were counted.")]
    output_tokens: int
    cached_tokens: Annotated[int, Field(description="The part of the input read from a provider's prompt cache.")]
    uncounted_calls: Annotated[int, Field(description="Calls whose tokens nobody counted.")]
    cost_usd: Annotated[
        Dollars | None, Field(description="Of the priced calls, corrections applied; null when none is priced.")
    ]
    measured_usd: Dollars
    estimated_usd: Dollars
    disputed_usd: Dollars
    estimated_calls: int
    unpriced_calls: Annotated[int, Field(description="Calls that are missing from the cost.")]
    words: Annotated[str, Field(examples=["$41.20, of which $0.90 estimated, 12 calls unpriced"])]


class CostGroupDocument(BaseModel):
    """The calls that share a name in each dimension."""

    names: Annotated[dict[str, str], Field(description="By dimension.")]
    owner: Annotated[str | None, Field(description="Of the feature, where grouped by it; null when nobody is named.")]
    cost_owner: Annotated[str | None, Field(description="Who pays for the feature; null when nobody is named.")]
    spend: SpendDocument


class OtherDocument(BaseModel):
    """The groups that are not listed."""

    groups: int
    spend: SpendDocument


class CostDocument(BaseModel):
    """What calls cost by dimensions, the dearest group first."""

    since: datetime
    until: datetime
    tz: str
    by: list[Dimension]
    total: Annotated[SpendDocument, Field(description="Of all calls, each counted once.")]
    groups: list[CostGroupDocument]
    other: Annotated[OtherDocument | None, Field(description="The groups beyond the limit; null when all are listed.")]
    counts_overlap: Annotated[
        bool,
        Field(description="By tag, a call counts under each of its tags: the groups add up to more than the total."),
    ]
    without_cost_owner: Annotated[
        list[str], Field(description="Listed features for which the configuration names nobody who pays.")
    ]


def cost_document(found: CostAnswer, scope: CostScope, tz: str, basis: CostBasis) -> CostDocument:
    """Write an answer."""
    return CostDocument(
        since=scope.since,
        until=scope.until,
        tz=tz,
        by=list(found.by),
        total=spend_document(found.total),
        groups=[_group(group, found.by, basis) for group in found.groups],
        other=None
        if found.other is None
        else OtherDocument(groups=found.other_groups, spend=spend_document(found.other)),
        counts_overlap="tag" in found.by,
        without_cost_owner=without_cost_owner((feature_of(group, found.by) for group in found.groups), basis),
    )


def spend_document(spend: Spend) -> SpendDocument:
    """Write what calls used and cost."""
    return SpendDocument(
        calls=spend.calls,
        input_tokens=spend.input_tokens,
        output_tokens=spend.output_tokens,
        cached_tokens=spend.cached_tokens,
        uncounted_calls=spend.uncounted_calls,
        cost_usd=None if spend.cost_nusd is None else usd(spend.cost_nusd),
        measured_usd=usd(spend.measured_nusd),
        estimated_usd=usd(spend.estimated_nusd),
        disputed_usd=usd(spend.disputed_nusd),
        estimated_calls=spend.estimated_calls,
        unpriced_calls=spend.unpriced_calls,
        words=spend_words(spend),
    )


def feature_of(group: CostGroup, by: tuple[Dimension, ...]) -> str | None:
    """Name the feature of a group; None where it is not grouped by feature."""
    return group.names[by.index("feature")] if "feature" in by else None


def without_cost_owner(features: Iterable[str | None], basis: CostBasis) -> list[str]:
    """Name the features for which nobody pays, each once."""
    named = dict.fromkeys(feature for feature in features if feature is not None)
    return [feature for feature in named if not basis.features.get(feature, NOBODY).cost_owner]


def spend_words(spend: Spend) -> str:
    """Say what calls cost and how far that can be relied on: `$41.20, of which $0.90 estimated, 12 calls unpriced`."""
    unpriced = f"{spend.unpriced_calls:,} {'call' if spend.unpriced_calls == 1 else 'calls'} unpriced"
    if spend.cost_nusd is None:
        return unpriced
    parts = [
        f"{dollars(amount)} {status}"
        for amount, status in ((spend.estimated_nusd, "estimated"), (spend.disputed_nusd, "disputed"))
        if amount
    ]
    told = dollars(spend.cost_nusd) + (f", of which {' and '.join(parts)}" if parts else "")
    return f"{told}, {unpriced}" if spend.unpriced_calls else told


def dollars(nusd: int) -> str:
    """Write an amount for people, rounded half up: to the cent from a dollar on, else to four digits."""
    sign, amount = "-" if nusd < 0 else "", abs(nusd)
    if amount >= 100 * CENT:
        cents = (amount + CENT // 2) // CENT
        return f"{sign}${cents // 100:,}.{cents % 100:02d}"
    if not amount:
        return "$0"
    size = 10 ** max(0, len(str(amount)) - 4)
    rounded = (amount + size // 2) // size * size
    whole, _, part = usd(rounded).partition(".")
    return f"{sign}${whole}.{part.ljust(2, '0')}"


def _group(group: CostGroup, by: tuple[Dimension, ...], basis: CostBasis) -> CostGroupDocument:
    feature = feature_of(group, by)
    owned = NOBODY if feature is None else basis.features.get(feature, NOBODY)
    return CostGroupDocument(
        names=dict(zip(by, group.names, strict=True)),
        owner=owned.owner or None,
        cost_owner=owned.cost_owner or None,
        spend=spend_document(group.spend),
    )
