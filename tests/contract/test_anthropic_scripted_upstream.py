"""The scripted upstream as Anthropic's Messages: the official client must read what the script says."""

import json
from collections.abc import Iterator

import anthropic
import httpx
import httpx2
import pytest
from anthropic import Anthropic
from anthropic.types import Message, MessageParam, TextBlock, ThinkingBlock, ToolUseBlock

from watchkeeper.testing import (
    BrokenEvent,
    Delivery,
    ErrorEvent,
    ErrorInside,
    ErrorReply,
    Reply,
    Script,
    Stall,
    StreamCut,
    Tool,
    Upstream,
    content_policy_violation,
    context_length_exceeded,
    overloaded,
    rate_limited,
)
from watchkeeper.testing.said import UsageReport, signature_of

ASK: list[MessageParam] = [{"role": "user", "content": "one two three"}]
TEXT = "Hello from the scripted upstream."
WEATHER = Tool("get_weather", {"city": "Berlin"}, id="toolu_1")
FULL = Reply(TEXT, thinking="Let me think.", tools=(WEATHER,))


def said_in_events(claude: Anthropic) -> Iterator[str]:
    for event in claude.messages.create(model="any", max_tokens=9, messages=ASK, stream=True):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            yield event.delta.text


def test_a_message_counts_words(claude: Anthropic) -> None:
    reply = claude.messages.create(model="any", max_tokens=9, messages=ASK, system="be brief")
    [block] = reply.content
    assert isinstance(block, TextBlock)
    assert (block.text, reply.model, reply.stop_reason) == (TEXT, "any", "end_turn")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5, 5)
    assert claude.messages.count_tokens(model="any", messages=ASK, system="be brief").input_tokens == 5


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_message_thinks_speaks_and_asks_for_a_tool(upstream: Upstream, claude: Anthropic, is_stream: bool) -> None:
    upstream.plays(FULL)
    if is_stream:
        with claude.messages.stream(model="any", max_tokens=9, messages=ASK) as stream:
            reply: Message = stream.get_final_message()
    else:
        reply = claude.messages.create(model="any", max_tokens=9, messages=ASK)
    thought, text, tool = reply.content
    assert isinstance(thought, ThinkingBlock)
    assert isinstance(text, TextBlock)
    assert isinstance(tool, ToolUseBlock)
    assert (thought.thinking, thought.signature) == ("Let me think.", signature_of("Let me think."))
    assert text.text == TEXT
    assert (tool.id, tool.name, tool.input) == ("toolu_1", "get_weather", {"city": "Berlin"})
    assert reply.stop_reason == "tool_use"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (3, 10)


def test_a_stream_of_a_message_has_its_events_in_order(upstream: Upstream, http: httpx.Client) -> None:
    upstream.plays(Reply("Hi there", has_ping=True))
    body = http.post("/messages", json={"model": "any", "messages": ASK, "stream": True}).text
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in body.split("\n\n")[:-1]]
    assert [event["event"] for event in events] == [json.loads(event["data"])["type"] for event in events]
    assert [event["event"] for event in events] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ("asked", [(3, 1), (None, 5)]),
        ("every_chunk", [(3, 1), (3, 5)]),
        ("last_choice", [(0, 0), (3, 5)]),
        ("missing", [None, None]),
    ],
)
def test_a_stream_of_a_message_reports_usage_where_it_is_told(
    upstream: Upstream, http: httpx.Client, reports: UsageReport, expected: list[tuple[int, int] | None]
) -> None:
    upstream.plays(Reply(reports_usage=reports))
    body = http.post("/messages", json={"model": "any", "messages": ASK, "stream": True}).text
    documents = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: ")]
    usages = [documents[0]["message"].get("usage"), documents[-2].get("usage")]
    assert [usage and (usage.get("input_tokens"), usage["output_tokens"]) for usage in usages] == expected


def test_usage_in_the_words_of_completions_is_renamed(upstream: Upstream, claude: Anthropic) -> None:
    upstream.plays(Reply(usage={"prompt_tokens": 70, "completion_tokens": 8, "cache_read_input_tokens": 60}))
    usage = claude.messages.create(model="any", max_tokens=9, messages=ASK).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (70, 8, 60)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("length", "max_tokens"), ("content_filter", "refusal"), ("stop_sequence", "stop_sequence")],
)
def test_a_finish_reason_is_said_as_a_stop_reason(
    upstream: Upstream, claude: Anthropic, reason: str, expected: str
) -> None:
    upstream.plays(Reply(finish_reason=reason))
    reply = claude.messages.create(model="any", max_tokens=9, messages=ASK, stop_sequences=["END"])
    assert reply.stop_reason == expected
    assert reply.stop_sequence == ("END" if expected == "stop_sequence" else None)


@pytest.mark.parametrize(
    ("script", "status", "kind", "part"),
    [
        (rate_limited(retry_after_s=7), 429, "rate_limit_error", "Rate limit"),
        (overloaded(), 529, "overloaded_error", "overloaded"),
        (context_length_exceeded(), 400, "invalid_request_error", "prompt is too long"),
        (content_policy_violation(), 400, "invalid_request_error", "content filtering"),
        (ErrorReply(401, error_type="invalid_request_error"), 401, "authentication_error", "refuses"),
        (ErrorReply(500), 500, "api_error", "refuses"),
        (ErrorReply(403, error_type="permission_error"), 403, "permission_error", "refuses"),
    ],
)
def test_messages_refuse_in_their_own_words(
    upstream: Upstream, claude: Anthropic, script: Script, status: int, kind: str, part: str
) -> None:
    upstream.plays(script)
    with pytest.raises(anthropic.APIStatusError, match=part) as caught:
        claude.messages.create(model="any", max_tokens=9, messages=ASK)
    assert caught.value.status_code == status
    body = caught.value.response.json()
    assert (body["type"], body["error"]["type"], body["request_id"]) == ("error", kind, "req_scripted_1")


def test_an_error_inside_a_message_is_a_document_of_its_api(upstream: Upstream, http: httpx.Client) -> None:
    upstream.plays(ErrorInside())
    reply = http.post("/messages", json={"model": "any", "messages": ASK})
    assert (reply.status_code, reply.json()["error"]["type"]) == (200, "api_error")


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (StreamCut(after_tokens=3), httpx2.RemoteProtocolError),
        (ErrorEvent(after_tokens=3, code="overloaded"), anthropic.APIStatusError),
        (BrokenEvent(after_tokens=3), json.JSONDecodeError),
        (Stall(after_tokens=3), httpx2.ReadTimeout),
    ],
    ids=["cut", "error event", "broken event", "stall"],
)
def test_a_stream_of_a_message_breaks_after_exactly_the_tokens_it_was_told(
    upstream: Upstream, claude: Anthropic, script: Script, failure: type[Exception]
) -> None:
    upstream.plays(script)
    said: list[str] = []
    with pytest.raises(failure) as caught:
        said.extend(said_in_events(claude.with_options(timeout=0.3)))
    assert said == ["Hello", " from", " the"]
    if isinstance(caught.value, anthropic.APIStatusError):
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(
    "delivery",
    [Delivery(packets="byte"), Delivery(packets="split", newline="\r\n"), Delivery(has_comments=True, is_gzipped=True)],
    ids=str,
)
def test_however_a_message_travels_it_is_the_same(upstream: Upstream, claude: Anthropic, delivery: Delivery) -> None:
    upstream.plays(Reply(delivery=delivery))
    assert "".join(said_in_events(claude)) == TEXT
