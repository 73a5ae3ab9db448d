"""The store's rows as JSON: amounts as decimal strings, times in ISO 8601, bodies readable where they are text."""

import base64
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from watchkeeper.core.money import usd
from watchkeeper.core.usage import Usage
from watchkeeper.store.keys import KeyRow
from watchkeeper.store.rows import AttemptRow, Bucket, CallDetail, CallRow, Overview

Document = dict[str, Any]
_NO_TOKENS = {field: 0 for field in Usage.__struct_fields__}


def call_summary(row: CallRow) -> Document:
    """A call as a list shows it."""
    return {
        "id": row.id,
        "started_at": _time(row.started_at),
        "feature": row.feature,
        "tenant": row.tenant,
        "subject": row.subject,
        "session": row.session,
        "key": row.key_id,
        "environment": row.environment,
        "release": row.release,
        "route": row.route,
        "surface": row.surface,
        "requested_model": row.requested_model,
        "provider": row.provider,
        "model": row.model,
        "is_stream": row.is_stream,
        "status": row.status,
        "http_status": row.http_status,
        "error": {"class": row.error_class, "code": row.error_code} if row.error_class else None,
        "attempts": row.attempt_count,
        "timing": {
            "duration_ms": row.duration_ms,
            "first_token_ms": row.first_token_ms,
            "overhead_ms": row.overhead_ms,
        },
        "usage": {"status": row.usage_status, "input_tokens": row.input_tokens, "output_tokens": row.output_tokens},
        "cost": _cost(row),
        "finish_reason": row.finish_reason,
        "tools": list(row.tool_names),
        "tags": list(row.tags),
        "input_preview": row.input_preview,
        "output_preview": row.output_preview,
    }


def call_document(call: CallDetail) -> Document:
    """A call with everything that is known of it.

    `request` and `response` are the bodies as received (a stream's events as text); `sent` is what went upstream, null
    where it was the request unchanged.
    """
    row = call.row
    summary = call_summary(row)
    return summary | {
        "reported_model": call.reported_model,
        "metadata": call.metadata,
        "trace_id": call.trace_id,
        "parent_span_id": call.parent_span_id,
        "worker": call.worker,
        "snapshot": call.snapshot,
        "error": {"class": row.error_class, "code": row.error_code, "message": call.error_message}
        if row.error_class
        else None,
        "attempts": [attempt_document(attempt) for attempt in call.attempts],
        "timing": summary["timing"] | {"chunk_offsets_ms": [offset / 1000 for offset in call.chunk_offsets_us]},
        "usage": summary["usage"] | _NO_TOKENS | call.usage,
        "cost": summary["cost"]
        | {
            "lines": [
                {
                    "bucket": line.bucket,
                    "units": line.units,
                    "usd_per_million": str(line.usd_per_million),
                    "amount_usd": usd(line.amount_nusd),
                }
                for line in call.cost_lines
            ],
            "source": call.price_source or None,
            "valid_from": _time(call.price_valid_from),
        },
        "request": _body(call.request_body),
        "sent": None if call.sent_body is None else _body(call.sent_body),
        "response": _body(call.response_body),
        "http": {
            "path": call.request_path,
            "user_agent": call.user_agent,
            "request_headers": [list(pair) for pair in call.request_headers],
            "request_bytes": call.request_bytes,
            "is_request_cut": len(call.request_body) < call.request_bytes,
            "response_headers": [list(pair) for pair in call.response_headers],
            "response_bytes": call.response_bytes,
            "is_response_cut": len(call.response_body) < call.response_bytes,
            "delivered_bytes": call.delivered_bytes,
        },
        "stored_at": _time(call.stored_at),
    }


def attempt_document(attempt: AttemptRow) -> Document:
    """One attempt."""
    return asdict(attempt)


def key_document(key: KeyRow, now: datetime) -> Document:
    """A key without its secret."""
    return asdict(key) | {
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
        "is_valid": key.is_valid_at(now),
    }


def overview_document(found: Overview) -> Document:
    """A window in steps."""
    return {
        "step_s": found.step_s,
        "total": _bucket(found.total),
        "previous": _bucket(found.previous),
        "steps": [_bucket(step) for step in found.steps],
        "top_features": [_top(*row) for row in found.top_features],
        "top_models": [_top(*row) for row in found.top_models],
    }


def _bucket(bucket: Bucket) -> Document:
    fields = asdict(bucket)
    cost, estimated = fields.pop("cost_nusd"), fields.pop("estimated_nusd")
    return fields | {"at": _time(bucket.at), "cost_usd": usd(cost), "estimated_usd": usd(estimated)}


def _top(name: str, calls: int, nusd: int) -> Document:
    return {"name": name, "calls": calls, "cost_usd": usd(nusd)}


def _cost(row: CallRow) -> Document:
    return {"amount_usd": None if row.cost_nusd is None else usd(row.cost_nusd), "status": row.cost_status}


def _body(body: bytes) -> Any:
    """JSON as JSON, text as text, all else as `{"base64": ...}`."""
    parsed = _json(body)
    if parsed is not None:
        return parsed
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
