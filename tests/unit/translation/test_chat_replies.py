"""Complete chat replies, read as completions and written from them."""

import json
from typing import Any

import msgspec
import pytest

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.dialects.openai.reading import completion_of
from watchkeeper.gateway.neutral import (
    CannotCarry,
    Completion,
    Declined,
    Document,
    Image,
    Part,
    Stop,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from watchkeeper.gateway.surfaces.chat.writing import reply_body

Json = dict[str, Any]


def read(message: Json, finish_reason: str | None = "stop", **more: Any) -> Completion:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return completion_of(json.dumps({"id": "x", "model": "m", "choices": [choice], **more}).encode())


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "hi", "refusal": None}, (Text("hi"),)),
        ({"content": None}, ()),
        ({"content": None, "refusal": "no"}, (Declined("no"),)),
        ({"content": "hi", "reasoning_content": "hm"}, (Thinking("hm"), Text("hi"))),
        ({"content": "hi", "reasoning": "hm", "annotations": []}, (Thinking("hm"), Text("hi"))),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "a"},
                    {"type": "text", "text": "b"},
                ]
            },
            (Thinking("hm"), Text("ab")),
        ),
        (
            {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]},
            (ToolUse("c", "f", '{"a":1}'),),
        ),
        ({"tool_calls": [{"function": {"name": "f", "arguments": ""}}]}, (ToolUse("call_x_0", "f", "{}"),)),
    ],
)
def test_a_message_is_read(message: Json, parts: tuple[Part, ...]) -> None:
    found = read(message)
    assert (found.id, found.model, found.parts, found.usage) == ("x", "m", parts, None)


@pytest.mark.parametrize(
    ("reason", "message", "stop"),
    [
        ("stop", {}, "end"),
        (None, {}, "end"),
        ("unheard_of", {}, "end"),
        ("length", {}, "length"),
        ("model_length", {}, "length"),
        ("insufficient_system_resource", {}, "length"),
        ("tool_calls", {}, "tool_use"),
        ("function_call", {}, "tool_use"),
        ("content_filter", {}, "filtered"),
        ("stop", {"refusal": "no"}, "declined"),
        ("stop", {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}, "tool_use"),
    ],
)
def test_a_finish_reason_is_read(reason: str | None, message: Json, stop: Stop) -> None:
    assert read({"content": "x", **message}, reason).stop == stop


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, output_text=2)),
        (None, None),
        ("many", None),
        ({"prompt_tokens": -3, "completion_tokens": 2}, None),
    ],
)
def test_usage_is_read_where_it_can_be(reported: object, usage: Usage | None) -> None:
    assert read({"content": "x"}, usage=reported).usage == usage


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'{"choices":"\xff"}']
)
def test_what_is_not_a_reply_is_unreadable(body: bytes) -> None:
    with pytest.raises(UNREADABLE):
        completion_of(body)


def completion(*parts: Part, stop: Stop = "end", usage: Usage | None = None) -> Completion:
    return Completion(id="up", model="m", parts=parts, stop=stop, usage=usage)


def written(found: Completion) -> Json:
    reply: Json = msgspec.json.decode(reply_body(found, reply_id="r", created_s=5))
    return reply


def test_a_reply_is_written() -> None:
    assert written(completion(Text("a"), Text("b"), usage=Usage(3, output_text=2))) == {
        "id": "r",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ab", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }
    assert "usage" not in written(completion(Text("a")))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), {"content": None, "refusal": None}),
        ((Declined("no"),), {"content": None, "refusal": "no"}),
        ((Thinking("hm", "seal"), Text("x")), {"content": "x", "refusal": None, "reasoning_content": "hm"}),
        ((Thinking(redacted="?"), Text("x")), {"content": "x", "refusal": None}),
        (
            (ToolUse("c", "f", "{}"),),
            {
                "content": None,
                "refusal": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
    ],
)
def test_parts_become_a_message(parts: tuple[Part, ...], message: Json) -> None:
    assert written(completion(*parts))["choices"][0]["message"] == {"role": "assistant", **message}


@pytest.mark.parametrize(
    ("parts", "stop", "reason"),
    [
        ((Text("x"),), "stop_sequence", "stop"),
        ((Text("x"),), "length", "length"),
        ((Text("x"),), "pause", "length"),
        ((Text("x"),), "tool_use", "tool_calls"),
        ((Text("x"),), "filtered", "content_filter"),
        ((Text("x"),), "declined", "content_filter"),
        ((Declined("x"),), "declined", "stop"),
    ],
)
def test_a_stop_becomes_a_finish_reason(parts: tuple[Part, ...], stop: Stop, reason: str) -> None:
    assert written(completion(*parts, stop=stop))["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("part", [Image(url="u"), Document(text="x"), ToolResult("c", ())])
def test_a_reply_that_chat_cannot_say_is_refused(part: Part) -> None:
    with pytest.raises(CannotCarry):
        reply_body(completion(part), reply_id="r", created_s=5)
