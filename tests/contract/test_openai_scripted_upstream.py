"""The scripted upstream, seen with the official client and with bare sockets: it must fail exactly as told."""

import json
import socket
from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from watchkeeper.testing import (
    BrokenEvent,
    Delivery,
    ErrorEvent,
    ErrorReply,
    FakeClock,
    HtmlPage,
    Reply,
    ResetBeforeHead,
    Silence,
    Stall,
    StreamCut,
    Tool,
    Upstream,
    context_length_exceeded,
    eventually,
    rate_limited,
)
from watchkeeper.testing.catalogue import CATALOGUE
from watchkeeper.testing.steps import Reset

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "one two three"}]
TEXT = "Hello from the scripted upstream."


@pytest.fixture(scope="module")
def started() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(started: Upstream) -> Upstream:
    started.clear()
    return started


@pytest.fixture
def client(upstream: Upstream) -> Iterator[OpenAI]:
    with OpenAI(base_url=upstream.base_url, api_key="sk-fake", max_retries=0, timeout=5) as client:
        yield client


@pytest.fixture
async def async_client(upstream: Upstream) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=upstream.base_url, api_key="sk-fake", max_retries=0, timeout=5) as client:
        yield client


def test_an_unscripted_upstream_answers_plainly_and_counts_words(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="any", messages=ASK)
    assert reply.choices[0].message.content == TEXT
    assert reply.model == "any"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 5)


def test_each_answer_asked_for_is_given(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="any", messages=ASK, n=3, logprobs=True)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    logprobs = reply.choices[2].logprobs
    assert logprobs is not None
    assert "".join(entry.token for entry in logprobs.content or []) == TEXT


def test_a_stream_says_the_same_as_the_plain_reply(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="any", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == TEXT
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert not chunks[-1].choices
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 8


def test_a_tool_call_comes_whole_or_in_fragments(upstream: Upstream, client: OpenAI) -> None:
    upstream.always(Reply("", tools=(Tool("get_weather", {"city": "Berlin"}, id="call_1"),)))
    plain = client.chat.completions.create(model="any", messages=ASK).choices[0]
    assert plain.finish_reason == "tool_calls"
    assert plain.message.content is None
    with client.chat.completions.stream(model="any", messages=ASK) as stream:
        streamed = stream.get_final_completion().choices[0]
    calls = plain.message.tool_calls or []
    assert [call.model_dump()["function"] for call in calls] == [
        {"name": "get_weather", "arguments": '{"city": "Berlin"}'}
    ]
    assert (streamed.message.tool_calls or [])[0].model_dump()["function"]["arguments"] == '{"city": "Berlin"}'


def test_embeddings_are_the_same_packed_and_unpacked(client: OpenAI) -> None:
    packed = client.embeddings.create(model="vectors", input=["a", "b"])
    plain = client.embeddings.create(model="vectors", input=["a", "b"], encoding_format="float")
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding)
    assert packed.usage.prompt_tokens == 2


def test_scripts_of_a_model_are_played_before_those_for_all(upstream: Upstream, client: OpenAI) -> None:
    upstream.plays(Reply("all"), Reply("all again"))
    upstream.plays(Reply("its own"), model="special")
    said = [
        client.chat.completions.create(model=model, messages=ASK).choices[0].message.content
        for model in ("special", "special", "other", "other")
    ]
    assert said == ["its own", "all", "all again", TEXT]


