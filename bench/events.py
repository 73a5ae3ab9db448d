"""Finished calls as a worker would have recorded them, with words in their bodies and a day's worth of variety."""

import json
import random
from collections.abc import Iterator

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.core.ids import CallIds
from watchkeeper.core.usage import Usage

BODY_BYTES = 2048
"""Of the request and of the response each."""
TEXT = """
the order invoice refund parcel delivery customer please account password reset payment card declined address change
subscription cancel renew late missing broken item colour size return label tracking number courier weekend holiday
office support agent answer question contract clause meeting summary translate sentence
"""
WORDS = TEXT.split()
FEATURES = ("support", "search", "summaries", "translation")
MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1")


def events(count: int, *, seed: int) -> Iterator[Call]:
    """Make so many calls; the same seed makes the same words."""
    choose = random.Random(seed)  # noqa: S311 - words, not secrets
    next_id, now_ns = CallIds(SystemClock()).next, SystemClock.unix_ns()
    for number in range(count):
        yield _event(next_id(), now_ns + number * 1000, choose)


def _event(call_id: str, started_ns: int, choose: random.Random) -> Call:
    model = choose.choice(MODELS)
    asked = json.dumps({"model": model, "messages": [{"role": "user", "content": _words(choose, BODY_BYTES - 90)}]})
    usage = {"prompt_tokens": choose.randint(200, 600), "completion_tokens": choose.randint(20, 400)}
    message = {"role": "assistant", "content": _words(choose, BODY_BYTES - 280)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    said = json.dumps({"id": "chatcmpl-bench", "model": model, "choices": [choice], "usage": usage})
    duration_ms = choose.lognormvariate(6.5, 0.6)
    used = Usage(input_uncached=usage["prompt_tokens"], output_text=usage["completion_tokens"])
    attempt = Attempt(
        number=1,
        provider="openai",
        model=model,
        dialect="openai",
        started_ms=0.2,
        first_byte_ms=duration_ms - 1,
        ended_ms=duration_ms,
        http_status=200,
        request_bytes=len(asked),
        response_bytes=len(said),
        usage=used,
        usage_status="measured",
        cost_nusd=0,
        cost_status="measured",
    )
    return Call(
        id=call_id,
        started_ns=started_ns,
        worker="worker-0",
        key_id="benchbenchbe",
        feature=choose.choice(FEATURES),
        tenant=f"tenant-{choose.randint(1, 200)}",
        subject=f"{choose.getrandbits(64):016x}",
        session=f"session-{choose.getrandbits(32):08x}",
        tags=["bench"],
        route=model,
        requested_model=model,
        reported_model=model,
        http_status=200,
        attempts=[attempt],
        usage=used,
        usage_status="measured",
        usage_raw=json.dumps(usage).encode(),
        cost_nusd=0,
        cost_status="measured",
        duration_ms=duration_ms,
        served_from="upstream",
        overhead_ms=0.2,
        request_path="/v1/chat/completions",
        request_headers=[
            (b"host", b"127.0.0.1:4000"),
            (b"content-type", b"application/json"),
            (b"user-agent", b"bench"),
        ],
        request_body=asked.encode(),
        request_bytes=len(asked),
        response_headers=[(b"content-type", b"application/json"), (b"x-request-id", b"req-bench")],
        response_body=said.encode(),
        response_bytes=len(said),
        delivered_bytes=len(said),
    )


def _words(choose: random.Random, length: int) -> str:
    return " ".join(choose.choices(WORDS, k=length // 6))[:length]
