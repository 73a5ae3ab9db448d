"""Calls on their way into the analytics store: rows of three tables, written in MessagePack as they are added.

The store reads that format as fast as its own (measured: 30 us for a call's thin row, most of it the text index), and a
batch of bytes costs the garbage collector nothing, where thousands of tuples took it a fifth of the time of ingest.
"""

from typing import Any

import msgspec

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
"""Values in the order of a table's columns; a time is a count of the column's unit since 1970."""

ARRAY_HEAD_BYTES = 3
"""What MessagePack writes before an array of 16 values or more; the store wants the values alone."""

_encode = msgspec.msgpack.Encoder().encode


class Rows:
    """Rows of one table."""

    def __init__(self, names: tuple[str, ...]) -> None:
        assert len(names) > 15
        self.names = names
        self.payload = bytearray()
        self.count = 0

    def add(self, encoded: bytes) -> None:
        """Add a row that was encoded as an array."""
        self.payload += memoryview(encoded)[ARRAY_HEAD_BYTES:]
        self.count += 1


class CallBatch:
    """Calls as rows of the three tables."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.calls = Rows(CALL_COLUMNS)
        self.attempts = Rows(ATTEMPT_COLUMNS)
        self.bodies = Rows(BODY_COLUMNS)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, call_id: str, call: Row, attempts: list[Row], body: Row) -> None:
        """Add a call.

        Raises:
            TypeError, OverflowError: a value cannot be written; nothing was added.
        """
        encoded = _encode(call), [_encode(attempt) for attempt in attempts], _encode(body)
        self.ids.append(call_id)
        self.calls.add(encoded[0])
        for attempt in encoded[1]:
            self.attempts.add(attempt)
        self.bodies.add(encoded[2])
