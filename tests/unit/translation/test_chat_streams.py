"""Streams as OpenAI and servers compatible with it send them, read as events; events written as chat chunks."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.openai.reading import OpenAIReader
from watchkeeper.gateway.neutral import (
    Begin,
    DeclinedDelta,
    End,
    Event,
    Failed,
    Finish,
    PartEnd,
    TextDelta,
    ThinkingDelta,
    ToolBegin,
    ToolDelta,
    Used,
)
from watchkeeper.gateway.surfaces.chat.writing import ChatWriter

GOLDEN = Path(__file__).parent / "golden"
BEGIN = Begin("chatcmpl-1", "gpt-x")

STREAMS: dict[str, list[Event]] = {
    "plain": [
        BEGIN,
        TextDelta("Grüß"),
        TextDelta(" Gott"),
        Finish("end"),
        Used(Usage(5, 4, output_text=2, output_reasoning=1)),
        End(),
    ],
    "tools": [
        BEGIN,
        ToolBegin(0, "call_a", "weather"),
        ToolDelta(0, '{"city"'),
        ToolDelta(0, ':"Oslo"}'),
        ToolBegin(1, "call_b", "clock"),
        ToolDelta(1, "{}"),
        Finish("tool_use"),
        End(),
    ],
    "tools_same_index": [
        BEGIN,
        ToolBegin(0, "call_a", "weather"),
        ToolDelta(0, '{"city":"Oslo"}'),
        ToolBegin(1, "call_b", "clock"),
        ToolDelta(1, "{}"),
        Finish("tool_use"),
        End(),
    ],
    "tools_no_index": [
        BEGIN,
        ToolBegin(0, "call_chatcmpl-1_0", "weather"),
        ToolDelta(0, '{"city":'),
        ToolDelta(0, '"Oslo"}'),
        ToolBegin(1, "call_b", "clock"),
        ToolDelta(1, "{}"),
        Finish("tool_use"),
        End(),
    ],
    "usage_on_choice": [BEGIN, TextDelta("Hi"), Used(Usage(5, output_text=1)), Finish("end"), End()],
    "cumulative_usage": [
        BEGIN,
        Used(Usage(5, output_text=1)),
        TextDelta("a"),
        Used(Usage(5, output_text=2)),
        TextDelta("b"),
        Used(Usage(5, output_text=3)),
        TextDelta("c"),
        Finish("length"),
        Used(Usage(5, output_text=3)),
        End(),
    ],
    "reasoning": [
        BEGIN,
        ThinkingDelta("Let me"),
        ThinkingDelta(" see"),
        ThinkingDelta("."),
        TextDelta("42"),
        TextDelta("!"),
        Finish("end"),
        End(),
    ],
    "refusal": [BEGIN, DeclinedDelta("I"), DeclinedDelta(" will not."), Finish("declined"), End()],
    "pings": [BEGIN, TextDelta("a"), TextDelta("b"), Finish("end"), End()],
    "error": [BEGIN, TextDelta("Half"), Failed("rate_limit", "rate_limit_exceeded", "The server is overloaded.")],
    "no_done": [BEGIN, TextDelta("Hi"), Finish("filtered")],
    "empty_first": [BEGIN, TextDelta("Hi"), Finish("end"), End()],
}


def golden(name: str) -> bytes:
    return (GOLDEN / f"chat_{name}.txt").read_bytes()


@pytest.mark.parametrize("name", STREAMS)
def test_a_golden_stream_is_read(name: str) -> None:
    assert OpenAIReader().read(golden(name)) == STREAMS[name]


@pytest.mark.parametrize("name", STREAMS)
def test_it_does_not_matter_how_many_events_are_read_at_once(name: str) -> None:
    reader = OpenAIReader()
    stream = golden(name).replace(b"\r\n", b"\n")
    pieces = [piece + b"\n\n" for piece in stream.split(b"\n\n") if piece]
    assert [event for piece in pieces for event in reader.read(piece)] == STREAMS[name]


def test_every_golden_stream_is_read() -> None:
    assert {path.stem.removeprefix("chat_") for path in GOLDEN.glob("chat_*.txt")} == set(STREAMS)


def test_data_over_several_lines_is_one_event() -> None:
    stream = b'data: {"id":"a","choices":[{"delta":\r\ndata: {"content":"hi"}}]}\r\n\r\n'
    assert OpenAIReader().read(stream) == [Begin("a", ""), TextDelta("hi")]


def writer(*, includes_usage: bool = False) -> ChatWriter:
    return ChatWriter(reply_id="r", created_s=5, includes_usage=includes_usage)


def chunks(stream: bytes) -> list[Any]:
    lines = stream.decode().split("\n\n")
    assert lines.pop() == "" and all(line.startswith("data: ") for line in lines)
    return [line if line.endswith("[DONE]") else json.loads(line[6:]) for line in lines]


def deltas(*events: Event) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(writer().write(list(events)))]


def test_a_chunk_has_all_that_clients_look_for() -> None:
    out = writer()
    assert out.write([Begin("upstream", "m")]) == b""
    assert out.write([TextDelta('a"b\n')]) == (
        b'data: {"id":"r","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,'
        b'"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        b'data: {"id":"r","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,'
        b'"delta":{"content":"a\\"b\\n"},"logprobs":null,"finish_reason":null}]}\n\n'
    )
    assert chunks(out.write([Finish("end")]))[0]["choices"] == [
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    ]
    assert out.end() == b"data: [DONE]\n\n"


SPEAKS = {"role": "assistant", "content": ""}
ASKS = {"role": "assistant", "content": None}


@pytest.mark.parametrize(
    ("events", "written"),
    [
        ([TextDelta("a"), PartEnd(), TextDelta("b")], [SPEAKS, {"content": "a"}, {"content": "b"}]),
        ([ThinkingDelta("a"), ThinkingDelta(signature="s")], [SPEAKS, {"reasoning_content": "a"}]),
        ([ThinkingDelta(redacted="r"), Used(Usage())], []),
        ([DeclinedDelta("no")], [SPEAKS, {"refusal": "no"}]),
        (
            [ToolBegin(0, "c", "f"), ToolDelta(0, '{"a"')],
            [
                ASKS,
                {
                    "tool_calls": [
                        {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
                    ]
                },
                {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
            ],
        ),
        ([Finish("end")], [SPEAKS, {}]),
    ],
)
def test_events_become_deltas_and_the_first_names_the_role(events: list[Event], written: list[Any]) -> None:
    assert deltas(*events) == written


def test_a_tool_without_arguments_gets_an_empty_object() -> None:
    found = deltas(
        ToolBegin(0, "a", "f"), ToolBegin(1, "b", "g"), ToolDelta(1, "{}"), ToolBegin(2, "c", "h"), Finish("tool_use")
    )
    assert found[-3:] == [
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {"tool_calls": [{"index": 2, "function": {"arguments": "{}"}}]},
        {},
    ]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([Finish("end")], "stop"),
        ([Finish("stop_sequence", "x")], "stop"),
        ([Finish("length")], "length"),
        ([Finish("tool_use")], "tool_calls"),
        ([Finish("filtered")], "content_filter"),
        ([Finish("declined")], "content_filter"),
        ([DeclinedDelta("no"), Finish("declined")], "stop"),
        ([Finish("pause")], "length"),
    ],
)
def test_the_last_chunk_says_why_the_model_stopped(events: list[Event], reason: str) -> None:
    assert chunks(writer().write(events))[-1]["choices"][0]["finish_reason"] == reason


def test_usage_comes_last_and_on_its_own_where_it_was_asked_for() -> None:
    out = writer(includes_usage=True)
    written = out.write([TextDelta("a"), Used(Usage(1)), Finish("end"), Used(Usage(1, 2, 3, 4, 5, 6, 7, 8))])
    assert all(chunk["usage"] is None for chunk in chunks(written))
    last, done = chunks(out.end())
    assert last["choices"] == [] and done == "data: [DONE]"
    assert last["usage"] == {
        "prompt_tokens": 17,
        "completion_tokens": 19,
        "total_tokens": 36,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 7, "audio_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 8},
    }


@pytest.mark.parametrize(("includes_usage", "events"), [(False, [Used(Usage(1))]), (True, [])])
def test_usage_that_is_not_asked_for_or_not_known_is_left_out(includes_usage: bool, events: list[Event]) -> None:
    out = writer(includes_usage=includes_usage)
    out.write(events)
    assert out.end() == b"data: [DONE]\n\n"
