"""Calls on their way into the analytics store: three tables, column by column, in the order of the schema."""

from collections.abc import Iterable
from typing import Any

CALL_COLUMNS = (
    "id", "started_at", "stored_at", "feature", "tenant", "subject", "session", "key_id", "environment", "release",
    "route", "surface", "provider", "model", "requested_model", "reported_model", "is_stream", "status",
    "http_status", "error_class", "error_code", "attempt_count", "usage_status", "input_uncached", "cache_read",
    "cache_write_5m", "cache_write_1h", "output_text", "output_reasoning", "audio_in", "audio_out", "cost_nusd",
    "cost_status", "duration_ms", "first_token_ms", "overhead_ms", "finish_reason", "tool_names", "tags", "trace_id",
    "input_preview", "output_preview", "words",
)  # fmt: skip
ATTEMPT_COLUMNS = (
    "call_id", "call_started_at", "number", "provider", "model", "dialect", "started_ms", "connect_ms",
    "first_byte_ms", "ended_ms", "http_status", "error_class", "error_message", "upstream_request_id",
    "request_bytes", "response_bytes",
)  # fmt: skip
BODY_COLUMNS = (
    "call_id", "call_started_at", "metadata_names", "metadata_values", "parent_span_id", "worker", "snapshot",
    "error_message", "user_agent", "request_path", "request_header_names", "request_header_values", "request_body",
    "request_bytes", "sent_body", "response_header_names", "response_header_values", "response_body",
    "response_bytes", "delivered_bytes", "chunk_offsets_us", "usage_raw", "line_buckets", "line_units",
    "line_nusd_per_million", "line_nusd", "price_source", "price_valid_from",
)  # fmt: skip

Row = tuple[Any, ...]


class CallBatch:
    """Rows of the three tables."""

    def __init__(self) -> None:
        self.calls: list[Row] = []
        self.attempts: list[Row] = []
        self.bodies: list[Row] = []

    def __len__(self) -> int:
        return len(self.calls)


def columns(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Turn rows into columns, which is how the store takes them in fastest."""
    return list(zip(*rows, strict=True))
