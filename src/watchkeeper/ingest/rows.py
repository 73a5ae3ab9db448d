"""Turns a finished call into the rows of four tables, and feedback into a row of one."""

from collections.abc import Iterable

from msgspec.structs import astuple

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.feedback import FeedbackEvent
from watchkeeper.core.money import Charge
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.digest import Digest, digest, request_hash
from watchkeeper.ingest.pricing import Priced, PricedAttempt, Pricer
from watchkeeper.ingest.settling import amount_of
from watchkeeper.money.prices import Line
from watchkeeper.store.batch import CallBatch, Row

COUNT_MAX = 2**63 - 1
SMALL_MAX = 2**16 - 1

_NO_USAGE = Usage()
_NO_COUNTS = astuple(_NO_USAGE)
_NO_ATTEMPT = Attempt(number=0, provider="", model="", dialect="", started_ms=0.0)


def add_call(batch: CallBatch, call: Call, pricer: Pricer, *, stored_us: int) -> Priced:
    """Add a call's rows to a batch and return its final price.

    Args:
        batch: Takes the rows.
        call: Finished.
        pricer: Prices it.
        stored_us: Unix time, for the order in which calls are followed.

    Raises:
        ValueError: a field of the call is outside what the store can hold; nothing was added.
    """
    _check(call)
    started_us = call.started_ns // 1000
    priced = pricer.price(call)
    batch.add(
        call.id,
        _call(call, digest(call), priced, started_us, stored_us),
        [
            _attempt(call.id, started_us, attempt, cost)
            for attempt, cost in zip(call.attempts, priced.attempts, strict=True)
        ],
        _body(call, priced, started_us),
        [_charge(call.id, started_us, charge, priced) for charge in call.charges],
    )
    return priced


def add_feedback(batch: CallBatch, event: FeedbackEvent, *, stored_us: int) -> None:
    """Add feedback to a batch, with the Unix time at which it is stored.

    Raises:
        ValueError: a number is outside what the store can hold; nothing was added.
    """
    if event.received_ns < 0 or abs(event.value_milli or 0) > COUNT_MAX:
        raise ValueError("a number in the feedback is negative or too large")
    batch.add_feedback(
        (
            event.entry, stored_us, event.id, event.received_ns // 1000, event.key_id, event.feature, event.tenant,
            event.call_id, event.session, event.name, event.score, event.label, event.comment, event.value_milli,
        )
    )  # fmt: skip


def _check(call: Call) -> None:
    """Refuse numbers that no column holds: the store would refuse the whole batch for one of them."""
    counts = [
        call.request_bytes, call.response_bytes, call.delivered_bytes, call.skipped_events, call.saved_nusd or 0,
        call.value_milli or 0, call.output_repairs,
        *astuple(call.usage or _NO_USAGE),
    ]  # fmt: skip
    for charge in call.charges:
        counts += (charge.held, charge.drawn, charge.amount or 0)
    small = [call.http_status]
    for attempt in call.attempts:
        counts += (attempt.request_bytes, attempt.response_bytes)
        if attempt.usage is not None and attempt.usage != call.usage:
            counts += astuple(attempt.usage)
        small += (attempt.http_status, attempt.number)
    if min(counts) < 0 or max(counts) > COUNT_MAX or min(small) < 0 or max(small) > SMALL_MAX:
        raise ValueError("a number in the call is negative or too large")


def _call(call: Call, seen: Digest, priced: Priced, started_us: int, stored_us: int) -> Row:
    last = call.attempts[-1] if call.attempts else _NO_ATTEMPT
    usage = call.usage or _NO_USAGE
    return (
        call.id, started_us, stored_us, call.feature, call.tenant, call.subject, call.session, call.key_id,
        call.environment, call.release, call.route, call.surface, last.provider, last.model, call.requested_model,
        call.reported_model, call.is_stream, call.status, call.http_status, call.error_class, call.error_code,
        len(call.attempts), call.usage_status, usage.input_uncached, usage.cache_read, usage.cache_write_5m,
        usage.cache_write_1h, usage.output_text, usage.output_reasoning, usage.audio_in, usage.audio_out, priced.nusd,
        priced.status, round(call.duration_ms, 3), _rounded(call.first_token_ms), round(call.overhead_ms, 3),
        seen.finish_reason, seen.tool_names, tuple(call.tags), call.trace_id, seen.input_preview, seen.output_preview,
        seen.words, call.served_from, call.saved_nusd, tuple(call.faults), call.change, call.skipped_events,
        usage.image_in, usage.image_out, usage.server_tools, priced.charged_nusd,
        tuple(call.budget_notes),
        call.value_milli, request_hash(call), call.rollout, call.origin, call.origin_call, call.output_schema,
        call.output_status, call.output_path, call.output_repairs,
        tuple([hit.collection for hit in call.hits]), tuple([hit.document for hit in call.hits]),
        tuple([hit.version for hit in call.hits]), tuple([hit.score for hit in call.hits]), call.is_stale,
        seen.input_letters, seen.output_letters, seen.input_language, seen.output_language, seen.answer_form,
    )  # fmt: skip


def _attempt(call_id: str, started_us: int, attempt: Attempt, cost: PricedAttempt) -> Row:
    return (
        call_id, started_us, attempt.number, attempt.provider, attempt.model, attempt.dialect,
        round(attempt.started_ms, 3), _rounded(attempt.connect_ms), _rounded(attempt.first_byte_ms),
        round(attempt.ended_ms, 3), attempt.http_status, attempt.error_class, attempt.error_message,
        attempt.upstream_request_id, attempt.request_bytes, attempt.response_bytes, attempt.kind,
        round(attempt.waited_ms, 3), _rounded(attempt.first_token_ms), attempt.error_code, attempt.fault,
        *(_NO_COUNTS if attempt.usage is None else astuple(attempt.usage)), attempt.usage_status, cost.nusd,
        cost.status, attempt.service_tier,
    )  # fmt: skip


def _body(call: Call, priced: Priced, started_us: int) -> Row:
    request_names, request_values = _headers(call.request_headers)
    response_names, response_values = _headers(call.response_headers)
    valid_from_ms = None if priced.valid_from_ns is None else priced.valid_from_ns // 1_000_000
    user_agent = request_values[request_names.index("user-agent")] if "user-agent" in request_names else ""
    return (
        call.id, started_us, tuple(call.metadata), tuple(call.metadata.values()), call.parent_span_id, call.worker,
        call.snapshot, call.error_message, user_agent, call.request_path, request_names, request_values,
        call.request_body, call.request_bytes, call.sent_body, response_names, response_values, call.response_body,
        call.response_bytes, call.delivered_bytes, call.chunk_offsets_us, call.usage_raw,
        *_columns_of(priced.lines), tuple(priced.line_attempts), priced.source, valid_from_ms, call.routing,
        _rounded(call.cached_age_s), call.output_error,
    )  # fmt: skip


def _charge(call_id: str, started_us: int, charge: Charge, priced: Priced) -> Row:
    amount = amount_of(charge, priced)
    return (call_id, started_us, charge.key, charge.rule, charge.unit, charge.held, charge.drawn, amount)


def _rounded(ms: float | None) -> float | None:
    """To the microsecond: finer digits mean nothing and take a third of the space."""
    return None if ms is None else round(ms, 3)


def _headers(pairs: list[tuple[bytes, bytes]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple([name.decode("latin-1") for name, _ in pairs]), tuple([value.decode("latin-1") for _, value in pairs])


def _columns_of(lines: list[Line]) -> Iterable[tuple[str | int, ...]]:
    return zip(*lines, strict=True) if lines else ((), (), (), ())
