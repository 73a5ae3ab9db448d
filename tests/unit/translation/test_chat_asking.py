"""A prompt becomes a request that OpenAI and the servers compatible with it take, or is refused."""

import json
from typing import Any

import pytest
from msgspec import Raw

from watchkeeper.gateway.dialects.openai.writing import CARRIED, request_body
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

Json = dict[str, Any]
HELLO = (Turn("user", (Text("hi"),)),)
SCHEMA = Raw(b'{"type":"object"}')


def written(prompt: Prompt) -> Json:
    found: Json = json.loads(request_body(prompt, model="m"))
    return found


def messages(*turns: Turn) -> list[Json]:
    found: list[Json] = written(Prompt(turns=turns))["messages"]
    return found


def test_what_the_client_did_not_say_is_not_sent() -> None:
    assert request_body(Prompt(turns=HELLO), model="m") == (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    )


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        (
            {"max_tokens": 5, "reasoning": Reasoning(effort="low")},
            {"max_completion_tokens": 5, "reasoning_effort": "low"},
        ),
        ({"reasoning": Reasoning(is_on=False)}, {"reasoning_effort": "none"}),
        ({"reasoning": Reasoning()}, {}),
        ({"reasoning": Reasoning(budget_tokens=4_000)}, {"reasoning_effort": "low"}),
        ({"reasoning": Reasoning(budget_tokens=4_001)}, {"reasoning_effort": "medium"}),
        ({"reasoning": Reasoning(budget_tokens=16_001)}, {"reasoning_effort": "high"}),
        ({"reasoning": Reasoning(budget_tokens=16_001, effort="low")}, {"reasoning_effort": "low"}),
        ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"stop": ("x", "y")}, {"stop": ["x", "y"]}),
        ({"user": "u"}, {"user": "u"}),
        ({"is_stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"parallel_tools": False}, {"parallel_tool_calls": False}),
        ({"tool_choice": ToolChoice("auto")}, {"tool_choice": "auto"}),
        ({"tool_choice": ToolChoice("none")}, {"tool_choice": "none"}),
        ({"tool_choice": ToolChoice("any")}, {"tool_choice": "required"}),
        ({"tool_choice": ToolChoice("one", "f")}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ({"output": Output("json")}, {"response_format": {"type": "json_object"}}),
        (
            {"output": Output("schema", SCHEMA)},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}},
                }
            },
        ),
        (
            {"tools": (Tool("f", SCHEMA, "d", is_strict=True, cache="1h"), Tool("g", SCHEMA))},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "description": "d",
                            "parameters": {"type": "object"},
                            "strict": True,
                        },
                    },
                    {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}},
                ]
            },
        ),
        (
            {"system": (Text("a"),)},
            {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "hi"}]},
        ),
    ],
)
def test_a_field_is_written(fields: Json, sent: Json) -> None:
    found = written(Prompt(turns=HELLO, **fields))
    assert found == {"model": "m", "messages": [{"role": "user", "content": "hi"}], **sent}


@pytest.mark.parametrize("name", sorted(CARRIED))
def test_further_fields_that_chat_knows_keep_their_bytes(name: str) -> None:
    body = request_body(Prompt(turns=HELLO, others={name: Raw(b'{ "a" : 1.0e1 }')}), model="m")
    assert b'"%b":{ "a" : 1.0e1 }' % name.encode() in body


def test_cache_hints_are_left_out() -> None:
    prompt = Prompt(system=(Text("a", "1h"),), turns=(Turn("user", (Text("x", "5m"), Text("y"))),))
    assert b"cache" not in request_body(prompt, model="m")


