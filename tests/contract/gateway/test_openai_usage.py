"""Tokens and money: taken from wherever an upstream reports them, and not shown to a client that did not ask."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.core.usage import Usage
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import cost_nusd
from watchkeeper.testing import Delivery, Document, Reply, StreamCut, Upstream
from watchkeeper.testing.said import UsageReport
from watchkeeper.testing.scripts import Packets

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one two three"}]}
STREAMED = {**ASKED, "stream": True}
WITH_USAGE = {**STREAMED, "stream_options": {"include_usage": True}}
OPENAI = PriceBook.of(installed()).price_list("openai")
COUNTED = Usage(input_uncached=3, output_text=5)
"""What the scripted upstream counts for ASKED and its own default answer."""


def chunks_of(stream: str) -> list[dict[str, Any]]:
    data = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [json.loads(line) for line in data]


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_a_plain_reply_is_priced_by_its_own_usage(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 100}}
    upstream.plays(Reply(usage={"prompt_tokens": 1000, "completion_tokens": 300, **details}))
    reply = http.post("/chat/completions", json=ASKED)
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert call.usage == Usage(input_uncached=600, cache_read=400, output_text=200, output_reasoning=100)
    assert (call.usage_status, call.cost_status) == ("measured", "measured")
    # gpt-4o-mini: $0.15 a million in, $0.075 cached, $0.60 out
    assert call.cost_nusd == 600 * 150 + 400 * 75 + 300 * 600
    assert Decimal(reply.headers["x-wk-cost"]) == Decimal(call.cost_nusd) / 10**9
    assert reply.headers["x-wk-cost-status"] == "measured"


@pytest.mark.parametrize("packets", ["event", "byte", "bundle", "split"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_stream_is_measured_though_its_client_did_not_ask(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, packets: Packets, newline: Any
) -> None:
    upstream.plays(Reply(delivery=Delivery(packets=packets, newline=newline)))
    reply = http.post("/chat/completions", json=STREAMED)
    chunks = chunks_of(reply.text)
    assert text_of(chunks) == "Hello from the scripted upstream."
    assert all(chunk["choices"] for chunk in chunks)
    assert not any(chunk.get("usage") for chunk in chunks)
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.usage, call.usage_status, call.cost_status) == (COUNTED, "measured", "measured")
    assert json.loads(call.usage_raw)["total_tokens"] == 8


def test_a_client_that_asks_for_usage_gets_it(http: httpx.Client) -> None:
    chunks = chunks_of(http.post("/chat/completions", json=WITH_USAGE).text)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 8


@pytest.mark.parametrize("report", ["every_chunk", "last_choice"])
@pytest.mark.parametrize("asked", [STREAMED, WITH_USAGE], ids=["not asked", "asked"])
def test_usage_beside_a_choice_counts_once_and_costs_no_word(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, report: UsageReport, asked: dict[str, Any]
) -> None:
    upstream.plays(Reply(reports_usage=report))
    reply = http.post("/chat/completions", json=asked)
    chunks = chunks_of(reply.text)
    assert text_of(chunks) == "Hello from the scripted upstream."
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.usage, call.usage_status) == (COUNTED, "measured")


@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["plain", "stream"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(reports_usage="missing"),
        Reply(usage={"prompt_tokens": "many", "completion_tokens": {}, "total_tokens": None}),
        Reply(usage={"prompt_tokens": -3, "completion_tokens": -5, "total_tokens": -8}),
    ],
    ids=["missing", "not numbers", "negative"],
)
def test_without_usable_usage_the_tokens_are_estimated_and_said_to_be(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, asked: dict[str, Any], reply: Reply
) -> None:
    upstream.plays(reply)
    answer = http.post("/chat/completions", json=asked)
    call = gateway.call(answer.headers["x-wk-call-id"])
    # 13 characters in, 33 out, four to a token
    assert call.usage == Usage(input_uncached=4, output_text=9)
    assert (call.status, call.usage_status, call.cost_status) == ("ok", "estimated", "estimated")
    assert call.cost_nusd == 4 * 150 + 9 * 600


def test_no_price_is_no_amount_rather_than_nothing(gateway: Gateway, http: httpx.Client) -> None:
    reply = http.post("/chat/completions", json={**ASKED, "model": "unpriced/gpt-4o-mini"})
    assert "x-wk-cost" not in reply.headers
    assert reply.headers["x-wk-cost-status"] == "unpriced"
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.cost_nusd, call.cost_status, call.usage) == (None, "unpriced", COUNTED)


def test_a_model_the_price_book_does_not_know_is_unpriced(gateway: Gateway, http: httpx.Client) -> None:
    reply = http.post("/chat/completions", json={**ASKED, "model": "scripted/no-such-model"})
    assert gateway.call(reply.headers["x-wk-call-id"]).cost_status == "unpriced"


def test_a_free_provider_costs_nothing_and_that_is_measured(gateway: Gateway, http: httpx.Client) -> None:
    reply = http.post("/chat/completions", json={**ASKED, "model": "free/any"})
    assert (Decimal(reply.headers["x-wk-cost"]), reply.headers["x-wk-cost-status"]) == (Decimal(0), "measured")


def test_embeddings_are_priced(gateway: Gateway, http: httpx.Client) -> None:
    reply = http.post("/embeddings", json={"model": "text-embedding-3-small", "input": ["one two", "three"]})
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.surface, call.usage, call.cost_nusd) == ("embeddings", Usage(input_uncached=3), 3 * 20)


def test_a_streams_cost_is_pending_in_its_head_and_known_in_its_record(gateway: Gateway, http: httpx.Client) -> None:
    reply = http.post("/chat/completions", json=STREAMED)
    assert reply.headers["x-wk-cost-status"] == "pending"
    assert gateway.call(reply.headers["x-wk-call-id"]).cost_nusd == 3 * 150 + 5 * 600


def test_a_streams_record_has_a_time_for_each_chunk(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Reply("one two three", delivery=Delivery(pace_s=0.01)))
    reply = http.post("/chat/completions", json=STREAMED)
    call = gateway.call(reply.headers["x-wk-call-id"])
    offsets = memoryview(call.chunk_offsets_us).cast("I").tolist()
    assert len(offsets) == 7
    assert offsets == sorted(offsets)
    assert call.first_token_ms is not None
    assert offsets[0] / 1000 <= call.first_token_ms <= call.duration_ms
    assert call.response_body.endswith(b"data: [DONE]\n\n")
    assert call.delivered_bytes == len(reply.content)


def test_a_cut_stream_is_charged_for_what_the_client_received(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.plays(StreamCut(after_tokens=3))
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/chat/completions", json=STREAMED)
    call = gateway.last_call()
    assert (call.status, call.error_class) == ("error", "broken_stream")
    # "one two three" is 13 characters, "Hello from the" 14
    assert (call.usage, call.usage_status) == (Usage(input_uncached=4, output_text=4), "estimated")
    assert (call.cost_nusd, call.cost_status) == (4 * 150 + 4 * 600, "estimated")


def test_a_refused_call_costs_nothing(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Document({"error": {"message": "no", "type": "x", "code": "y"}}, status=400))
    reply = http.post("/chat/completions", json=ASKED)
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.usage, call.cost_nusd, call.cost_status) == ("error", None, 0, "measured")


def test_a_reply_that_was_no_answer_is_paid_for_beside_the_answer(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.plays(Document({"model": "gpt-4o-mini", "usage": {"prompt_tokens": 1000, "completion_tokens": 0}}))
    spare.plays(Reply(usage={"prompt_tokens": 10, "completion_tokens": 20}))
    reply = http.post("/chat/completions", json={**ASKED, "model": "backed-up"})
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert [attempt.cost_nusd for attempt in call.attempts] == [1000 * 150, 10 * 150 + 20 * 600]
    assert (call.cost_nusd, call.cost_status) == (1010 * 150 + 20 * 600, "measured")
    assert call.usage == Usage(input_uncached=1010, output_text=20)


@pytest.mark.parametrize(
    "choices",
    [
        [5, None, "x"],
        [{"message": {"content": 7, "tool_calls": 8}}],
        [{"message": {"tool_calls": [{"function": {"name": 1, "arguments": {}}}]}}],
    ],
)
def test_a_reply_of_odd_shape_without_usage_is_estimated(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, choices: list[Any]
) -> None:
    upstream.plays(Document({"model": "gpt-4o-mini", "choices": choices}))
    reply = http.post("/chat/completions", json=ASKED)
    assert reply.status_code == 200
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.usage, call.usage_status) == (Usage(input_uncached=4), "estimated")


def answered(**fields: object) -> Document:
    """A complete reply of 1,000 tokens in and 100 out, with further fields."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    return Document({"model": "gpt-5", "choices": [choice], "usage": usage, **fields})


