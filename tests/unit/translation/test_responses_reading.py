"""A Responses request is read into neutral words, field by field."""

from typing import Any

import pytest
from msgspec import Raw
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import TypeAdapter
from tests.unit.translation.responses_requests import TOOL, assistant, call, read, result, user

from watchkeeper.gateway.neutral import (
    Declined,
    Document,
    Image,
    Output,
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

official: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsBase)

ASKED = (Turn("user", (Text("hi"),)),)
LOOK = Tool("look", Raw(b'{"type":"object"}'))


def turns(*items: object) -> tuple[Turn, ...]:
    return read(input=list(items)).turns


@pytest.mark.parametrize(
    ("item", "turn"),
    [
        ({"role": "user", "content": "hi"}, Turn("user", (Text("hi"),))),
        ({"type": "message", "role": "user", "content": "hi", "status": "completed"}, Turn("user", (Text("hi"),))),
        (
            user({"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}),
            ("user", Text("a"), Text("b")),
        ),
        ({"role": "assistant", "content": "yes"}, Turn("assistant", (Text("yes"),))),
        (
            assistant(
                {"type": "output_text", "text": "yes", "annotations": [], "logprobs": []},
                id="msg_1",
                status="completed",
                phase="final_answer",
            ),
            Turn("assistant", (Text("yes"),)),
        ),
        (
            assistant({"type": "refusal", "refusal": "no"}, id="msg_1", status="completed"),
            Turn("assistant", (Declined("no"),)),
        ),
        (
            user({"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}),
            ("user", Image(url="https://x/y.png", detail="low")),
        ),
        (
            user({"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "original"}),
            ("user", Image(media_type="image/png", data="QUJD", detail="high")),
        ),
        (
            user({"type": "input_file", "file_data": "data:text/csv;charset=utf-8;base64,QQ==", "filename": "a.csv"}),
            ("user", Document(media_type="text/csv", data="QQ==", name="a.csv")),
        ),
        (
            user({"type": "input_file", "file_data": "QQ==", "filename": "A.PDF", "detail": "auto"}),
            ("user", Document(media_type="application/pdf", data="QQ==", name="A.PDF")),
        ),
        (user({"type": "input_file", "file_url": "https://x/y.pdf"}), ("user", Document(url="https://x/y.pdf"))),
        (
            user({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}),
            ("user", Text("a", "5m")),
        ),
        (
            user({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}),
            ("user", Text("a", "1h")),
        ),
        (
            call(1, id="fc_1", status="completed", caller={"type": "direct"}, arguments='{"a": 1}'),
            ("assistant", ToolUse("c1", "look", '{"a": 1}')),
        ),
        (call(1, arguments=""), ("assistant", ToolUse("c1", "look", "{}"))),
        (result(1, id=None, name="look"), ("user", ToolResult("c1", (Text("seen"),)))),
        (
            result(1, output=[{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://x"}]),
            ("user", ToolResult("c1", (Text("a"), Image(url="https://x")))),
        ),
        (
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            ("assistant", Thinking(redacted="gAAA")),
        ),
        (
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                "encrypted_content": None,
            },
            ("assistant", Thinking(text="a\n\nb")),
        ),
        (
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "short"}],
                "content": [{"type": "reasoning_text", "text": "all of it"}],
            },
            ("assistant", Thinking(text="all of it")),
        ),
    ],
)
def test_an_item_becomes_a_turn(item: dict[str, object], turn: Turn | tuple[Any, ...]) -> None:
    official.validate_python({"model": "m", "input": [item]})
    assert turns(item) == (turn if isinstance(turn, Turn) else Turn(turn[0], tuple(turn[1:])),)


def test_what_one_reply_held_stands_in_one_turn_and_so_do_the_results() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    said = turns(
        {"role": "user", "content": "look twice"},
        thought,
        assistant({"type": "output_text", "text": "I look", "annotations": []}),
        call(1),
        call(2),
        result(1),
        result(2),
        {"role": "user", "content": "and?"},
        {"role": "user", "content": "well?"},
    )
    assert said == (
        Turn("user", (Text("look twice"),)),
        Turn("assistant", (Thinking("hm"), Text("I look"), ToolUse("c1", "look", "{}"), ToolUse("c2", "look", "{}"))),
        Turn("user", (ToolResult("c1", (Text("seen"),)), ToolResult("c2", (Text("seen"),)))),
        Turn("user", (Text("and?"),)),
        Turn("user", (Text("well?"),)),
    )


def test_a_reasoning_item_that_is_only_an_id_says_nothing() -> None:
    assert (
        turns({"type": "reasoning", "id": "rs_1", "summary": []}, user({"type": "input_text", "text": "hi"})) == ASKED
    )


def test_instructions_come_first_and_then_the_messages_that_instruct() -> None:
    prompt = read(
        instructions="one",
        input=[
            {"role": "system", "content": "two"},
            {"role": "developer", "content": [{"type": "input_text", "text": "three"}]},
            {"role": "user", "content": "hi"},
        ],
    )
    assert prompt.system == (Text("one"), Text("two"), Text("three"))
    assert prompt.turns == ASKED


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({}, "turns", ASKED),
        ({"instructions": "be brief"}, "system", (Text("be brief"),)),
        ({"instructions": ""}, "system", ()),
        ({"max_output_tokens": 7}, "max_tokens", 7),
        ({"temperature": 1}, "temperature", 1.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"stream": True}, "is_stream", True),
        ({"stream": None}, "is_stream", False),
        ({"user": "u"}, "user", "u"),
        ({"user": "u", "safety_identifier": "s"}, "user", "s"),
        ({"tools": [TOOL]}, "tools", (LOOK,)),
        ({"tools": None}, "tools", ()),
        (
            {"tools": [{"type": "function", "name": "n", "description": "d", "strict": True, "defer_loading": False}]},
            "tools",
            (Tool("n", Raw(b'{"type":"object","properties":{}}'), "d", is_strict=True),),
        ),
        ({"tools": [TOOL | {"allowed_callers": ["direct"]}]}, "tools", (LOOK,)),
        ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice", ToolChoice("auto")),
        ({"tools": [TOOL], "tool_choice": "none"}, "tool_choice", ToolChoice("none")),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice", ToolChoice("any")),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "name": "look"}},
            "tool_choice",
            ToolChoice("one", "look"),
        ),
        ({"tool_choice": "auto"}, "tool_choice", None),
        ({"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tools", False),
        ({"parallel_tool_calls": True}, "parallel_tools", None),
        ({"text": {"format": {"type": "text"}}}, "output", None),
        ({"text": {}}, "output", None),
        ({"text": {"format": {"type": "json_object"}}}, "output", Output("json")),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True}}},
            "output",
            Output("schema", Raw(b'{"a":1}'), "n", is_strict=True),
        ),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, "reasoning", Reasoning(effort="low")),
        ({"reasoning": {"effort": "none"}}, "reasoning", Reasoning(is_on=False)),
        ({"reasoning": {"summary": "auto", "generate_summary": None}}, "reasoning", None),
    ],
)
def test_a_field_is_read(fields: dict[str, object], name: str, value: object) -> None:
    official.validate_python({"model": "m", "input": "hi"} | {k: v for k, v in fields.items() if v is not None})
    prompt = read(**fields)
    assert getattr(prompt, name) == value
    assert prompt.others == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"truncation": "disabled"},
        {"include": []},
        {"include": ["reasoning.encrypted_content"]},
        {"top_logprobs": 0},
        {"service_tier": "auto"},
        {"metadata": {}},
        {"text": {"verbosity": "medium"}},
        {"store": False},
        {"background": False},
        {"stream_options": {"include_obfuscation": False}},
        {
            "previous_response_id": None,
            "conversation": None,
            "store": None,
            "prompt": None,
            "max_output_tokens": None,
            "max_tool_calls": None,
            "truncation": None,
            "reasoning": None,
            "text": None,
            "tool_choice": None,
            "user": None,
        },
    ],
)
def test_what_only_repeats_a_default_is_left_out(fields: dict[str, object]) -> None:
    assert read(**fields) == Prompt(turns=ASKED)


@pytest.mark.parametrize(
    ("fields", "others"),
    [
        ({"truncation": "auto"}, {"truncation": b'"auto"'}),
        ({"service_tier": "flex"}, {"service_tier": b'"flex"'}),
        ({"metadata": {"a": "b"}}, {"metadata": b'{"a":"b"}'}),
        ({"text": {"verbosity": "low"}}, {"verbosity": b'"low"'}),
        ({"max_tool_calls": 3}, {"max_tool_calls": b"3"}),
        ({"prompt_cache_key": "k"}, {"prompt_cache_key": b'"k"'}),
        ({"a_servers_own": [1]}, {"a_servers_own": b"[1]"}),
    ],
)
def test_fields_without_a_place_of_their_own_are_handed_on(fields: dict[str, object], others: dict[str, bytes]) -> None:
    assert {name: bytes(raw) for name, raw in read(**fields).others.items()} == others
