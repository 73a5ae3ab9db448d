"""The scripted upstream in every API it speaks: the same script means the same, as the official clients read it."""

import hashlib
import json
from collections.abc import Callable, Iterator

import anthropic
import httpx
import openai
import pytest
from anthropic import Anthropic
from anthropic.types import Message, MessageParam, RawMessageStreamEvent
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from watchkeeper.testing import (
    BrokenEvent,
    DownFor,
    Echo,
    ErrorEvent,
    FakeClock,
    NoPrefill,
    Reply,
    Script,
    Stall,
    StreamCut,
    Tool,
    Upstream,
    context_length_exceeded,
)

ASK: list[MessageParam] = [{"role": "user", "content": "one two three"}]
TEXT = "Hello from the scripted upstream."
WEATHER = Tool("get_weather", {"city": "Berlin"}, id="toolu_1")
FULL = Reply(TEXT, thinking="Let me think.", tools=(WEATHER,))


@pytest.fixture
def gpt(upstream: Upstream) -> Iterator[OpenAI]:
    with OpenAI(base_url=upstream.base_url, api_key="sk-fake", max_retries=0, timeout=5) as client:
        yield client


def responded_in_events(gpt: OpenAI) -> Iterator[str]:
    for event in gpt.responses.create(model="any", input="one two three", stream=True):
        if event.type == "response.output_text.delta":
            yield event.delta


def completed_in_chunks(gpt: OpenAI) -> Iterator[str]:
    for chunk in gpt.completions.create(model="any", prompt="one two three", stream=True):
        yield from (choice.text for choice in chunk.choices if choice.text)


def test_a_reply_goes_on_behind_a_prefill(upstream: Upstream, claude: Anthropic) -> None:
    upstream.plays(NoPrefill(), Reply(continues_prefill=True), NoPrefill())
    prefilled: list[MessageParam] = [*ASK, {"role": "assistant", "content": [{"type": "text", "text": "Hello from"}]}]
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        claude.messages.create(model="any", max_tokens=9, messages=prefilled)
    with claude.messages.stream(model="any", max_tokens=9, messages=prefilled) as stream:
        assert stream.get_final_text() == " the scripted upstream."
    reply = claude.messages.create(model="any", max_tokens=9, messages=ASK)
    assert reply.usage.output_tokens == 5


def test_an_upstream_that_is_down_comes_back(upstream: Upstream, http: httpx.Client) -> None:
    clock = FakeClock()
    upstream.always(DownFor(2.0, monotonic=clock.monotonic))
    ask = {"model": "any", "messages": ASK}
    clock.advance(5.0)
    statuses = []
    for seconds in (0.0, 1.9, 0.1):
        clock.advance(seconds)
        statuses.append(http.post("/messages", json=ask).status_code)
    assert statuses == [503, 503, 200]


def test_a_thought_in_a_chat_stands_beside_the_answer(upstream: Upstream, http: httpx.Client) -> None:
    upstream.always(Reply(thinking="Let me think."))
    ask = {"model": "any", "messages": ASK, "stream_options": {"include_usage": True}}
    plain = http.post("/chat/completions", json=ask).json()
    assert plain["choices"][0]["message"]["reasoning_content"] == "Let me think."
    assert plain["usage"]["completion_tokens"] == 8
    assert plain["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
    body = http.post("/chat/completions", json={**ask, "stream": True}).text
    chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Let me think."
    assert "".join(delta.get("content") or "" for delta in deltas) == TEXT


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_response_thinks_speaks_and_calls_a_function(upstream: Upstream, gpt: OpenAI, is_stream: bool) -> None:
    upstream.plays(FULL)
    if is_stream:
        with gpt.responses.stream(model="any", input="one two three", instructions="be brief") as stream:
            reply: Response = stream.get_final_response()
    else:
        reply = gpt.responses.create(model="any", input="one two three", instructions="be brief")
    thought, text, call = reply.output
    assert thought.type == "reasoning" and thought.summary[0].text == "Let me think."
    assert text.type == "message" and reply.output_text == TEXT
    assert call.type == "function_call"
    assert (call.call_id, call.name, call.arguments) == ("toolu_1", "get_weather", '{"city": "Berlin"}')
    assert (reply.status, reply.instructions) == ("completed", "be brief")
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens) == (5, 10, 15)
    assert reply.usage.output_tokens_details.reasoning_tokens == 3


def test_a_stream_of_a_response_has_its_events_numbered_and_named(upstream: Upstream, http: httpx.Client) -> None:
    upstream.plays(FULL)
    body = http.post("/responses", json={"model": "any", "input": "hi", "stream": True}).text
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in body.split("\n\n")[:-1]]
    documents = [json.loads(event["data"]) for event in events]
    assert [event["event"] for event in events] == [document["type"] for document in documents]
    assert [document["sequence_number"] for document in documents] == list(range(len(events)))
    assert events[0]["event"] == "response.created"
    assert events[-1]["event"] == "response.completed"