@pytest.mark.parametrize(
    ("reported", "tier"), [("default", ""), ("flex", "flex"), ("priority", "priority"), ("scale", "scale")]
)
def test_a_call_costs_what_its_service_tier_does(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, reported: str, tier: str
) -> None:
    upstream.plays(answered(service_tier=reported))
    reply = http.post("/chat/completions", json=ASKED | {"model": "scripted/gpt-5"})
    call = gateway.call(reply.headers["x-wk-call-id"])
    [attempt] = call.attempts
    rates = OPENAI.rates("gpt-5", call.started_ns, tier)
    assert rates is not None
    assert attempt.service_tier == tier
    assert attempt.cost_nusd == cost_nusd(Usage(1000, output_text=100), rates)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/chat/completions", "/messages"])
def test_a_tier_that_has_no_price_of_its_own_is_told_as_an_estimate(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, path: str, stream: bool
) -> None:
    upstream.plays(Reply(usage={"prompt_tokens": 1000, "completion_tokens": 100, "service_tier": "priority"}))
    asked = ASKED | {"model": "sonnet", "max_tokens": 100, "stream": stream}
    reply = http.post(path, json=asked)
    [attempt] = gateway.call(reply.headers["x-wk-call-id"]).attempts
    assert (attempt.service_tier, attempt.usage_status, attempt.cost_status) == ("priority", "measured", "estimated")
    # claude-sonnet-4-5: $3 and $15 a million
    assert attempt.cost_nusd == 1000 * 3000 + 100 * 15_000