@pytest.mark.parametrize(
    ("turn", "sent"),
    [
        (Turn("user", ()), [{"role": "user", "content": ""}]),
        (Turn("user", (Text("x"),), "ann"), [{"role": "user", "content": "x", "name": "ann"}]),
        (
            Turn("user", (ToolResult("c", (Text("x"),)), ToolResult("d", ()), Text("and?"))),
            [
                {"role": "tool", "tool_call_id": "c", "content": "x"},
                {"role": "tool", "tool_call_id": "d", "content": ""},
                {"role": "user", "content": "and?"},
            ],
        ),
        (
            Turn("user", (Text("look"), Image("image/png", "AAAA"), Image(url="https://x", detail="low"))),
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "look"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                        {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}},
                    ],
                }
            ],
        ),
        (
            Turn("user", (Document("application/pdf", "AAAA", name="a.pdf"), Document(text="words", name="b.txt"))),
            [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
                        },
                        {"type": "text", "text": "b.txt\n\nwords"},
                    ],
                }
            ],
        ),
        (
            Turn("user", (ToolResult("c", (Text("no such city"), Text("!")), is_error=True),)),
            [
                {
                    "role": "tool",
                    "tool_call_id": "c",
                    "content": [{"type": "text", "text": "Error: no such city"}, {"type": "text", "text": "!"}],
                }
            ],
        ),
        (
            Turn("user", (ToolResult("c", (), is_error=True), ToolResult("d", (Text("ERROR 5"),), is_error=True))),
            [
                {"role": "tool", "tool_call_id": "c", "content": "Error"},
                {"role": "tool", "tool_call_id": "d", "content": "ERROR 5"},
            ],
        ),
        (
            Turn("user", (ToolResult("c", (Document(text="words"),)),)),
            [{"role": "tool", "tool_call_id": "c", "content": "words"}],
        ),
        (
            Turn("assistant", (Thinking("hm", "seal"), Text("I look"), ToolUse("c", "f", '{"a":1}'))),
            [
                {
                    "role": "assistant",
                    "content": "I look",
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
                }
            ],
        ),
        (
            Turn("assistant", (ToolUse("c", "f", "{}"),)),
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                }
            ],
        ),
        (Turn("assistant", (Declined("no"),)), [{"role": "assistant", "content": None, "refusal": "no"}]),
        (Turn("assistant", (Thinking("hm"),)), [{"role": "assistant", "content": "", "reasoning_content": "hm"}]),
        (Turn("assistant", (Text("x"),), "bob"), [{"role": "assistant", "content": "x", "name": "bob"}]),
    ],
)
def test_a_turn_is_written(turn: Turn, sent: list[Json]) -> None:
    assert messages(turn) == sent


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        (Prompt(turns=HELLO, top_k=4), "top_k"),
        (Prompt(turns=HELLO, others={"seed": Raw(b"1"), "n": Raw(b"2")}), "n"),
        (Prompt(turns=HELLO, others={"unheard_of": Raw(b"2")}), "unheard_of"),
    ],
)
def test_a_field_that_chat_does_not_have_is_refused(prompt: Prompt, named: str) -> None:
    with pytest.raises(CannotCarry) as refused:
        request_body(prompt, model="m")
    assert refused.value.field == named


@pytest.mark.parametrize(
    ("role", "part", "named"),
    [
        ("assistant", Thinking(redacted="x"), "turns[1].parts[1]"),
        ("assistant", Image(url="u"), "turns[1].parts[1]"),
        ("assistant", Document(text="u"), "turns[1].parts[1]"),
        ("assistant", ToolResult("c", ()), "turns[1].parts[1]"),
        ("user", Document(url="u"), "turns[1].parts[1]"),
        ("user", ToolUse("c", "f", "{}"), "turns[1].parts[1]"),
        ("user", Thinking("x"), "turns[1].parts[1]"),
        ("user", Declined("x"), "turns[1].parts[1]"),
        ("user", ToolResult("c", (Text("x"), Image(url="u"))), "turns[1].parts[1].content[1]"),
        ("user", ToolResult("c", (Document("application/pdf", "AAAA"),)), "turns[1].parts[1].content[0]"),
    ],
)
def test_a_part_that_chat_does_not_have_is_refused(role: Any, part: Part, named: str) -> None:
    with pytest.raises(CannotCarry) as refused:
        messages(*HELLO, Turn(role, (Text("x"), part)))
    assert refused.value.field == named
