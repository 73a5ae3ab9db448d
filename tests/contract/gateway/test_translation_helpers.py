"""What the official clients build on their calls works translated too: parsing, accumulating, giving answers back."""

import asyncio
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from tests.contract.gateway.carried.thoughts import SEAL, THOUGHT
from tests.contract.gateway.carried.tools import BERLIN, CHAT_TOOLS, MESSAGES_TOOLS, RESPONSES_TOOLS, ROME
from tests.contract.gateway.carried.words import SCHEMA
from tests.contract.gateway.data_plane import PROVIDER_KEY, Gateway

from watchkeeper.testing import Reply, Upstream

ASK: Any = [{"role": "user", "content": "one two three"}]
LOOK = Reply("Let me look.", tools=(BERLIN, ROME))
THINK = Reply("Let me look.", thinking=THOUGHT, tools=(BERLIN, ROME))
TEXT = "Hello from the scripted upstream."


class Place(BaseModel):
    city: str


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of what the client has parsed itself
def test_a_chat_client_parses_the_answer_of_an_anthropic_target(client: OpenAI, upstream: Upstream) -> None:
    upstream.plays(Reply('{"city": "Rome"}'))
    reply = client.chat.completions.parse(model="sonnet", messages=ASK, response_format=Place)
    assert reply.choices[0].message.parsed == Place(city="Rome")
    form = upstream.received[0].json["output_config"]["format"]
    assert form["schema"]["required"] == SCHEMA["required"]
    given_back: Any = reply.choices[0].message
    client.chat.completions.create(model="sonnet", messages=[*ASK, given_back, *ASK])
    assert upstream.received[1].json["messages"][1] == {"role": "assistant", "content": '{"city": "Rome"}'}


@pytest.mark.parametrize("model", ["sonnet", "chat-alone"])
def test_a_responses_client_parses_a_translated_answer(client: OpenAI, upstream: Upstream, model: str) -> None:
    upstream.plays(Reply('{"city": "Rome"}'))
    reply = client.responses.parse(model=model, input=ASK, text_format=Place)
    assert reply.output_parsed == Place(city="Rome")
    given_back: Any = reply.output
    client.responses.create(model=model, input=[*ASK, *given_back, *ASK])
    assert upstream.received[1].json["messages"][1] == {"role": "assistant", "content": '{"city": "Rome"}'}


def test_a_messages_client_parses_the_answer_of_an_openai_target(claude: Anthropic, upstream: Upstream) -> None:
    upstream.plays(Reply('{"city": "Rome"}'))
    reply = claude.messages.parse(model="gpt-4o-mini", max_tokens=9, messages=ASK, output_format=Place)
    assert reply.parsed_output == Place(city="Rome")
    assert upstream.received[0].json["response_format"]["type"] == "json_schema"
    given_back: Any = {"role": "assistant", "content": reply.content}
    claude.messages.create(model="gpt-4o-mini", max_tokens=9, messages=[*ASK, given_back, *ASK])
    assert upstream.received[1].json["messages"][1] == {"role": "assistant", "content": '{"city": "Rome"}'}


def test_a_chat_client_gives_an_answer_back_with_the_results_of_its_tools(client: OpenAI, upstream: Upstream) -> None:
    upstream.plays(LOOK)
    asked: dict[str, Any] = {"model": "sonnet", **CHAT_TOOLS}
    with client.chat.completions.stream(messages=ASK, **asked) as stream:
        message = stream.get_final_completion().choices[0].message
    results: Any = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls or ()]
    turns: Any = [*ASK, message, *results]
    client.chat.completions.create(messages=turns, **asked)
    said, answered = upstream.received[1].json["messages"][1:]
    assert [block["type"] for block in said["content"]] == ["text", "tool_use", "tool_use"]
    assert [block["tool_use_id"] for block in answered["content"]] == ["call_1", "call_2"]


