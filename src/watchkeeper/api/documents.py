"""Calls as JSON: amounts as decimal strings beside their status, times in ISO 8601, null for what is not known."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.api.amounts import (
    CostSummary,
    UsageSummary,
    WholeCost,
    WholeUsage,
    cost_summary,
    usage_summary,
    whole_cost,
    whole_usage,
)
from watchkeeper.api.attempts import (
    Attempt,
    Cached,
    Routing,
    attempt_document,
    cached_document,
    routing_document,
)
from watchkeeper.api.bodies import readable
from watchkeeper.api.feedback_documents import FeedbackDocument
from watchkeeper.core.call import CallStatus, Origin, OutputStatus, ServedFrom
from watchkeeper.store.rows import CallDetail, CallRow


class ErrorSummary(BaseModel):
    """Why a call did not succeed."""

    model_config = ConfigDict(serialize_by_alias=True)

    error_class: Annotated[str, Field(serialization_alias="class")]
    code: str


class CallError(ErrorSummary):
    """Why a call did not succeed, in words."""

    message: Annotated[str, Field(description="May quote what was asked; empty for who may not read that.")]


class Timing(BaseModel):
    """Milliseconds."""

    duration_ms: float
    first_token_ms: Annotated[float | None, Field(description="Of a stream: until its first byte went out.")]
    overhead_ms: Annotated[float, Field(description="Spent in the gateway, not waiting for an upstream.")]


class WholeTiming(Timing):
    """Milliseconds, with the chunks of a stream."""

    chunk_offsets_ms: Annotated[list[float], Field(description="Arrival of each chunk, from the start of the call.")]


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
    served_from: Annotated[
        ServedFrom, Field(description="Where the answer came from: upstream, cache, stale_cache, set_answer; or none.")
    ]
    faults: Annotated[list[str], Field(description="Ids of the faults that were injected into its attempts.")]
    rollout: Annotated[str, Field(description="Id of the rollout that chose the release; empty for none.")]
    origin: Annotated[Origin, Field(description="client; or shadow or replay for a copy of another call.")]
    output_status: Annotated[
        OutputStatus, Field(description="ok, repaired or failed; empty where nothing was asked of the answer.")
    ]


class CallSummary(_Call):
    """A call as a list shows it."""

    error: ErrorSummary | None
    attempts: Annotated[int, Field(description="How many there were.")]
    timing: Timing
    usage: UsageSummary
    cost: CostSummary


class Http(BaseModel):
    """How request and response travelled; credentials and cookies are never recorded."""

    path: str
    user_agent: str
    request_headers: Annotated[
        list[tuple[str, str]], Field(description="Left out with the bodies: a prompt's variables are among them.")
    ]
    request_bytes: int
    is_request_cut: Annotated[bool, Field(description="Whether only the beginning of the body was recorded.")]
    response_headers: Annotated[list[tuple[str, str]], Field(description="The upstream's, of the last attempt.")]
    response_bytes: int
    is_response_cut: bool
    delivered_bytes: Annotated[int, Field(description="Handed to the client's connection.")]


_BODY = "JSON where it is JSON, text where it is text, else `{base64: ...}`; null for none."


class Output(BaseModel):
    """The answer, held against what its release asks for."""

    schema_id: Annotated[str, Field(description="Of the schema; `json` where any JSON would do.")]
    status: OutputStatus
    path: Annotated[str, Field(description="Where it first departed from it, as a JSON pointer; may quote the answer.")]
    error: Annotated[str, Field(description="In words, which may quote the answer.")]
    repairs: Annotated[int, Field(description="Attempts that were made to mend it; they are on the bill.")]


class FoundDocument(BaseModel):
    """A document that was found for a call."""

    collection: str
    document: str
    version: str
    score: float | None


class CallDocument(_Call):
    """Everything that is known of a call."""

    error: CallError | None
    attempts: list[Attempt]
    timing: WholeTiming
    usage: WholeUsage
    cost: WholeCost
    cached: Annotated[Cached | None, Field(description="Null unless the answer came from the cache.")]
    change: Annotated[str, Field(description="What was done to the request so that it fits; empty for nothing.")]
    skipped_events: Annotated[int, Field(description="Events of a stream that could not be read and were left out.")]
    routing: Annotated[Routing | None, Field(description="How the target was chosen; null: there was only one.")]
    request: Annotated[Any, Field(description=f"The body as received. {_BODY}")]
    sent: Annotated[Any, Field(description="What went upstream at the last attempt; null where it was the same bytes.")]
    response: Annotated[Any, Field(description=f"The body as the upstream sent it; a stream's events as text. {_BODY}")]
    is_text_withheld: Annotated[
        bool,
        Field(description="Whether bodies, previews and what quotes them are left out: not asked for, or not for you."),
    ]
    http: Http
    reported_model: Annotated[str, Field(description="What the upstream says has answered.")]
    metadata: dict[str, str]
    trace_id: str
    parent_span_id: str
    worker: str
    snapshot: Annotated[str, Field(description="Version of the configuration that served it.")]
    stored_at: datetime
    feedback: Annotated[
        list[FeedbackDocument], Field(description="What was said of it and of its session, the newest first.")
    ] = []
    origin_call: Annotated[str, Field(description="The call that this one repeats; empty for a client's.")]
    output: Annotated[Output | None, Field(description="Null where nothing was asked of the answer.")]
    hits: Annotated[list[FoundDocument], Field(description="What was found for it, in the order given.")]
    is_stale: Annotated[bool, Field(description="Served from what was last known, without a keeper.")]


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
        usage=usage_summary(row),
        cost=cost_summary(row.cost_nusd, row.cost_status),
    )


def call_document(call: CallDetail, *, is_text_shown: bool = True) -> CallDocument:
    """A call with everything that is known of it, or without what was asked and answered."""
    row = call.row
    document = CallDocument(
        **_facts(row),
        error=CallError(error_class=row.error_class, code=row.error_code, message=call.error_message)
        if row.error_class
        else None,
        attempts=[attempt_document(attempt) for attempt in call.attempts],
        timing=WholeTiming(
            duration_ms=row.duration_ms,
            first_token_ms=row.first_token_ms,
            overhead_ms=row.overhead_ms,
            chunk_offsets_ms=[offset_us / 1000 for offset_us in call.chunk_offsets_us],
        ),
        usage=whole_usage(call),
        cost=whole_cost(call),
        cached=cached_document(call),
        change=call.change,
        skipped_events=call.skipped_events,
        routing=routing_document(call),
        request=readable(call.request_body),
        sent=None if call.sent_body is None else readable(call.sent_body),
        response=readable(call.response_body),
        is_text_withheld=not is_text_shown,
        http=_http(call, is_text_shown=is_text_shown),
        reported_model=call.reported_model,
        metadata=call.metadata,
        trace_id=call.trace_id,
        parent_span_id=call.parent_span_id,
        worker=call.worker,
        snapshot=call.snapshot,
        stored_at=call.stored_at,
        origin_call=call.origin_call,
        output=_output(call, is_text_shown=is_text_shown),
        hits=[
            FoundDocument(collection=hit.collection, document=hit.document, version=hit.version, score=hit.score)
            for hit in call.hits
        ],
        is_stale=call.is_stale,
    )
    return document if is_text_shown else document.model_copy(update=_NO_TEXT)


_NO_TEXT = {"request": None, "sent": None, "response": None, "input_preview": "", "output_preview": ""}


def _output(call: CallDetail, *, is_text_shown: bool) -> Output | None:
    if not call.row.output_status:
        return None
    return Output(
        schema_id=call.output_schema,
        status=call.row.output_status,
        path=call.output_path if is_text_shown else "",
        error=call.output_error if is_text_shown else "",
        repairs=call.output_repairs,
    )


def _facts(row: CallRow) -> dict[str, Any]:
    named_otherwise = {
        "key": row.key_id,
        "tools": list(row.tool_names),
        "tags": list(row.tags),
        "faults": list(row.faults),
    }
    return {name: getattr(row, name) for name in _Call.model_fields if name not in named_otherwise} | named_otherwise


def _http(call: CallDetail, *, is_text_shown: bool) -> Http:
    return Http(
        path=call.request_path,
        user_agent=call.user_agent,
        request_headers=list(call.request_headers) if is_text_shown else [],
        request_bytes=call.request_bytes,
        is_request_cut=len(call.request_body) < call.request_bytes,
        response_headers=list(call.response_headers),
        response_bytes=call.response_bytes,
        is_response_cut=len(call.response_body) < call.response_bytes,
        delivered_bytes=call.delivered_bytes,
    )
