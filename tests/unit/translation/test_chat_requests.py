"""A chat request is read field by field; what has no place in a prompt is refused under the client's own name."""

import json
from typing import Any

import pytest
from msgspec import Raw

from watchkeeper.gateway.neutral import (
    CannotCarry,
    Declined,
    Document,
    Image,
    Output,
    Part,
    Prompt,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.chat.reading import prompt_of

Json = dict[str, Any]
ASKED = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def read(*messages: Json, **fields: Any) -> Prompt:
    return prompt_of(json.dumps({"model": "m", "messages": list(messages), **fields}).encode())


def parts(content: Any) -> tuple[Part, ...]:
    return read({"role": "user", "content": content}).turns[0].parts


def test_a_conversation_becomes_instructions_and_turns() -> None:
    prompt = read(
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
        {"role": "user", "content": "weather?", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2", "index": 1}]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain", "name": "f"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "sun"}]},
        {"role": "user", "content": [{"type": "text", "text": "and"}, {"type": "text", "text": "so?"}]},
    )
    assert prompt.system == (Text("be brief"), Text("be kind"))
    assert prompt.turns == (
        Turn("user", (Text("weather?"),), "ann"),
        Turn("assistant", (ToolUse("c1", "f", '{"a":1}'), ToolUse("c2", "f", '{"a":1}'))),
        Turn("user", (ToolResult("c1", (Text("rain"),)), ToolResult("c2", (Text("sun"),)))),
        Turn("user", (Text("and"), Text("so?"))),
    )


def test_tool_results_at_the_end_are_a_turn() -> None:
    prompt = read(ASKED, {"role": "tool", "tool_call_id": "c", "content": "x"})
    assert prompt.turns[1] == Turn("user", (ToolResult("c", (Text("x"),)),))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": "yes", "refusal": None, "audio": None, "function_call": None, "annotations": []}, [Text("yes")]),
        ({"content": ""}, []),
        ({}, []),
        ({"refusal": "no"}, [Declined("no")]),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, [Declined("no")]),
        ({"content": "x", "reasoning_content": "hm"}, [Thinking("hm"), Text("x")]),
        ({"content": "x", "reasoning": "hm"}, [Thinking("hm"), Text("x")]),
        ({"content": "", "tool_calls": [CALL]}, [ToolUse("c1", "f", '{"a":1}')]),
        ({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": ""}}]}, [ToolUse("c", "f", "{}")]),
    ],
)
def test_what_the_assistant_said_comes_in_one_order(message: Json, said: list[Part]) -> None:
    assert list(read(ASKED, {"role": "assistant", **message}).turns[1].parts) == said


