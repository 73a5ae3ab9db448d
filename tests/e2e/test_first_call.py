"""The main road: a client that knows only OpenAI's API, a real model, and the call found again by its id."""

import contextlib
import json
import subprocess
from collections import Counter
from decimal import Decimal

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from watchkeeper.testing.harness import Installation

MODEL = "smollm2-135m"
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello in one short sentence."}]


class Mood(BaseModel):
    is_happy: bool
    word: str


def test_a_plain_call_is_answered_and_found_again(with_model: Installation, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=ASK,
        max_tokens=24,
        user="ana@example.com",
        extra_headers={"x-wk-feature": "support", "x-wk-tenant": "acme", "x-wk-session": "s-1", "x-wk-tags": "first"},
    )
    reply = raw.parse()
    text = reply.choices[0].message.content
    assert text
    assert reply.usage is not None
    call = with_model.call(raw.headers["x-wk-call-id"])
    assert call["id"] == raw.headers["x-wk-call-id"]
    assert (call["feature"], call["tenant"], call["route"], call["status"]) == ("support", "acme", MODEL, "ok")
    assert call["subject"]
    assert "ana" not in call["subject"]
    assert call["request"]["messages"][0]["content"] == ASK[0]["content"]
    assert call["response"]["choices"][0]["message"]["content"] == text
    assert [attempt["provider"] for attempt in call["attempts"]] == ["local"]
    assert call["usage"]["output_tokens"] == reply.usage.completion_tokens
    assert (call["cost"]["amount_usd"], call["cost"]["status"]) == ("0", "measured")
    assert call["timing"]["duration_ms"] > 0


def test_a_streamed_call_is_answered_and_its_timing_kept(with_model: Installation, client: OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=ASK, max_tokens=16, stream=True
    ) as raw:
        events = list(raw.iter_lines())
    assert events[-2:] == ["data: [DONE]", ""] or "data: [DONE]" in events
    assert not any('"choices":[]' in event for event in events)
    call = with_model.call(raw.headers["x-wk-call-id"])
    assert call["status"] == "ok"
    assert 0 < call["timing"]["first_token_ms"] <= call["timing"]["duration_ms"]
    assert call["usage"]["output_tokens"] > 1


async def test_asynchronous_calls_run_side_by_side(with_model: Installation) -> None:
    async with AsyncOpenAI(base_url=with_model.base_url, api_key=with_model.key, max_retries=0) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=8, stream=True)
        plain = await client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=8)
        streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert plain.choices[0].message.content
    assert streamed


def test_a_typed_answer_of_the_real_model(client: OpenAI) -> None:
    reply = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Are you happy? Answer in JSON."}],
        response_format=Mood,
        max_tokens=60,
        temperature=0,
    )
    assert isinstance(reply.choices[0].message.parsed, Mood)


def test_log_probabilities_of_the_real_model(client: OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4, logprobs=True, top_logprobs=2)
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content
    assert all(entry.logprob <= 0 for entry in logprobs.content)


def test_a_prompt_that_is_too_long_for_the_real_model(with_model: Installation, client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 20_000}])
    call = with_model.call(caught.value.response.headers["x-wk-call-id"])
    assert call["attempts"][0]["error_class"] == "context_length"


def test_the_models_are_the_routes(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini", MODEL]


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])
def test_curl_needs_no_more_than_the_printed_line(with_model: Installation, is_stream: bool) -> None:
    body = json.dumps({"model": MODEL, "messages": ASK, "max_tokens": 8, "stream": is_stream})
    address = f"{with_model.base_url}/chat/completions"
    command = ["curl", "-sS", "-N", "-D", "-", address, "-H", f"Authorization: Bearer {with_model.key}", "-d", body]
    said = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    head, _, answer = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"x-wk-call-id: " in head
    assert answer.endswith(b"data: [DONE]\n\n") if is_stream else json.loads(answer)["choices"]


def test_a_scripted_call_has_its_cost(with_model: Installation, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=ASK)
    call = with_model.call(raw.headers["x-wk-call-id"])
    assert Decimal(call["cost"]["amount_usd"]) == Decimal(raw.headers["x-wk-cost"])
    assert call["cost"]["status"] == "measured"


def test_a_call_is_found_by_its_words(with_model: Installation, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Where is my zanzibar refund?"}]
    )
    call_id = raw.headers["x-wk-call-id"]
    with_model.call(call_id)
    found = with_model.cli_json("calls", "--search", "zanzibar refund")
    assert [row["id"] for row in found["calls"]] == [call_id]


def test_the_health_pages_answer(with_model: Installation) -> None:
    root = f"http://127.0.0.1:{with_model.port}"
    assert httpx.get(f"{root}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{root}/readyz").json() == {"status": "ready"}
    metrics = httpx.get(f"{root}/metrics").text
    assert "watchkeeper_calls_total{" in metrics


def test_the_metrics_count_what_happened(with_model: Installation, client: OpenAI) -> None:
    before = calls_counted(with_model)
    for model in ("gpt-4o-mini", "gpt-4o-mini", "scripted/context-length"):
        with contextlib.suppress(openai.BadRequestError):
            client.chat.completions.create(model=model, messages=ASK)
    counted = calls_counted(with_model)
    assert counted["ok"] - before["ok"] == 2
    assert counted["error"] - before["error"] == 1


def calls_counted(installation: Installation) -> Counter[str]:
    """Finished calls by status, as /metrics tells them."""
    metrics = httpx.get(f"http://127.0.0.1:{installation.port}/metrics").text
    counted: Counter[str] = Counter()
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == "watchkeeper_calls_total":
                counted[sample.labels["status"]] += int(sample.value)
    return counted
