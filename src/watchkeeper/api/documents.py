"""Calls as JSON: amounts as decimal strings beside their status, times in ISO 8601, null for what is not known."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.api.bodies import readable
from watchkeeper.core.call import CallStatus
from watchkeeper.core.money import CostStatus, usd
from watchkeeper.core.usage import UsageStatus
from watchkeeper.store.rows import AttemptRow, CallDetail, CallRow, CostLine

Dollars = Annotated[str, Field(description="Exact decimal in US dollars.", examples=["0.0000015"])]


class ErrorSummary(BaseModel):
    """Why a call did not succeed."""

    model_config = ConfigDict(serialize_by_alias=True)

    error_class: Annotated[str, Field(serialization_alias="class")]
    code: str


class CallError(ErrorSummary):
    """Why a call did not succeed, in words."""

    message: str


class Timing(BaseModel):
    """Milliseconds."""

    duration_ms: float
    first_token_ms: Annotated[float | None, Field(description="Of a stream: until its first byte went out.")]
    overhead_ms: Annotated[float, Field(description="Spent in the gateway, not waiting for an upstream.")]


class WholeTiming(Timing):
    """Milliseconds, with the chunks of a stream."""

    chunk_offsets_ms: Annotated[list[float], Field(description="Arrival of each chunk, from the start of the call.")]


class UsageSummary(BaseModel):
    """Tokens; null where nobody counted."""

    status: UsageStatus
    input_tokens: int | None
    output_tokens: int | None


class WholeUsage(UsageSummary):
    """Tokens in disjoint buckets; null where nobody counted."""

    input_uncached: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output_text: int | None
    output_reasoning: int | None
    audio_in: int | None
    audio_out: int | None
    reported: Annotated[Any, Field(description="A stream's usage in the upstream's words; else it is in the response.")]


_BUCKETS = tuple(
    name for name in WholeUsage.model_fields if name not in UsageSummary.model_fields and name != "reported"
)


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


class WholeCost(CostSummary):
    """What a call cost, and how that comes about."""

    lines: list[Line]
    source: Annotated[str | None, Field(description="Which price list, and which row of it.")]
    valid_from: datetime | None


class _Call(BaseModel):
    """What a list shows of a call, and the whole of it as well."""

    id: str
    started_at: datetime
    feature: str
    tenant: str
    subject: Annotated[str, Field(description="Pseudonym of the person; empty for none.")]
    session: str
    key: Annotated[str, Field(description="Public part of the key.")]
    environment: str
    release: str
    route: str
    surface: str
    requested_model: str
    provider: Annotated[str, Field(description="Of the last attempt.")]
    model: Annotated[str, Field(description="Sent upstream at the last attempt.")]
    is_stream: bool
    status: CallStatus
    http_status: Annotated[int, Field(description="What the client saw; 0 when it left before.")]
    finish_reason: str
    tools: Annotated[list[str], Field(description="Names of the tools that the model called.")]
    tags: list[str]
    input_preview: str
    output_preview: str


class CallSummary(_Call):
    """A call as a list shows it."""

    error: ErrorSummary | None
    attempts: Annotated[int, Field(description="How many there were.")]
    timing: Timing
    usage: UsageSummary
    cost: CostSummary


class Attempt(BaseModel):
    """One try against one target; times in milliseconds from the start of the call."""

    number: int
    provider: str
    model: str
    dialect: str
    started_ms: float
    connect_ms: Annotated[float | None, Field(description="Null when a connection was reused, or none was opened.")]
    first_byte_ms: float | None
    ended_ms: float
    http_status: Annotated[int, Field(description="0 when no response came.")]
    error_class: str
    error_message: str
    upstream_request_id: str
    request_bytes: int
    response_bytes: int


class Http(BaseModel):
    """How request and response travelled; credentials and cookies are never recorded."""

    path: str
    user_agent: str
    request_headers: list[tuple[str, str]]
    request_bytes: int
    is_request_cut: Annotated[bool, Field(description="Whether only the beginning of the body was recorded.")]
    response_headers: Annotated[list[tuple[str, str]], Field(description="The upstream's, of the last attempt.")]
    response_bytes: int
    is_response_cut: bool
    delivered_bytes: Annotated[int, Field(description="Handed to the client's connection.")]


_BODY = "JSON where it is JSON, text where it is text, else `{base64: ...}`; null for none."


class CallDocument(_Call):
    """Everything that is known of a call."""

    error: CallError | None
    attempts: list[Attempt]
    timing: WholeTiming
    usage: WholeUsage
    cost: WholeCost
    request: Annotated[Any, Field(description=f"The body as received. {_BODY}")]
    sent: Annotated[Any, Field(description="What went upstream at the last attempt; null where it was the same bytes.")]
    response: Annotated[Any, Field(description=f"The body as the upstream sent it; a stream's events as text. {_BODY}")]
    http: Http
    reported_model: Annotated[str, Field(description="What the upstream says has answered.")]
    metadata: dict[str, str]
    trace_id: str
    parent_span_id: str
    worker: str
    snapshot: Annotated[str, Field(description="Version of the configuration that served it.")]
    stored_at: datetime


class CallList(BaseModel):
    """Calls, newest first."""

    calls: list[CallSummary]
    next_before: Annotated[str | None, Field(description="Pass it as `before` for the next page; null on the last.")]


class Arrivals(BaseModel):
    """Calls in the order in which they were stored."""

    calls: list[CallSummary]
    after: Annotated[str, Field(description="Pass it as `after`; who does misses none.")]


def call_summary(row: CallRow) -> CallSummary:
    """A call as a list shows it."""
    return CallSummary(
        **_facts(row),
        error=ErrorSummary(error_class=row.error_class, code=row.error_code) if row.error_class else None,
        attempts=row.attempt_count,
        timing=Timing(duration_ms=row.duration_ms, first_token_ms=row.first_token_ms, overhead_ms=row.overhead_ms),
        usage=UsageSummary(status=row.usage_status, input_tokens=row.input_tokens, output_tokens=row.output_tokens),
        cost=CostSummary(amount_usd=None if row.cost_nusd is None else usd(row.cost_nusd), status=row.cost_status),
    )


def call_document(call: CallDetail) -> CallDocument:
    """A call with everything that is known of it."""
    row = call.row
    return CallDocument(
        **_facts(row),
        error=CallError(error_class=row.error_class, code=row.error_code, message=call.error_message)
        if row.error_class
        else None,
        attempts=[_attempt(attempt) for attempt in call.attempts],
        timing=WholeTiming(
            duration_ms=row.duration_ms,
            first_token_ms=row.first_token_ms,
            overhead_ms=row.overhead_ms,
            chunk_offsets_ms=[offset_us / 1000 for offset_us in call.chunk_offsets_us],
        ),
        usage=_usage(call),
        cost=_cost(call),
        request=readable(call.request_body),
        sent=None if call.sent_body is None else readable(call.sent_body),
        response=readable(call.response_body),
        http=_http(call),
        reported_model=call.reported_model,
        metadata=call.metadata,
        trace_id=call.trace_id,
        parent_span_id=call.parent_span_id,
        worker=call.worker,
        snapshot=call.snapshot,
        stored_at=call.stored_at,
    )


def _facts(row: CallRow) -> dict[str, Any]:
    named_otherwise = {"key": row.key_id, "tools": list(row.tool_names), "tags": list(row.tags)}
    return {name: getattr(row, name) for name in _Call.model_fields if name not in named_otherwise} | named_otherwise


def _attempt(attempt: AttemptRow) -> Attempt:
    return Attempt(**{name: getattr(attempt, name) for name in Attempt.model_fields})


def _usage(call: CallDetail) -> WholeUsage:
    row = call.row
    nothing = None if row.usage_status == "missing" else 0
    return WholeUsage(
        status=row.usage_status,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        reported=readable(call.usage_raw),
        **{name: call.usage.get(name, nothing) for name in _BUCKETS},
    )


def _cost(call: CallDetail) -> WholeCost:
    row = call.row
    return WholeCost(
        amount_usd=None if row.cost_nusd is None else usd(row.cost_nusd),
        status=row.cost_status,
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
    )


def _http(call: CallDetail) -> Http:
    return Http(
        path=call.request_path,
        user_agent=call.user_agent,
        request_headers=list(call.request_headers),
        request_bytes=call.request_bytes,
        is_request_cut=len(call.request_body) < call.request_bytes,
        response_headers=list(call.response_headers),
        response_bytes=call.response_bytes,
        is_response_cut=len(call.response_body) < call.response_bytes,
        delivered_bytes=call.delivered_bytes,
    )