@pytest.mark.parametrize(
    ("part", "read_as"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/a.png"}}, Image(url="https://x/a.png")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            Image("image/png", "AAAA", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;charset=x;base64,AAAA"}},
            Image("image/png", "AAAA"),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            Document("application/pdf", "AAAA", name="a.pdf"),
        ),
        ({"type": "file", "file": {"file_data": "JVBERi0xLjQ="}}, Document("application/pdf", "JVBERi0xLjQ=")),
        ({"type": "file", "file": {"file_data": "AAAA"}}, Document("", "AAAA")),
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}, Text("x", "5m")),
        ({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("x", "1h")),
        ({"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("x", "5m")),
        ({"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}, Text("x", "1h")),
    ],
)
def test_a_part_of_the_users_message_is_read(part: Json, read_as: Part) -> None:
    assert parts([part]) == (read_as,)


SCHEMA = {"type": "object"}
RAW_SCHEMA = Raw(b'{"type": "object"}')


@pytest.mark.parametrize(
    ("field", "value", "name", "read_as"),
    [
        ("max_tokens", 5, "max_tokens", 5),
        ("max_completion_tokens", 5, "max_tokens", 5),
        ("temperature", 1, "temperature", 1.0),
        ("top_p", 0.5, "top_p", 0.5),
        ("top_k", 40, "top_k", 40),
        ("stop", "x", "stop", ("x",)),
        ("stop", ["x", "y"], "stop", ("x", "y")),
        ("stop", None, "stop", ()),
        ("user", "u", "user", "u"),
        ("stream", True, "is_stream", True),
        ("stream", None, "is_stream", False),
        ("parallel_tool_calls", False, "parallel_tools", False),
        ("reasoning_effort", "low", "reasoning", Reasoning(effort="low")),
        ("reasoning_effort", "none", "reasoning", Reasoning(is_on=False)),
        ("reasoning_effort", None, "reasoning", None),
        ("tool_choice", "auto", "tool_choice", ToolChoice("auto")),
        ("tool_choice", "none", "tool_choice", ToolChoice("none")),
        ("tool_choice", "required", "tool_choice", ToolChoice("any")),
        ("tool_choice", {"type": "function", "function": {"name": "f"}}, "tool_choice", ToolChoice("one", "f")),
        ("response_format", {"type": "text"}, "output", None),
        ("response_format", {"type": "json_object"}, "output", Output("json")),
        (
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}},
            "output",
            Output("schema", RAW_SCHEMA, "a", is_strict=True),
        ),
        (
            "response_format",
            {"type": "json_schema", "json_schema": {"name": "a", "description": "d"}},
            "output",
            Output("schema", Raw(b'{"type":"object"}'), "a", "d"),
        ),
        (
            "tools",
            [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}}],
            "tools",
            (Tool("f", RAW_SCHEMA, "d", is_strict=True),),
        ),
        (
            "tools",
            [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}],
            "tools",
            (Tool("f", Raw(b'{"type":"object","properties":{}}'), cache="5m"),),
        ),
        ("tools", None, "tools", ()),
    ],
)
def test_a_field_is_read(field: str, value: object, name: str, read_as: object) -> None:
    prompt = read(ASKED, **{field: value})
    assert getattr(prompt, name) == read_as
    assert prompt.others == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": False, "store": False},
        {"service_tier": "auto", "logit_bias": {}, "metadata": {}, "modalities": ["text"], "verbosity": "medium"},
        {"stream_options": {"include_usage": True}, "functions": [], "function_call": None, "seed": None},
    ],
)
def test_what_only_repeats_a_default_is_left_out(fields: Json) -> None:
    body = json.dumps({"model": "m", "messages": [ASKED], **fields}, separators=(",", ":")).encode()
    assert prompt_of(body) == Prompt(turns=(Turn("user", (Text("hi"),)),))


def test_further_fields_keep_their_bytes() -> None:
    prompt = read(ASKED, n=2, seed=7, unheard_of={"a": 1}, logprobs=True)
    assert {name: bytes(value) for name, value in prompt.others.items()} == {
        "n": b"2",
        "seed": b"7",
        "unheard_of": b'{"a": 1}',
        "logprobs": b"true",
    }


