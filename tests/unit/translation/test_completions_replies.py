"""Completions and events, written as legacy clients read them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    Completion,
    Declined,
    DeclinedDelta,
    Event,
    Finish,
    Part,
    PartEnd,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolBegin,
    ToolUse,
    Used,
)
from watchkeeper.gateway.surfaces.completions.writing import CompletionsWriter, reply_body


def written(*parts: Part, stop: Stop = "end", usage: Usage | None = None) -> dict[str, Any]:
    found = Completion(id="up", model="m", parts=parts, stop=stop, usage=usage)
    reply: dict[str, Any] = msgspec.json.decode(reply_body(found, reply_id="r", created_s=5))
    return reply


def test_a_reply_is_written() -> None:
    assert written(Thinking("hm"), Text("a"), Text("b")) == {
        "id": "r",
        "object": "text_completion",
        "created": 5,
        "model": "m",
        "choices": [{"text": "ab", "index": 0, "logprobs": None, "finish_reason": "stop"}],
    }
    assert written(Text("a"), usage=Usage(3, output_text=2))["usage"]["total_tokens"] == 5


REASONS: list[tuple[Part, Stop, str]] = [
    (Text("x"), "end", "stop"),
    (Text("x"), "stop_sequence", "stop"),
    (Text("x"), "length", "length"),
    (Text("x"), "pause", "length"),
    (Text("x"), "tool_use", "stop"),
    (Text("x"), "filtered", "content_filter"),
    (Text("x"), "declined", "content_filter"),
    (Declined("x"), "declined", "stop"),
]


@pytest.mark.parametrize(("part", "stop", "reason"), REASONS)
def test_a_stop_becomes_a_finish_reason(part: Part, stop: Stop, reason: str) -> None:
    choice = written(part, stop=stop)["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("x", reason)


def test_a_reply_that_is_not_words_is_refused() -> None:
    with pytest.raises(CannotCarry):
        written(ToolUse("c", "f", "{}"))
    with pytest.raises(CannotCarry):
        writer().write([ToolBegin(0, "c", "f")])


def writer(*, includes_usage: bool = False) -> CompletionsWriter:
    return CompletionsWriter(reply_id="r", created_s=5, includes_usage=includes_usage)


def chunks(stream: bytes) -> list[Any]:
    lines = stream.decode().split("\n\n")
    assert lines.pop() == "" and all(line.startswith("data: ") for line in lines)
    return [line if line.endswith("[DONE]") else json.loads(line[6:]) for line in lines]


def test_a_stream_is_written() -> None:
    out = writer()
    said: list[Event] = [
        Begin("up", "m"),
        ThinkingDelta("hm"),
        TextDelta("a"),
        PartEnd(),
        Used(Usage(1)),
        Finish("end"),
    ]
    assert out.write(said) == (
        b'data: {"id":"r","object":"text_completion","created":5,"model":"m",'
        b'"choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}]}\n\n'
        b'data: {"id":"r","object":"text_completion","created":5,"model":"m",'
        b'"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}\n\n'
    )
    assert out.end() == b"data: [DONE]\n\n"


@pytest.mark.parametrize(("part", "stop", "reason"), REASONS)
def test_the_last_chunk_says_why_the_model_stopped(part: Part, stop: Stop, reason: str) -> None:
    said: Event = DeclinedDelta("x") if isinstance(part, Declined) else TextDelta("x")
    first, last = chunks(writer().write([said, Finish(stop)]))
    assert (first["choices"][0]["text"], last["choices"][0]["finish_reason"]) == ("x", reason)


def test_usage_comes_last_and_on_its_own_where_it_was_asked_for() -> None:
    out = writer(includes_usage=True)
    said = chunks(out.write([TextDelta("a"), Used(Usage(1)), Finish("end"), Used(Usage(3, output_text=2))]))
    assert [chunk["usage"] for chunk in said] == [None, None]
    last, done = chunks(out.end())
    assert (last["choices"], last["usage"]["total_tokens"], done) == ([], 5, "data: [DONE]")


@given(st.lists(st.text(min_size=1), max_size=5))
def test_all_words_arrive(words: list[str]) -> None:
    said = chunks(writer().write([TextDelta(word) for word in words]))
    assert "".join(chunk["choices"][0]["text"] for chunk in said) == "".join(words)