def test_a_messages_client_gives_an_answer_back_with_the_results_of_its_tools(
    claude: Anthropic, upstream: Upstream
) -> None:
    upstream.plays(THINK)
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "max_tokens": 99, **MESSAGES_TOOLS}
    with claude.messages.stream(messages=ASK, **asked) as stream:
        message = stream.get_final_message()
    tools = [block for block in message.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": tool.id, "content": "sunny"} for tool in tools]
    turns: Any = [*ASK, {"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    claude.messages.create(messages=turns, **asked)
    said, *answered = upstream.received[1].json["messages"][1:]
    assert (said["content"], said["reasoning_content"]) == ("Let me look.", THOUGHT)
    assert [call["id"] for call in said["tool_calls"]] == ["call_1", "call_2"]
    assert [turn["tool_call_id"] for turn in answered] == ["call_1", "call_2"]


@pytest.mark.parametrize("model", ["sonnet", "chat-alone"])
def test_a_responses_client_gives_an_answer_back_with_the_results_of_its_tools(
    client: OpenAI, upstream: Upstream, model: str
) -> None:
    upstream.plays(THINK)
    asked: dict[str, Any] = {"model": model, **RESPONSES_TOOLS}
    with client.responses.stream(input=ASK, **asked) as stream:
        reply = stream.get_final_response()
    calls = [item for item in reply.output if item.type == "function_call"]
    results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
    given_back: Any = reply.output
    client.responses.create(input=[*ASK, *given_back, *results], **asked)
    said, *answered = upstream.received[1].json["messages"][1:]
    if model == "sonnet":
        thought = {"type": "thinking", "thinking": THOUGHT, "signature": SEAL}
        assert said["content"][0] == thought
        assert [block["tool_use_id"] for block in answered[0]["content"]] == ["call_1", "call_2"]
    else:
        assert said["reasoning_content"] == THOUGHT
        assert [turn["tool_call_id"] for turn in answered] == ["call_1", "call_2"]


async def test_asynchronous_clients_of_both_kinds_share_a_target(gateway: Gateway, upstream: Upstream) -> None:
    async with (
        AsyncOpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=10) as client,
        AsyncAnthropic(base_url=gateway.origin, api_key=gateway.key, max_retries=0, timeout=10) as claude,
    ):
        chats = [client.chat.completions.create(model="sonnet", messages=ASK) for _ in range(10)]
        messages = [claude.messages.create(model="sonnet", max_tokens=9, messages=ASK) for _ in range(10)]
        replies: list[Any] = await asyncio.gather(*chats, *messages)
    assert {reply.choices[0].message.content for reply in replies[:10]} == {TEXT}
    assert {reply.content[0].text for reply in replies[10:]} == {TEXT}
    assert {received.path for received in upstream.received} == {"/v1/messages"}


def test_a_target_gets_the_credentials_and_headers_of_its_own_api(
    client: OpenAI, claude: Anthropic, upstream: Upstream
) -> None:
    client.chat.completions.create(model="sonnet", messages=ASK)
    claude.messages.create(
        model="gpt-4o-mini", max_tokens=9, messages=ASK, extra_headers={"anthropic-beta": "some-2026-01-01"}
    )
    to_anthropic, to_openai = upstream.received
    assert to_anthropic.header("x-api-key") == PROVIDER_KEY
    assert to_anthropic.header("anthropic-version") == "2023-06-01"
    assert to_anthropic.header("authorization") is None
    assert to_openai.header("authorization") == f"Bearer {PROVIDER_KEY}"
    assert to_openai.header("x-api-key") is None
    assert to_openai.header("anthropic-version") is None
    assert to_openai.header("anthropic-beta") is None


def test_a_request_that_one_target_cannot_take_goes_to_the_next(
    gateway: Gateway, client: OpenAI, upstream: Upstream
) -> None:
    asked: dict[str, Any] = {"seed": 7, "extra_body": {"models": ["sonnet", "gpt-4o-mini"]}}
    reply = client.chat.completions.create(model="sonnet", messages=ASK, **asked)
    assert reply.choices[0].message.content == TEXT
    assert [received.path for received in upstream.received] == ["/v1/chat/completions"]
    assert [attempt.provider for attempt in gateway.last_call().attempts] == ["scripted"]


def test_both_clients_are_told_the_same_models(client: OpenAI, claude: Anthropic) -> None:
    assert {model.id for model in client.models.list()} == {model.id for model in claude.models.list()}
    assert claude.models.retrieve("sonnet").id == "sonnet"


def test_the_call_is_named_to_both_clients(gateway: Gateway, client: OpenAI, claude: Anthropic) -> None:
    reply = client.chat.completions.create(model="sonnet", messages=ASK)
    assert reply._request_id == gateway.last_call().id
    gateway.recorder.calls.clear()
    message = claude.messages.create(model="gpt-4o-mini", max_tokens=9, messages=ASK)
    assert message._request_id == gateway.last_call().id
