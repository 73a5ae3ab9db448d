"""Calls as ingest leaves them in the store, for what asks about them."""

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.ingest.rows import add_call
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.batch import CallBatch
from watchkeeper.testing import FakeClock

QUESTION = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Where is my refund?"}]}'
ANSWER = (
    b'{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"On its way."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1000,"completion_tokens":100}}'
)
STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"On"}}]}\n\ndata: [DONE]\n\n'


def a_call(ids: CallIds, clock: Clock, **fields: object) -> Call:
    """A call that succeeded and cost something, but for the fields given."""
    request, response = fields.get("request_body", QUESTION), fields.get("response_body", ANSWER)
    assert isinstance(request, bytes)
    assert isinstance(response, bytes)
    values: dict[str, object] = {
        "id": ids.next(),
        "started_ns": clock.unix_ns(),
        "worker": "w0",
        "key_id": "FAKEkey00001",
        "feature": "support",
        "tenant": "acme",
        "route": "support-chat",
        "requested_model": "support-chat",
        "http_status": 200,
        "attempts": [an_attempt()],
        "usage": Usage(1000, output_text=100),
        "usage_status": "measured",
        "duration_ms": 420.0,
        "overhead_ms": 0.2,
        "request_path": "/v1/chat/completions",
        "request_headers": [(b"user-agent", b"tests")],
        "request_body": request,
        "request_bytes": len(request),
        "response_body": response,
        "response_bytes": len(response),
    }
    return Call(**(values | fields))  # type: ignore[arg-type]  # a table of fields


def an_attempt(**fields: object) -> Attempt:
    """An attempt that was answered, but for the fields given."""
    values: dict[str, object] = {
        "number": 1,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "dialect": "openai",
        "started_ms": 0.1,
        "first_byte_ms": 400.0,
        "ended_ms": 419.0,
        "http_status": 200,
    }
    return Attempt(**(values | fields))  # type: ignore[arg-type]  # a table of fields


def record(store: AnalyticsStore, calls: list[Call], *, token: str) -> None:
    """Store calls as ingest does, priced like OpenAI's."""
    pricer = BookPricer.by_list(PriceBook.of(installed()), {"openai": "openai"})
    batch = CallBatch()
    for call in calls:
        add_call(batch, call, pricer, stored_us=call.started_ns // 1000 + 1_000_000)
    store.insert_calls(batch, token=token)


def clock_and_ids() -> tuple[FakeClock, CallIds]:
    """A held clock and the ids it stamps."""
    clock = FakeClock()
    return clock, CallIds(clock)
