"""OpenAI's own Python client needs nothing but another base URL and key."""

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam
from pydantic import BaseModel
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.testing import (
    ErrorEvent,
    ErrorReply,
    Reply,
    ResetBeforeHead,
    Script,
    Silence,
    StreamCut,
    Tool,
    Upstream,
    context_length_exceeded,
    overloaded,
    rate_limited,
    wait_until,
)

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "one two three"}]
TOOLS: list[ChatCompletionToolUnionParam] = [
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
]
TEXT = "Hello from the scripted upstream."


class Verdict(BaseModel):
    is_fine: bool
    reason: str


def test_a_plain_call(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert reply.choices[0].message.content == TEXT


def test_a_streamed_call(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT


def test_a_streamed_call_with_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    last = list(stream)[-1]
    assert last.usage is not None
    assert last.usage.completion_tokens == 5


async def test_asynchronous_calls_side_by_side(async_client: AsyncOpenAI, upstream: Upstream) -> None:
    replies = await asyncio.gather(
        *(async_client.chat.completions.create(model="gpt-4o-mini", messages=ASK) for _ in range(50))
    )
    assert len({reply.id for reply in replies}) == 50
    assert len(upstream.received) == 50


async def test_an_asynchronous_stream(async_client: AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TEXT


def test_tool_calls_whole_and_streamed(client: OpenAI, upstream: Upstream) -> None:
    tools = (Tool("get_weather", {"city": "Berlin"}, id="call_1"), Tool("get_weather", {"city": "Rome"}, id="call_2"))
    upstream.always(Reply("Let me look.", tools=tools))
    plain = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, tools=TOOLS).choices[0]
    with client.chat.completions.stream(model="gpt-4o-mini", messages=ASK, tools=TOOLS) as stream:
        streamed = stream.get_final_completion().choices[0]
    for choice in (plain, streamed):
        calls = [call.model_dump(include={"id", "function"}) for call in choice.message.tool_calls or []]
        assert [call["id"] for call in calls] == ["call_1", "call_2"]
        assert [call["function"]["arguments"] for call in calls] == ['{"city": "Berlin"}', '{"city": "Rome"}']
        assert choice.finish_reason == "tool_calls"


def test_several_answers_with_log_probabilities(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, n=3, logprobs=True, top_logprobs=1)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content


def test_a_picture_by_data_uri(client: OpenAI, upstream: Upstream) -> None:
    url = "data:image/png;base64,iVBORw0KGgo="
    content: Any = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": content}])
    assert upstream.received[0].json["messages"][0]["content"] == content


def test_a_typed_answer(client: OpenAI, upstream: Upstream) -> None:
    upstream.plays(Reply('{"is_fine": true, "reason": "all well"}'))
    reply = client.chat.completions.parse(model="gpt-4o-mini", messages=ASK, response_format=Verdict)
    assert reply.choices[0].message.parsed == Verdict(is_fine=True, reason="all well")
    assert upstream.received[0].json["response_format"]["json_schema"]["strict"] is True


def test_embeddings(client: OpenAI) -> None:
    reply = client.embeddings.create(model="text-embedding-3-small", input=["one two", "three"], dimensions=4)
    assert [len(row.embedding) for row in reply.data] == [4, 4]
    assert reply.usage.total_tokens == 3


def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "gpt-4o-mini" in names
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_a_model_that_is_named_with_its_provider_is_found(client: OpenAI) -> None:
    assert client.models.retrieve("scripted/gpt-4o-mini").id == "scripted/gpt-4o-mini"


def test_raw_headers_name_the_call(gateway: Gateway, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=ASK)
    reply = raw.parse()
    assert raw.headers["x-wk-call-id"] == raw.headers["x-request-id"] == reply._request_id
    assert raw.headers["x-wk-attempts"] == "1"
    assert float(raw.headers["x-wk-overhead-ms"]) >= 0
    assert gateway.call(raw.headers["x-wk-call-id"]).requested_model == "gpt-4o-mini"


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (rate_limited(), openai.RateLimitError),
        (overloaded(), openai.InternalServerError),
        (ErrorReply(500), openai.InternalServerError),
        (context_length_exceeded(), openai.BadRequestError),
        (ErrorReply(422, code="x"), openai.UnprocessableEntityError),
        (ErrorReply(401, code="x"), openai.InternalServerError),
        (ResetBeforeHead(), openai.InternalServerError),
        (StreamCut(after_tokens=1), openai.InternalServerError),
    ],
    ids=["rate limit", "overloaded", "500", "context length", "422", "our key refused", "reset", "cut"],
)
def test_failures_have_the_clients_own_classes(
    client: OpenAI, upstream: Upstream, script: Script, failure: type[openai.APIStatusError]
) -> None:
    upstream.always(script)
    with pytest.raises(failure) as caught:
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert caught.value.request_id == caught.value.response.headers["x-wk-call-id"]


@pytest.mark.parametrize(
    ("changes", "failure", "code"),
    [
        ({"model": "no-such-model"}, openai.NotFoundError, "model_not_found"),
        ({"messages": "hi"}, openai.BadRequestError, "invalid_request"),
        ({"extra_headers": {"authorization": "Bearer fake"}}, openai.AuthenticationError, "invalid_api_key"),
        ({"extra_headers": {"x-wk-tenant": "blue"}}, openai.PermissionDeniedError, "tenant_mismatch"),
    ],
    ids=["model", "messages", "key", "tenant"],
)
def test_refusals_have_the_clients_own_classes(
    gateway: Gateway, changes: dict[str, Any], failure: type[openai.APIStatusError], code: str
) -> None:
    with (
        OpenAI(base_url=gateway.base_url, api_key=gateway.keys["acme"].key, max_retries=2) as client,
        pytest.raises(failure) as caught,
    ):
        client.chat.completions.create(**{"model": "gpt-4o-mini", "messages": ASK, **changes})
    assert caught.value.code == code
    gateway.last_call()
    assert len(gateway.recorder.calls) == 1


@pytest.mark.parametrize("script", [StreamCut(after_tokens=3), ErrorEvent(after_tokens=3)], ids=["cut", "error event"])
def test_a_broken_stream_raises_after_what_came(client: OpenAI, upstream: Upstream, script: Script) -> None:
    upstream.plays(script)
    said: list[str | None] = []
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    with pytest.raises(openai.APIError):
        said.extend(chunk.choices[0].delta.content for chunk in stream)
    assert said == ["", "Hello", " from", " the"]


def test_the_clients_own_retries_are_calls_of_their_own(gateway: Gateway, upstream: Upstream) -> None:
    upstream.plays(rate_limited(retry_after_s=0.01), overloaded(), Reply("at last"))
    with OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2) as client:
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert reply.choices[0].message.content == "at last"
    wait_until(lambda: len(gateway.recorder.calls) == 3)
    assert [call.error_class for call in gateway.recorder.calls] == ["rate_limit", "capacity", ""]


def test_the_call_ends_with_an_error_just_before_the_clients_timeout(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(Silence())
    with (
        OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=1) as client,
        pytest.raises(openai.InternalServerError, match="time was up"),
    ):
        client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert gateway.last_call().error_code == "total_timeout"


def test_a_timeout_that_the_gateway_does_not_know_of_cancels_the_call(gateway: Gateway, upstream: Upstream) -> None:
    upstream.always(Silence())
    with (
        OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=0.2) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(
            model="gpt-4o-mini", messages=ASK, extra_headers={"x-stainless-read-timeout": "60"}
        )
    assert gateway.last_call().status == "cancelled"