@pytest.mark.parametrize(
    ("messages", "fields", "named"),
    [
        ([{"content": [{"type": "input_audio", "input_audio": {}}]}], {}, "messages[0].content[0].input_audio"),
        ([{"content": [{"type": "video"}]}], {}, "messages[0].content[0].type"),
        ([{"content": [{"type": "refusal", "refusal": "x"}]}], {}, "messages[0].content[0].refusal"),
        ([{"content": [{"type": "file", "file": {"file_id": "f"}}]}], {}, "messages[0].content[0].file.file_id"),
        ([{"content": "x", "tool_calls": [CALL]}], {}, "messages[0].tool_calls"),
        ([{"content": "x", "weight": 1}], {}, "messages[0].weight"),
        ([{"content": "x", "tool_call_id": "c"}], {}, "messages[0].tool_call_id"),
        ([ASKED, {"role": "system", "content": "x"}], {}, "messages[1].role"),
        ([ASKED, {"role": "developer", "content": "x"}], {}, "messages[1].role"),
        ([{"role": "system", "content": "x", "name": "n"}], {}, "messages[0].name"),
        (
            [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
            {},
            "messages[0].content[0].image_url",
        ),
        ([{"role": "function", "name": "f", "content": "x"}], {}, "messages[0].role"),
        ([{"role": "assistant", "function_call": {"name": "f"}}], {}, "messages[0].function_call"),
        ([{"role": "assistant", "audio": {"id": "a"}}], {}, "messages[0].audio"),
        ([{"role": "assistant", "content": "x", "annotations": [{}]}], {}, "messages[0].annotations"),
        (
            [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}],
            {},
            "messages[0].content[0].image_url",
        ),
        ([{"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}], {}, "messages[0].tool_calls[0].type"),
        (
            [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}]}],
            {},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            [
                {
                    "role": "tool",
                    "tool_call_id": "c",
                    "content": [{"type": "image_url", "image_url": {"url": "u"}}],
                }
            ],
            {},
            "messages[0].content[0].image_url",
        ),
        ([ASKED], {"functions": [{"name": "f"}]}, "functions"),
        ([ASKED], {"function_call": "none"}, "function_call"),
        ([ASKED], {"tools": [{"type": "custom", "custom": {}}]}, "tools[0].custom"),
        ([ASKED], {"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ([ASKED], {"tools": [{"function": {"name": "f", "extra": 1}}]}, "tools[0].function.extra"),
        ([ASKED], {"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice.allowed_tools"),
        ([ASKED], {"tool_choice": {"type": "any"}}, "tool_choice.type"),
        ([ASKED], {"response_format": {"type": "grammar"}}, "response_format.type"),
        ([ASKED], {"response_format": {"type": "grammar", "grammar": "x"}}, "response_format.grammar"),
    ],
)
def test_what_has_no_place_is_refused_under_its_name(messages: list[Json], fields: Json, named: str) -> None:
    with pytest.raises(CannotCarry) as refused:
        read(*({"role": "user", **message} for message in messages), **fields)
    assert refused.value.field == named


@pytest.mark.parametrize(
    ("messages", "fields", "param"),
    [
        ([{"content": 3}], {}, "messages[0].content"),
        ([{"content": None}], {}, "messages[0].content"),
        ([{"content": [{"text": "x"}]}], {}, "messages[0].content[0].type"),
        ([{"content": [{"type": "text"}]}], {}, "messages[0].content[0].text"),
        ([{"content": [{"type": "image_url"}]}], {}, "messages[0].content[0].image_url"),
        ([{"content": [{"type": "file"}]}], {}, "messages[0].content[0].file"),
        ([{"content": [{"type": "file", "file": {}}]}], {}, "messages[0].content[0].file.file_data"),
        (
            [{"content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]}],
            {},
            "messages[0].content[0].image_url.url",
        ),
        (
            [{"content": [{"type": "image_url", "image_url": {"url": "data:;base64,x"}}]}],
            {},
            "messages[0].content[0].image_url.url",
        ),
        ([{"role": "king", "content": "x"}], {}, "messages[0].role"),
        ([{"role": "system"}], {}, "messages[0].content"),
        ([{"role": "tool", "content": "x"}], {}, "messages[0].tool_call_id"),
        ([{"role": "assistant", "tool_calls": [{"id": "c"}]}], {}, "messages[0].tool_calls[0].function"),
        ([{"role": "assistant", "content": [{"type": "refusal"}]}], {}, "messages[0].content[0].refusal"),
        ([ASKED], {"temperature": "hot"}, "temperature"),
        ([ASKED], {"stop": [1]}, "stop[0]"),
        ([ASKED], {"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ([ASKED], {"tool_choice": "maybe"}, "tool_choice"),
        ([ASKED], {"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ([ASKED], {"tools": [{"type": "function"}]}, "tools[0].function"),
        ([ASKED], {"tools": [{"function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ([ASKED], {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            [ASKED],
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_wrong_value_is_named(messages: list[Json], fields: Json, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(*({"role": "user", **message} for message in messages), **fields)
    assert refused.value.param == param
    assert f"`{param}`" in str(refused.value)


def test_a_request_without_messages_is_refused() -> None:
    with pytest.raises(BadRequest, match="`messages` is required") as refused:
        prompt_of(b'{"model":"m"}')
    assert refused.value.param == "messages"
