"""Turns the store's rows into the frozen types it answers with."""

import struct
from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from watchkeeper.core.call import Hit
from watchkeeper.store.rows import AttemptRow, CallDetail, CallRow, CostLine

_NAMES = tuple(field.name for field in fields(CallRow))
ROW_COLUMNS = ", ".join(_NAMES)
"""What to select for a `CallRow`, in its order."""
_INPUT, _OUTPUT, _USAGE = (_NAMES.index(name) for name in ("input_tokens", "output_tokens", "usage_status"))
_LISTS = tuple(_NAMES.index(name) for name in ("tool_names", "tags", "faults"))
_BUCKETS = (
    "input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_text", "output_reasoning", "audio_in",
    "audio_out", "image_in", "image_out", "server_tools",
)  # fmt: skip
_ATTEMPT_NAMES = tuple(field.name for field in fields(AttemptRow) if field.name != "usage")


def call_row(row: Sequence[Any]) -> CallRow:
    """Read the columns of `ROW_COLUMNS`; tokens that nobody counted are None, not 0."""
    values = list(row)
    if values[_USAGE] == "missing":
        values[_INPUT] = values[_OUTPUT] = None
    for place in _LISTS:
        values[place] = tuple(values[place])
    return CallRow(**dict(zip(_NAMES, values, strict=True)))


def attempt_row(row: Sequence[Any]) -> AttemptRow:
    """Read a row of `attempts.sql`."""
    width = len(_ATTEMPT_NAMES)
    return AttemptRow(**dict(zip(_ATTEMPT_NAMES, row[:width], strict=True)), usage=_usage(row[width:]))


def call_detail(row: Sequence[Any], attempts: tuple[AttemptRow, ...], body: Sequence[Any] | None) -> CallDetail:
    """Read a row of `call.sql` and one of `bodies.sql`; without the latter the bodies are empty."""
    width = len(_NAMES)
    (
        reported_model, trace_id, stored_at, saved_nusd, change, skipped_events, charged_nusd, origin_call,
        output_schema, output_path, output_repairs, collections, documents, versions, scores, is_stale, *buckets,
    ) = row[width:]  # fmt: skip
    (
        metadata_names, metadata_values, parent_span_id, worker, snapshot, error_message, user_agent, request_path,
        request_names, request_values, request_body, request_bytes, sent_body, response_names, response_values,
        response_body, response_bytes, delivered_bytes, offsets, usage_raw, line_buckets, line_units, line_rates,
        line_nusd, line_attempts, price_source, price_valid_from, routing, cached_age_s, output_error,
    ) = body or _NO_BODY  # fmt: skip
    return CallDetail(
        row=call_row(row[:width]),
        attempts=attempts,
        reported_model=reported_model,
        metadata=dict(zip(map(_text, metadata_names), map(_text, metadata_values), strict=True)),
        trace_id=trace_id,
        parent_span_id=_text(parent_span_id),
        worker=_text(worker),
        snapshot=_text(snapshot),
        error_message=_text(error_message),
        user_agent=_text(user_agent),
        request_path=_text(request_path),
        request_headers=_pairs(request_names, request_values),
        request_body=request_body,
        request_bytes=request_bytes,
        sent_body=sent_body,
        response_headers=_pairs(response_names, response_values),
        response_body=response_body,
        response_bytes=response_bytes,
        delivered_bytes=delivered_bytes,
        chunk_offsets_us=struct.unpack(f"<{len(offsets) // 4}I", offsets),
        usage=_usage(buckets),
        usage_raw=usage_raw,
        cost_lines=_cost_lines(line_buckets, line_units, line_rates, line_nusd, line_attempts),
        price_source=_text(price_source),
        price_valid_from=price_valid_from,
        saved_nusd=saved_nusd,
        charged_nusd=charged_nusd,
        cached_age_s=cached_age_s,
        routing=routing,
        change=change,
        skipped_events=int(skipped_events),
        stored_at=stored_at,
        origin_call=origin_call,
        output_schema=output_schema,
        output_path=output_path,
        output_error=_text(output_error),
        output_repairs=int(output_repairs),
        hits=tuple(map(Hit, collections, documents, versions, scores)),
        is_stale=bool(is_stale),
    )


_NO_BODY: tuple[Any, ...] = (
    [], [], "", "", "", "", "", "", [], [], b"", 0, None, [], [], b"", 0, 0, b"", b"", [], [], [], [], [],
    "", None, b"", None, "",
)  # fmt: skip


def _usage(buckets: Sequence[Any]) -> dict[str, int]:
    return {name: int(count) for name, count in zip(_BUCKETS, buckets, strict=True) if count}


def _cost_lines(
    buckets: Sequence[Any], units: Sequence[int], rates: Sequence[int], nusd: Sequence[int], attempts: Sequence[int]
) -> tuple[CostLine, ...]:
    """Put the columns of a bill together; one recorded before attempts were named on it names none."""
    numbers: Sequence[int | None] = attempts or [None] * len(nusd)
    return tuple(
        CostLine(bucket=_text(bucket), units=count, usd_per_million=Decimal(rate) / 10**9, amount_nusd=sum_, attempt=of)
        for bucket, count, rate, sum_, of in zip(buckets, units, rates, nusd, numbers, strict=True)
    )


def _pairs(names: Sequence[Any], values: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(map(_text, names), map(_text, values), strict=True))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