def test_a_request_is_remembered_byte_for_byte(upstream: Upstream) -> None:
    body = b'{ "model" : "any",\n "messages": [] }'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Odd:  spaced \r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection((upstream.host, upstream.port)) as connection:
        connection.sendall(head + body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    [received] = upstream.received
    assert received.head == head
    assert received.body == body
    assert received.header("x-odd") == "spaced"


def test_a_chunked_request_is_put_together(upstream: Upstream) -> None:
    with socket.create_connection((upstream.host, upstream.port)) as connection:
        connection.sendall(b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.sendall(b'9\r\n{"input":\r\n4\r\n"a"}\r\n0\r\n\r\n')
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert upstream.received[0].json == {"input": "a"}


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(packets="byte"),
        Delivery(packets="bundle"),
        Delivery(packets="split"),
        Delivery(newline="\r\n"),
        Delivery(has_comments=True),
        Delivery(framing="close"),
        Delivery(framing="length"),
        Delivery(is_gzipped=True),
        Delivery(is_gzipped=True, packets="split", newline="\r\n"),
        Delivery(head_s=0.01, first_s=0.01, pace_s=0.001),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_however_it_travels_the_reply_is_the_same(
    upstream: Upstream, client: OpenAI, delivery: Delivery, is_stream: bool
) -> None:
    upstream.plays(Reply(delivery=delivery))
    if is_stream:
        chunks = client.chat.completions.create(model="any", messages=ASK, stream=True)
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    else:
        text = client.chat.completions.create(model="any", messages=ASK).choices[0].message.content or ""
    assert text == TEXT


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (rate_limited(retry_after_s=7), openai.RateLimitError),
        (context_length_exceeded(), openai.BadRequestError),
        (ErrorReply(500), openai.InternalServerError),
        (HtmlPage(502), openai.InternalServerError),
        (ResetBeforeHead(), openai.APIConnectionError),
        (StreamCut(after_tokens=2), openai.APIConnectionError),
        (StreamCut(after_tokens=2, end=Reset()), openai.APIConnectionError),
        (Reply(delivery=Delivery(length_error=10)), openai.APIConnectionError),
        (BrokenEvent(), json.JSONDecodeError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fault_reaches_the_client_as_that_fault(
    upstream: Upstream, client: OpenAI, script: ErrorReply, failure: type[Exception]
) -> None:
    upstream.plays(script)
    with pytest.raises(failure) as caught:
        client.chat.completions.create(model="any", messages=ASK)
    if isinstance(caught.value, openai.RateLimitError):
        assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (StreamCut(after_tokens=3), openai.APIConnectionError),
        (StreamCut(after_tokens=3, end=Reset()), openai.APIConnectionError),
        (ErrorEvent(after_tokens=3), openai.APIError),
        (BrokenEvent(after_tokens=3), json.JSONDecodeError),
    ],
    ids=["cut", "reset", "error event", "broken event"],
)
def test_a_stream_breaks_after_exactly_the_tokens_it_was_told(
    upstream: Upstream, client: OpenAI, script: StreamCut, failure: type[Exception]
) -> None:
    upstream.plays(script)
    said: list[str] = []
    stream = client.chat.completions.create(model="any", messages=ASK, stream=True)
    with pytest.raises(failure):
        said.extend(choice.delta.content for chunk in stream for choice in chunk.choices if choice.delta.content)
    assert said == ["Hello", " from", " the"]


@pytest.mark.parametrize("script", [Stall(after_tokens=3), Silence()], ids=["stall", "silence"])
async def test_a_client_that_gives_up_is_seen_to_leave(
    upstream: Upstream, async_client: AsyncOpenAI, script: Stall | Silence
) -> None:
    upstream.plays(script)
    with pytest.raises(openai.APITimeoutError):
        await async_client.with_options(timeout=0.2).chat.completions.create(model="any", messages=ASK, stream=False)
    await eventually(lambda: upstream.received[0].ended_at)
    assert upstream.received[0].outcome == "client_left"


def test_every_behaviour_of_the_catalogue_is_a_model(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == list(CATALOGUE)
    assert client.chat.completions.create(model="no-usage", messages=ASK).usage is None


async def test_a_script_that_cannot_be_played_is_told_when_the_upstream_closes() -> None:
    upstream = Upstream()
    await upstream.start()
    upstream.plays(StreamCut(after_tokens=30, reply=Reply("too short")))
    async with AsyncOpenAI(base_url=upstream.base_url, api_key="sk-fake", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.chat.completions.create(model="any", messages=ASK, stream=True)
    with pytest.raises(ValueError, match="only 2"):
        await upstream.close()


def test_a_held_clock_moves_only_when_told() -> None:
    clock = FakeClock()
    before = clock.unix_ns()
    clock.advance(1.5)
    assert (clock.unix_ns() - before, clock.monotonic()) == (1_500_000_000, 1.5)
    clock.set_unix_ns(0)
    assert (clock.unix_ns(), clock.monotonic()) == (0, 1.5)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