@pytest.mark.parametrize(
    ("path", "whole", "event"),
    [
        ("/messages", TypeAdapter(Message), TypeAdapter[object](RawMessageStreamEvent)),
        ("/responses", TypeAdapter(Response), TypeAdapter[object](ResponseStreamEvent)),
    ],
    ids=["messages", "responses"],
)
def test_every_document_is_of_the_clients_types(
    upstream: Upstream, http: httpx.Client, path: str, whole: TypeAdapter[object], event: TypeAdapter[object]
) -> None:
    upstream.always(FULL)
    ask = {"model": "any", "messages": ASK, "input": "hi", "include": ["reasoning.encrypted_content"]}
    whole.validate_python(http.post(path, json=ask).json())
    for line in http.post(path, json={**ask, "stream": True}).text.splitlines():
        if line.startswith("data: "):
            event.validate_json(line[6:])


def test_a_response_that_is_cut_short_is_incomplete(upstream: Upstream, gpt: OpenAI) -> None:
    upstream.always(Reply(finish_reason="length"))
    reply = gpt.responses.create(model="any", input="hi")
    assert reply.status == "incomplete"
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"
    last = list(gpt.responses.create(model="any", input="hi", stream=True))[-1]
    assert last.type == "response.incomplete"


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_prompt_is_completed(gpt: OpenAI, is_stream: bool) -> None:
    if is_stream:
        assert "".join(completed_in_chunks(gpt)) == TEXT
        return
    reply = gpt.completions.create(model="any", prompt=["one two", "three"])
    assert [(choice.index, choice.text, choice.finish_reason) for choice in reply.choices] == [
        (0, TEXT, "stop"),
        (1, TEXT, "stop"),
    ]
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 10)


@pytest.mark.parametrize("said_in", [responded_in_events, completed_in_chunks])
@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (StreamCut(after_tokens=3), openai.APIConnectionError),
        (BrokenEvent(after_tokens=3), json.JSONDecodeError),
        (Stall(after_tokens=3), openai.APITimeoutError),
    ],
    ids=["cut", "broken event", "stall"],
)
def test_other_streams_break_after_as_many_tokens(
    upstream: Upstream,
    gpt: OpenAI,
    said_in: Callable[[OpenAI], Iterator[str]],
    script: Script,
    failure: type[Exception],
) -> None:
    upstream.plays(script)
    said: list[str] = []
    with pytest.raises(failure):
        said.extend(said_in(gpt.with_options(timeout=0.3)))
    assert said == ["Hello", " from", " the"]


def test_an_error_breaks_off_a_response_and_is_numbered_on(upstream: Upstream, gpt: OpenAI) -> None:
    upstream.plays(ErrorEvent(after_tokens=3, is_terminated=True))
    events = list(gpt.responses.create(model="any", input="hi", stream=True))
    assert [event.type for event in events[-3:]] == ["response.output_text.delta", "error", "response.failed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("/chat/completions", "data: [DONE]"),
        ("/completions", "data: [DONE]"),
        ("/messages", "event: message_stop"),
        ("/responses", "event: response.completed"),
    ],
)
def test_a_stream_ends_as_its_api_ends_one_unless_told_not_to(
    upstream: Upstream, http: httpx.Client, path: str, ending: str
) -> None:
    upstream.plays(Reply(), Reply(is_terminated=False))
    ask = {"model": "any", "stream": True}
    assert [http.post(path, json=ask).text.count(ending) for _ in range(2)] == [1, 0]


def test_a_response_is_refused_for_its_input(upstream: Upstream, gpt: OpenAI) -> None:
    upstream.plays(context_length_exceeded())
    with pytest.raises(openai.BadRequestError, match="exceeds the context window") as caught:
        gpt.responses.create(model="any", input="hi")
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")


def test_prefill_is_seen_in_every_api_that_has_turns(upstream: Upstream, http: httpx.Client) -> None:
    upstream.always(NoPrefill())
    turns = [*ASK, {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}]
    asks = {"/chat/completions": "messages", "/messages": "messages", "/responses": "input"}
    assert {http.post(path, json={"model": "any", name: turns}).status_code for path, name in asks.items()} == {400}
    assert http.post("/completions", json={"model": "any", "prompt": "Hello"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/files", b""), ("DELETE", "/files/file-1", b""), ("POST", "/files", b"--x\r\n\x00\xff\r\n--x--")],
)
def test_what_is_asked_elsewhere_is_told_back(
    upstream: Upstream, http: httpx.Client, method: str, path: str, body: bytes
) -> None:
    upstream.elsewhere(Echo())
    upstream.plays(Reply("still queued"))
    told = http.request(method, f"{path}?a=1&b=%20", content=body, headers={"x-odd": "1"}).json()
    assert (told["method"], told["path"], told["query"]) == (method, f"/v1{path}", "a=1&b=%20")
    assert ["x-odd", "1"] in told["headers"]
    assert (told["body_length"], told["body_sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert upstream.received[0].asked.method == method
    reply = http.post("/chat/completions", json={"model": "any", "messages": ASK}).json()
    assert reply["choices"][0]["message"]["content"] == "still queued"


def test_elsewhere_there_is_nothing_unless_told(http: httpx.Client) -> None:
    assert http.get("/files").status_code == 404
