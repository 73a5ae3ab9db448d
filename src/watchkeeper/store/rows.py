"""What the analytics store answers with: frozen rows, and the filter that most questions share."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from watchkeeper.core.call import CallStatus, Hit, Origin, OutputStatus, ServedFrom, Surface
from watchkeeper.core.money import CostStatus
from watchkeeper.core.usage import UsageStatus

YEARS = range(1900, 2262)
"""Years of the times that may be asked about: what a column of times can hold."""


NAMED_COLUMNS = (
    "feature", "tenant", "subject", "session", "key_id", "environment", "release", "route", "provider", "model", "tags",
)  # fmt: skip
"""Columns that calls are named by; where a call has no such name, it is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls. An empty field does not restrict; all that are set must hold."""

    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    feature: str = ""
    features: frozenset[str] | None = None
    """Only calls of one of these; None for any, and nothing is found where there is none."""
    tenant: str = ""
    subject: str = ""
    session: str = ""
    key_id: str = ""
    environment: str = ""
    release: str = ""
    rollout: str = ""
    origin: str = ""
    output_status: str = ""
    route: str = ""
    provider: str = ""
    model: str = ""
    status: str = ""
    error_class: str = ""
    tag: str = ""
    trace_id: str = ""
    served_from: str = ""
    fault: str = ""
    """Id of a fault that was injected into one of its attempts."""
    cost_status: CostStatus | None = None
    """Corrections count: a call that was unpriced and has been corrected is not."""
    document: str = ""
    """One that was found for it, by a release or by the application."""
    budget_note: str = ""
    """What a budget did to it: `would_refuse ID`, `refused ID`, `degraded ID`."""
    without: tuple[str, ...] = ()
    """Columns that are empty, of `NAMED_COLUMNS`."""
    is_stream: bool | None = None
    min_cost_nusd: int | None = None
    min_duration_ms: float | None = None
    search: str = ""
    """Words that must all occur in the request's or the response's preview, in any order and case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call as a list shows it."""

    id: str
    started_at: datetime
    feature: str
    tenant: str
    subject: str
    session: str
    key_id: str
    environment: str
    release: str
    route: str
    surface: Surface
    provider: str
    """Of the last attempt."""
    model: str
    """Sent upstream at the last attempt."""
    requested_model: str
    is_stream: bool
    status: CallStatus
    http_status: int
    error_class: str
    error_code: str
    attempt_count: int
    input_tokens: int | None
    output_tokens: int | None
    usage_status: UsageStatus
    cost_nusd: int | None
    cost_status: CostStatus
    duration_ms: float
    first_token_ms: float | None
    overhead_ms: float
    finish_reason: str
    tool_names: tuple[str, ...]
    tags: tuple[str, ...]
    input_preview: str
    output_preview: str
    served_from: ServedFrom
    faults: tuple[str, ...]
    """Ids of the faults that were injected."""
    rollout: str
    """Id of the rollout that chose the release; empty where none ran."""
    origin: Origin
    output_status: OutputStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """Calls, newest first."""

    rows: tuple[CallRow, ...]
    next_before: str | None
    """Id to pass as `before` for the next page; None on the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One attempt; times in milliseconds from the start of the call."""

    number: int
    provider: str
    model: str
    dialect: str
    started_ms: float
    connect_ms: float | None
    first_byte_ms: float | None
    ended_ms: float
    http_status: int
    error_class: str
    error_message: str
    upstream_request_id: str
    request_bytes: int
    response_bytes: int
    kind: str
    """Why it was made, an `AttemptKind`; empty for one recorded before this was kept."""
    waited_ms: float
    """Time waited on purpose before it."""
    first_token_ms: float | None
    error_code: str
    fault: str
    """Id of the fault that was injected."""
    usage_status: UsageStatus
    cost_nusd: int | None
    cost_status: CostStatus
    service_tier: str
    """The upstream's word for how it processed the request; empty for the ordinary way."""
    usage: dict[str, int]
    """Non-zero buckets of `core.usage.Usage` by name; empty when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One priced bucket of usage: units times rate."""

    bucket: str
    """A field of `core.usage.Usage`, or `request`."""
    units: int
    usd_per_million: Decimal
    amount_nusd: int
    attempt: int | None
    """Number of the attempt that used it; None for one recorded before this was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetail:
    """Everything that is known of one call."""

    row: CallRow
    attempts: tuple[AttemptRow, ...]
    reported_model: str
    metadata: dict[str, str]
    trace_id: str
    parent_span_id: str
    worker: str
    snapshot: str
    error_message: str
    user_agent: str
    request_path: str
    request_headers: tuple[tuple[str, str], ...]
    request_body: bytes
    request_bytes: int
    sent_body: bytes | None
    response_headers: tuple[tuple[str, str], ...]
    response_body: bytes
    response_bytes: int
    delivered_bytes: int
    chunk_offsets_us: tuple[int, ...]
    usage: dict[str, int]
    """Non-zero buckets of `core.usage.Usage` by name; empty when unknown."""
    usage_raw: bytes
    cost_lines: tuple[CostLine, ...]
    price_source: str
    price_valid_from: datetime | None
    charged_nusd: int | None
    """What the tenant is charged; None where that is what the call costs."""
    saved_nusd: int | None
    """What an answer from the cache had cost when it was made."""
    cached_age_s: float | None
    routing: bytes
    """How the target was chosen (JSON, see `core.routing`); empty when there was nothing to choose."""
    change: str
    """What was done to the request so that it fits, in words."""
    skipped_events: int
    """Events of a stream that could not be read and were left out."""
    stored_at: datetime
    origin_call: str
    """The call that this one repeats; empty for a client's."""
    output_schema: str
    """Id of the schema that the answer was held against; empty where nothing was asked of it."""
    output_path: str
    """Where the answer first departs from its schema, as a JSON pointer."""
    output_error: str
    output_repairs: int
    hits: tuple[Hit, ...]
    """Documents that were found for the call, in the order in which they were given."""
    is_stale: bool
    """Served from what was last known, while the keeper was not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How often the values of one field occur among the calls of a filter, most frequent first."""

    field: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One step of a time series. A percentile is None where nothing was measured.

    Unless a filter names their origin, calls that are copies of others (shadows, replays) only count where money does.
    """

    at: datetime
    calls: int
    errors: int
    cancelled: int
    errors_by_class: dict[str, int] = field(default_factory=dict[str, int])
    duration_p50_ms: float | None
    duration_p95_ms: float | None
    duration_p99_ms: float | None
    first_token_p50_ms: float | None
    first_token_p95_ms: float | None
    cost_nusd: int
    """Sum of the priced calls; `unpriced_calls` says how many are missing from it."""
    estimated_nusd: int
    """The part of `cost_nusd` whose status is estimated."""
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    copied_calls: int = 0
    """Shadows and replays: they are in cost and tokens, and in no other figure."""
    checked_outputs: int = 0
    """Answers that were held against what their release asks for."""
    repaired_outputs: int = 0
    failed_outputs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one feature or model took part with."""

    name: str
    calls: int
    cost_nusd: int | None
    """Sum of the priced calls; None when none is priced."""
    unpriced_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A window in equal steps, oldest first, gaps filled, with the same figures over the whole window."""

    total: Bucket
    """`at` is the start of the window."""
    steps: tuple[Bucket, ...]
    step_s: int
    previous: Bucket
    """The window of equal length just before."""
    top_features: tuple[Share, ...]
    """By feature, dearest first, at most ten."""
    top_models: tuple[Share, ...]
    """By provider/model, dearest first, at most ten."""
