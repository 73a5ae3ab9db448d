"""What is written as a response is what the official client reads, whole or piece by piece."""

import json
from typing import Any

import pytest
from openai.types.responses import Response
from pydantic import TypeAdapter
from tests.unit.translation.responses_requests import TOOL, read

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.neutral import (
    CannotCarry,
    Completion,
    Declined,
    Image,
    Part,
    Stop,
    Text,
    Thinking,
    ToolUse,
    Turn,
)
from watchkeeper.gateway.surfaces.responses.writing import reply_body

official = TypeAdapter(Response)

USAGE = Usage(10, 20, 3, 4, 50, 6, 1, 2)


def written(*parts: Part, stop: Stop = "end", usage: Usage | None = None, request: bytes = b"") -> dict[str, Any]:
    completion = Completion(id="up_1", model="m-1", parts=parts, stop=stop, usage=usage)
    body = reply_body(completion, reply_id="resp_7", created_s=1_763_700_000, request=request)
    official.validate_json(body)
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_whole_response_has_every_field() -> None:
    assert written(Text("hello"), usage=USAGE) == {
        "id": "resp_7",
        "object": "response",
        "created_at": 1_763_700_000,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": "m-1",
        "output": [
            {
                "id": "msg_7_0",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "hello"}],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 38,
            "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 7},
            "output_tokens": 58,
            "output_tokens_details": {"reasoning_tokens": 6},
            "total_tokens": 96,
        },
        "user": None,
    }


@pytest.mark.parametrize(
    ("parts", "output"),
    [
        ((), []),
        ((Text(""), Thinking()), []),
        ((Text("a"), Text("b")), [("message", ["a", "b"])]),
        ((Text("a"), Declined("no")), [("message", ["a", "no"])]),
        (
            (Text("a"), ToolUse("c1", "look", '{"a":1}'), ToolUse("c2", "see", "{}"), Text("b")),
            [("message", ["a"]), ("look", "c1", '{"a":1}'), ("see", "c2", "{}"), ("message", ["b"])],
        ),
        ((Thinking("hm"), Text("a")), [("reasoning", ["hm"], None), ("message", ["a"])]),
        ((Thinking(redacted="xyz"),), [("reasoning", [], "xyz")]),
        (
            (Thinking("hm", "sig"), Thinking("well")),
            [("reasoning", ["hm"], "wk-seal:sig"), ("reasoning", ["well"], None)],
        ),
    ],
)
def test_parts_become_items_in_their_order(parts: tuple[Part, ...], output: list[tuple[object, ...]]) -> None:
    assert [brief(item) for item in written(*parts)["output"]] == output


def brief(item: dict[str, Any]) -> tuple[object, ...]:
    """What matters of an output item."""
    match item["type"]:
        case "message":
            return "message", [part.get("text", part.get("refusal")) for part in item["content"]]
        case "function_call":
            return item["name"], item["call_id"], item["arguments"]
        case _:
            return "reasoning", [part["text"] for part in item["summary"]], item["encrypted_content"]


def test_every_item_has_its_own_id() -> None:
    output = written(Thinking("a"), Thinking("b"), Text("c"), ToolUse("c1", "n", "{}"), Text("d"))["output"]
    assert [item["id"] for item in output] == ["rs_7_0", "rs_7_1", "msg_7_2", "fc_7_3", "msg_7_4"]


@pytest.mark.parametrize(
    ("stop", "parts", "status", "reason"),
    [
        ("end", (Text("a"),), "completed", None),
        ("stop_sequence", (Text("a"),), "completed", None),
        ("tool_use", (ToolUse("c1", "n", "{}"),), "completed", None),
        ("pause", (Text("a"),), "completed", None),
        ("length", (Text("a"),), "incomplete", "max_output_tokens"),
        ("length", (), "incomplete", "max_output_tokens"),
        ("filtered", (Text("a"),), "incomplete", "content_filter"),
        ("declined", (Declined("no"),), "completed", None),
        ("declined", (Text("I was go"),), "incomplete", "content_filter"),
    ],
)
def test_why_the_model_stopped_is_told(stop: Stop, parts: tuple[Part, ...], status: str, reason: str | None) -> None:
    response = written(*parts, stop=stop)
    assert response["status"] == status
    assert response["incomplete_details"] == (reason and {"reason": reason})
    assert [item["status"] for item in response["output"]] == [status] * len(parts)


def test_only_the_last_item_was_cut() -> None:
    output = written(Text("a"), ToolUse("c1", "n", '{"a'), stop="length")["output"]
    assert [item["status"] for item in output] == ["completed", "incomplete"]


def test_unknown_usage_is_null_and_not_zero() -> None:
    assert written(Text("a"))["usage"] is None


def test_a_response_repeats_the_settings_of_its_request() -> None:
    asked = {
        "instructions": "be brief",
        "temperature": 0.5,
        "max_output_tokens": 9,
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "look"},
        "text": {"format": {"type": "json_object"}},
        "metadata": {"a": "b"},
    }
    request = json.dumps({"model": "m", "input": "secret", "user": None, "tools": None} | asked).encode()
    response = written(Text("a"), request=request)
    assert {name: response[name] for name in asked} == asked
    assert (response["user"], "input" in response) == (None, False)


@pytest.mark.parametrize("request_body", [b"", b"{", b"[]", b'{"tools":null}'])
def test_settings_that_nobody_gave_have_their_defaults(request_body: bytes) -> None:
    assert written(request=request_body)["tools"] == []


def test_a_part_without_an_item_is_not_dropped() -> None:
    with pytest.raises(CannotCarry) as refused:
        written(Text("a"), Image(url="https://x"))
    assert refused.value.field == "output[1]"


@pytest.mark.parametrize(
    "parts",
    [
        (Thinking("hm", "sig=="), Text("a"), ToolUse("c1", "look", '{"a":1}')),
        (Thinking(redacted="xyz"), Text("a"), Text("b")),
        (Declined("no"),),
    ],
)
def test_what_a_client_sends_back_is_what_it_was_given(parts: tuple[Part, ...]) -> None:
    assert read(input=written(*parts)["output"]).turns == (Turn("assistant", parts),)
