"""Turns a finished call into the rows of the three tables."""

from array import array
from datetime import UTC, datetime, timedelta

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.digest import Digest, digest
from watchkeeper.ingest.pricing import Priced, Pricer
from watchkeeper.store.batch import CallBatch, Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_USAGE = Usage()
_NO_ATTEMPT = Attempt(number=0, provider="", model="", dialect="", started_ms=0.0)


def add_call(batch: CallBatch, call: Call, pricer: Pricer, *, stored_at: datetime) -> None:
    """Add a call's rows to a batch.

    Raises:
        ValueError: a field of the call is outside what the store can hold; nothing was added.
    """
    started_at = _EPOCH + timedelta(microseconds=call.started_ns // 1000)
    priced = pricer.price(call)
    row = _call(call, digest(call), priced, started_at, stored_at)
    attempts = [_attempt(call.id, started_at, attempt) for attempt in call.attempts]
    body = _body(call, priced, started_at)
    batch.calls.append(row)
    batch.attempts += attempts
    batch.bodies.append(body)


def _call(call: Call, seen: Digest, priced: Priced, started_at: datetime, stored_at: datetime) -> Row:
    last = call.attempts[-1] if call.attempts else _NO_ATTEMPT
    usage = call.usage or _NO_USAGE
    return (
        call.id, started_at, stored_at, call.feature, call.tenant, call.subject, call.session, call.key_id,
        call.environment, call.release, call.route, call.surface, last.provider, last.model, call.requested_model,
        call.reported_model, call.is_stream, call.status, call.http_status, call.error_class, call.error_code,
        len(call.attempts), call.usage_status, usage.input_uncached, usage.cache_read, usage.cache_write_5m,
        usage.cache_write_1h, usage.output_text, usage.output_reasoning, usage.audio_in, usage.audio_out, priced.nusd,
        priced.status, call.duration_ms, call.first_token_ms, call.overhead_ms, seen.finish_reason,
        list(seen.tool_names), call.tags, call.trace_id, seen.input_preview, seen.output_preview, seen.words,
    )  # fmt: skip


def _attempt(call_id: str, started_at: datetime, attempt: Attempt) -> Row:
    return (
        call_id, started_at, attempt.number, attempt.provider, attempt.model, attempt.dialect, attempt.started_ms,
        attempt.connect_ms, attempt.first_byte_ms, attempt.ended_ms, attempt.http_status, attempt.error_class,
        attempt.error_message, attempt.upstream_request_id, attempt.request_bytes, attempt.response_bytes,
    )  # fmt: skip


def _body(call: Call, priced: Priced, started_at: datetime) -> Row:
    request_names, request_values = _headers(call.request_headers)
    response_names, response_values = _headers(call.response_headers)
    offsets = array("I")
    offsets.frombytes(call.chunk_offsets_us)
    valid_from_ns = priced.valid_from_ns
    valid_from = None if valid_from_ns is None else _EPOCH + timedelta(microseconds=valid_from_ns // 1000)
    user_agent = next(
        (value for name, value in zip(request_names, request_values, strict=True) if name == "user-agent"), ""
    )
    return (
        call.id, started_at, list(call.metadata), list(call.metadata.values()), call.parent_span_id, call.worker,
        call.snapshot, call.error_message, user_agent, call.request_path, request_names, request_values,
        call.request_body, call.request_bytes, call.sent_body, response_names, response_values, call.response_body,
        call.response_bytes, call.delivered_bytes, offsets.tolist(), call.usage_raw,
        [line.bucket for line in priced.lines], [line.units for line in priced.lines],
        [line.nusd_per_million for line in priced.lines], [line.nusd for line in priced.lines],
        priced.source, valid_from,
    )  # fmt: skip


def _headers(pairs: list[tuple[bytes, bytes]]) -> tuple[list[str], list[str]]:
    return [name.decode("latin-1") for name, _ in pairs], [value.decode("latin-1") for _, value in pairs]
