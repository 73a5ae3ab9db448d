"""The overview and the facets as JSON."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from watchkeeper.api.amounts import Dollars
from watchkeeper.core.money import usd
from watchkeeper.store import rows
from watchkeeper.store.rows import Bucket, Facet, Overview


class Figures(BaseModel):
    """The calls of one stretch of time; a percentile is null where nothing was measured."""

    at: Annotated[datetime, Field(description="When it begins.")]
    calls: int
    errors: int
    cancelled: int
    errors_by_class: dict[str, int]
    duration_p50_ms: float | None
    duration_p95_ms: float | None
    duration_p99_ms: float | None
    first_token_p50_ms: float | None
    first_token_p95_ms: float | None
    cost_usd: Annotated[Dollars, Field(description="Of the priced calls; `unpriced_calls` are missing from it.")]
    estimated_usd: Annotated[Dollars, Field(description="The part of it that is estimated.")]
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    copied_calls: Annotated[int, Field(description="Shadows and replays: in cost and tokens, in no other figure.")]
    checked_outputs: Annotated[int, Field(description="Answers held against what their release asks for.")]
    repaired_outputs: int
    failed_outputs: int


class Share(BaseModel):
    """What one feature or model took part with."""

    name: str
    calls: int
    cost_usd: Annotated[Dollars | None, Field(description="Of the priced calls; null when none is priced.")]
    unpriced_calls: int


class OverviewDocument(BaseModel):
    """A window in equal steps, oldest first, with the same figures over all of it and over the window before."""

    step_s: int
    total: Figures
    previous: Figures
    steps: list[Figures]
    top_features: Annotated[list[Share], Field(description="Dearest first.")]
    top_models: Annotated[list[Share], Field(description="Dearest first.")]


class FacetValue(BaseModel):
    """One value of a field."""

    value: str
    calls: int


def overview_document(found: Overview) -> OverviewDocument:
    """A window in steps."""
    return OverviewDocument(
        step_s=found.step_s,
        total=_figures(found.total),
        previous=_figures(found.previous),
        steps=[_figures(step) for step in found.steps],
        top_features=[_share(row) for row in found.top_features],
        top_models=[_share(row) for row in found.top_models],
    )


def facet_values(facet: Facet) -> list[FacetValue]:
    """The values of one field, most frequent first."""
    return [FacetValue(value=value, calls=calls) for value, calls in facet.values]


def _figures(bucket: Bucket) -> Figures:
    same = {name: getattr(bucket, name) for name in Figures.model_fields if not name.endswith("_usd")}
    return Figures(**same, cost_usd=usd(bucket.cost_nusd), estimated_usd=usd(bucket.estimated_nusd))


def _share(row: rows.Share) -> Share:
    cost = None if row.cost_nusd is None else usd(row.cost_nusd)
    return Share(name=row.name, calls=row.calls, cost_usd=cost, unpriced_calls=row.unpriced_calls)
