"""The price book as JSON."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.core.money import usd
from watchkeeper.ingest.recompute import Recomputed
from watchkeeper.money.diff import BookDiff, PriceChange
from watchkeeper.money.moments import hours_written, moment_of
from watchkeeper.money.prices import BUCKETS, PER_MILLION, Rates
from watchkeeper.store.prices import Approval, PriceRecord


class PriceApproval(BaseModel):
    """One update of the price book."""

    number: int
    at: datetime
    source: Annotated[str, Field(description="An edition such as `genai-prices 0.2.3`, or a file.")]
    by: str
    added: int
    changed: int
    removed: int


class PriceState(BaseModel):
    """Where the price book stands."""

    revision: Annotated[int, Field(description="Number of the latest update; 0 before the first start.")]
    recorded_at: Annotated[datetime | None, Field(description="When a price was last written down.")]
    edition: Annotated[str | None, Field(description="The edition that was approved last.")]
    installed: Annotated[str, Field(description="The edition that is installed; it is not used until it is approved.")]
    is_current: Annotated[bool, Field(description="Whether both are the same.")]
    approvals: Annotated[list[PriceApproval], Field(description="The newest first.")]


class LongInput(BaseModel):
    """What a unit costs once the input of the call is long."""

    above_tokens: int
    usd_per_million: Dollars


class UnitPrice(BaseModel):
    """What a bucket of usage costs."""

    unit: Annotated[str, Field(description="A bucket of usage.")]
    usd_per_million: Dollars
    above: list[LongInput]


class PriceDocument(BaseModel):
    """One row of the price book."""

    price_list: str
    service_tier: Annotated[str, Field(description="Empty for the ordinary one.")]
    units: list[UnitPrice]
    request_usd: Annotated[Dollars, Field(description="For each call.")]
    valid_from: Annotated[datetime | None, Field(description="Null for always.")]
    valid_to: Annotated[datetime | None, Field(description="Excluded; null for never.")]
    hours: Annotated[str | None, Field(description="UTC, such as `16:30-00:30`; null for the whole day.")]
    source: str
    recorded_at: Annotated[datetime | None, Field(description="Null for what is written in the configuration.")]
    superseded_at: Annotated[datetime | None, Field(description="When it ceased to be believed; null while it is.")]
    approved_by: str | None


class ChangeDocument(BaseModel):
    """One model whose price would change."""

    kind: Literal["added", "changed", "removed"]
    price_list: str
    model: str
    words: list[str]
    percent: Annotated[str | None, Field(description="The largest move of one price, such as `-20.0`.")]


class DiffDocument(BaseModel):
    """What an update changes."""

    source: str
    added: int
    changed: int
    removed: int
    doubts: Annotated[list[str], Field(description="Why it is not applied without `force`; empty for none.")]
    applied: Annotated[int | None, Field(description="The book's new revision; null where nothing was changed.")]
    list_changes: Annotated[list[str], Field(description="What changes of the lists themselves.")]
    changes: list[ChangeDocument]


class Recomputation(BaseModel):
    """What pricing calls again came to; amounts are of the calls that were corrected."""

    calls: Annotated[int, Field(description="Looked at.")]
    corrected: int
    newly_priced: Annotated[int, Field(description="Of the corrected: those that had no price.")]
    without_price: Annotated[int, Field(description="Looked at and without a known price; what they cost stands.")]
    old_usd: Dollars
    new_usd: Dollars
    delta_usd: Dollars
    dry_run: Annotated[bool, Field(description="Nothing was written down.")]


def price_state(approvals: Sequence[Approval], *, installed: str) -> PriceState:
    """Tell where the book stands, given its updates, the newest first."""
    edition = next((one.source for one in approvals if one.origin == "edition"), None)
    return PriceState(
        revision=approvals[0].number if approvals else 0,
        recorded_at=approvals[0].at if approvals else None,
        edition=edition,
        installed=installed,
        is_current=edition == installed,
        approvals=[
            PriceApproval(
                number=one.number,
                at=one.at,
                source=one.source,
                by=one.approved_by,
                added=one.added,
                changed=one.changed,
                removed=one.removed,
            )
            for one in approvals
        ],
    )


def price_document(list_name: str, rates: Rates, record: PriceRecord | None) -> PriceDocument:
    """Write one row, with what is known of its recording."""
    return PriceDocument(
        price_list=list_name,
        service_tier=rates.service_tier,
        units=[
            UnitPrice(
                unit=bucket,
                usd_per_million=_dollars(rate.nusd_per_million, rates),
                above=[
                    LongInput(above_tokens=tier.above_tokens, usd_per_million=_dollars(tier.nusd_per_million, rates))
                    for tier in rate.tiers
                ],
            )
            for bucket, rate in zip(BUCKETS, rates.by_bucket, strict=True)
            if rate is not None
        ],
        request_usd=usd(rates.request_nusd),
        valid_from=None if rates.valid_from_ns is None else moment_of(rates.valid_from_ns),
        valid_to=None if rates.valid_to_ns is None else moment_of(rates.valid_to_ns),
        hours=None if rates.hours_s is None else hours_written(rates.hours_s),
        source=rates.source,
        recorded_at=None if record is None else record.recorded_at,
        superseded_at=None if record is None else record.superseded_at,
        approved_by=None if record is None else record.approved_by,
    )


def diff_document(diff: BookDiff, *, applied: int | None) -> DiffDocument:
    """Write what an update changes."""
    return DiffDocument(
        source=diff.source,
        added=diff.count("added"),
        changed=diff.count("changed"),
        removed=diff.count("removed"),
        doubts=list(diff.doubts),
        applied=applied,
        list_changes=list(diff.list_changes),
        changes=[_change(change) for change in diff.changes],
    )


def recomputation(found: Recomputed, *, is_rehearsal: bool) -> Recomputation:
    """Write what pricing calls again came to."""
    return Recomputation(
        calls=found.calls,
        corrected=found.corrected,
        newly_priced=found.newly_priced,
        without_price=found.without_price,
        old_usd=usd(found.old_nusd),
        new_usd=usd(found.new_nusd),
        delta_usd=usd(found.new_nusd - found.old_nusd),
        dry_run=is_rehearsal,
    )


def _change(change: PriceChange) -> ChangeDocument:
    return ChangeDocument(
        kind=change.kind,
        price_list=change.entry.list,
        model=change.entry.model,
        words=list(change.words),
        percent=None if change.percent is None else f"{change.percent:+}",
    )


def _dollars(nusd: int, rates: Rates) -> str:
    """Exact, since what a rate is divided by is a power of ten."""
    if rates.per == PER_MILLION:
        return usd(nusd)
    return f"{(Decimal(nusd) * PER_MILLION / rates.per / 10**9).normalize():f}"
