"""Tokens and money as JSON: amounts are decimal strings beside their status, null for what is not known."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from watchkeeper.api.bodies import readable
from watchkeeper.core.money import CostStatus, usd
from watchkeeper.core.usage import Usage, UsageStatus
from watchkeeper.store.rows import CallDetail, CallRow, CostLine

Dollars = Annotated[str, Field(description="Exact decimal in US dollars.", examples=["0.0000015"])]


class UsageSummary(BaseModel):
    """Tokens; null where nobody counted."""

    status: UsageStatus
    input_tokens: int | None
    output_tokens: int | None


class Tokens(UsageSummary):
    """Tokens in disjoint buckets; null where nobody counted."""

    input_uncached: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output_text: int | None
    output_reasoning: int | None
    audio_in: int | None
    audio_out: int | None
    image_in: int | None
    image_out: int | None
    server_tools: Annotated[int | None, Field(description="Requests, not tokens: searches that the provider ran.")]


class WholeUsage(Tokens):
    """Tokens of all attempts."""

    reported: Annotated[Any, Field(description="A stream's usage in the upstream's words; else it is in the response.")]


class CostSummary(BaseModel):
    """What a call cost; without a known price null, never 0."""

    amount_usd: Dollars | None
    status: CostStatus


class Line(BaseModel):
    """One priced bucket of usage."""

    bucket: str
    units: int
    usd_per_million: Dollars
    amount_usd: Dollars
    attempt: Annotated[int | None, Field(description="Number of the attempt that used it; null when not known.")]


class WholeCost(CostSummary):
    """What a call cost, and how that comes about."""

    charged_usd: Annotated[
        Dollars | None, Field(description="What the tenant is charged; null where that is what the call cost.")
    ]
    lines: list[Line]
    source: Annotated[str | None, Field(description="Which price list, and which row of it.")]
    valid_from: datetime | None


def tokens(status: UsageStatus, counts: Mapping[str, int]) -> Tokens:
    """Write what was used, given the buckets that are not zero."""
    return Tokens(**_counted(status, counts))


def whole_usage(call: CallDetail) -> WholeUsage:
    """Write what a call used."""
    return WholeUsage(reported=readable(call.usage_raw), **_counted(call.row.usage_status, call.usage))


def _counted(status: UsageStatus, counts: Mapping[str, int]) -> dict[str, Any]:
    if status == "missing":
        nothing = {name: None for name in Tokens.model_fields if name != "status"}
        return {"status": status, **nothing}
    usage = Usage(**counts)
    buckets = {name: getattr(usage, name) for name in Usage.__struct_fields__}
    return {"status": status, "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, **buckets}


def cost_summary(nusd: int | None, status: CostStatus) -> CostSummary:
    """Write an amount."""
    return CostSummary(amount_usd=None if nusd is None else usd(nusd), status=status)


def usage_summary(row: CallRow) -> UsageSummary:
    """Write what a call used, in two numbers."""
    return UsageSummary(status=row.usage_status, input_tokens=row.input_tokens, output_tokens=row.output_tokens)


def whole_cost(call: CallDetail) -> WholeCost:
    """Write what a call cost, with its lines."""
    row = call.row
    return WholeCost(
        amount_usd=None if row.cost_nusd is None else usd(row.cost_nusd),
        status=row.cost_status,
        charged_usd=None if call.charged_nusd is None else usd(call.charged_nusd),
        lines=[_line(line) for line in call.cost_lines],
        source=call.price_source or None,
        valid_from=call.price_valid_from,
    )


def _line(line: CostLine) -> Line:
    return Line(
        bucket=line.bucket,
        units=line.units,
        usd_per_million=f"{line.usd_per_million:f}",
        amount_usd=usd(line.amount_nusd),
        attempt=line.attempt,
    )
