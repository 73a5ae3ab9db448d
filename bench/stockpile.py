"""Fills a data folder's empty store, inside the store: `python -m bench.stockpile FOLDER CALLS DAYS`."""

import sys
from pathlib import Path

import clickhouse_connect

from watchkeeper.server.folder import DataFolder
from watchkeeper.store.analytics import AnalyticsStore

SLICE = 250_000
"""Calls of one insert, so that memory stays bounded and the store has parts to merge as in real life."""

_WHO = {
    "feature": "concat('feature-', toString(k % 12))",
    "tenant": "concat('tenant-', toString(k % 300))",
    "subject": "hex(sipHash64(k % 200000, 's'))",
    "session": "hex(sipHash64(k % 1000000, 'e'))",
    "key_id": "concat('key', toString(k % 40))",
}
_MODEL = "['gpt-4o-mini', 'gpt-4o', 'gpt-4.1', 'smollm2-135m'][k % 4 + 1]"
_CALLS = {
    "id": "call_id",
    "started_at": "at",
    "stored_at": "at",
    **_WHO,
    "environment": "'production'",
    "release": "''",
    "route": _MODEL,
    "surface": "'chat'",
    "provider": "['openai', 'openai', 'azure', 'local'][k % 4 + 1]",
    "model": _MODEL,
    "requested_model": _MODEL,
    "reported_model": _MODEL,
    "is_stream": "k % 2 = 0",
    "status": "ended",
    "http_status": "if(ended = 'ok', 200, 502)",
    "error_class": "if(ended = 'ok', '', ['timeout', 'rate_limit', 'upstream_error'][k % 3 + 1])",
    "error_code": "''",
    "attempt_count": "1",
    "usage_status": "'measured'",
    "input_uncached": "k % 900 + 100",
    "output_text": "k % 400 + 20",
    "cost_nusd": "toInt64((k % 900 + 100) * 150 + (k % 400 + 20) * 600)",
    "cost_status": "'measured'",
    "duration_ms": "lasted_ms",
    "first_token_ms": "if(k % 2 = 0, lasted_ms / 4, NULL)",
    "overhead_ms": "0.2",
    "finish_reason": "'stop'",
    "tool_names": "[]",
    "tags": "[concat('tag-', toString(k % 8))]",
    "trace_id": "''",
    "input_preview": "substring(asked, 1, 200)",
    "output_preview": "substring(answered, 1, 200)",
    "words": "concat(asked, ' ', answered)",
}
_ATTEMPTS = {
    "call_id": "call_id",
    "call_started_at": "at",
    "number": "1",
    "provider": "'openai'",
    "model": _MODEL,
    "dialect": "'openai'",
    "started_ms": "0.2",
    "ended_ms": "lasted_ms",
    "http_status": "200",
}
_BODIES = {
    "call_id": "call_id",
    "call_started_at": "at",
    "worker": "'worker-0'",
    "request_path": "'/v1/chat/completions'",
    "request_header_names": "['content-type']",
    "request_header_values": "['application/json']",
    "request_body": """concat('{"model":"gpt-4o","messages":[{"role":"user","content":"', asked, '"}]}')""",
    "request_bytes": "length(asked) + 60",
    "response_body": """concat('{"choices":[{"index":0,"message":{"content":"', answered, '"}}]}')""",
    "response_bytes": "length(answered) + 60",
}
TABLES = {"calls": _CALLS, "attempts": _ATTEMPTS, "bodies": _BODIES}


def fill(data: DataFolder, *, total: int, days: int) -> None:
    """Make so many calls, spread evenly over the days before now."""
    AnalyticsStore.open(f"chdb://{data.analytics}").close()
    client = clickhouse_connect.get_client(dsn=f"chdb://{data.analytics}")
    form = Path(__file__).with_name("stockpile.sql").read_text()
    for first in range(0, total, SLICE):
        for table, columns in TABLES.items():
            place = {"first": first, "count": min(SLICE, total - first), "total": total, "days": days}
            values = ", ".join(f"{value} AS {name}__" for name, value in columns.items())
            client.command(form.format(table=f"{table} ({', '.join(columns)})", columns=values, **place))
    client.close()


if __name__ == "__main__":
    fill(DataFolder(Path(sys.argv[1])), total=int(sys.argv[2]), days=int(sys.argv[3]))
