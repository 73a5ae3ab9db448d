"""A prompt is written as Anthropic's Messages API wants it, or is refused by the name of what it cannot take."""

import json
from typing import Any

import pytest
from msgspec import Raw

from watchkeeper.gateway.dialects.anthropic.writing import MAX_TOKENS_DEFAULT, request_body
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

SCHEMA = Raw(b'{"type":"object"}')
HELLO = Turn("user", (Text("Hello"),))
TOOL = Tool("f", SCHEMA)


def written(*turns: Turn, **fields: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(request_body(Prompt(turns=turns or (HELLO,), **fields), model="m"))
    return whole


def test_a_plain_request() -> None:
    assert written(HELLO, max_tokens=9) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_a_limit_is_sent_where_the_client_set_none() -> None:
    assert written()["max_tokens"] == MAX_TOKENS_DEFAULT
    assert written(reasoning=Reasoning(budget_tokens=9000))["max_tokens"] == MAX_TOKENS_DEFAULT + 9000
    assert written(reasoning=Reasoning(budget_tokens=9000), max_tokens=9999)["max_tokens"] == 9999


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("a", "5m"), {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}),
        (Text("a", "1h"), {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        (
            Image(media_type="image/png", data="iVBO", detail="high"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
        ),
        (Image(url="https://x"), {"type": "image", "source": {"type": "url", "url": "https://x"}}),
        (
            Document(media_type="application/pdf", data="JVBE", name="Terms", cache="5m"),
            {
                "type": "document",
                "title": "Terms",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            Document(text="words"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
        ),
        (Document(url="https://x"), {"type": "document", "source": {"type": "url", "url": "https://x"}}),
        (ToolUse("t", "f", '{"a":1}'), {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}),
        (ToolUse("t", "f", ""), {"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        (ToolResult("t", ()), {"type": "tool_result", "tool_use_id": "t"}),
        (
            ToolResult("t", (Text("no"),), is_error=True),
            {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True},
        ),
        (
            ToolResult("t", (Text("no"), Text(""), Image(url="u"))),
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [{"type": "text", "text": "no"}, {"type": "image", "source": {"type": "url", "url": "u"}}],
            },
        ),
        (Thinking("hm", "seal"), {"type": "thinking", "thinking": "hm", "signature": "seal"}),
        (Thinking(redacted="xyz"), {"type": "redacted_thinking", "data": "xyz"}),
    ],
)
def test_a_part_becomes_a_block(part: Part, block: object) -> None:
    assert written(Turn("user", (part,)))["messages"] == [{"role": "user", "content": [block]}]


def test_the_words_of_a_refusal_are_sent_as_words() -> None:
    assert written(Turn("assistant", (Declined("I will not."),)))["messages"] == [
        {"role": "assistant", "content": "I will not."}
    ]


def test_turns_of_one_side_are_one_message_with_its_tool_results_first() -> None:
    messages = written(
        HELLO,
        Turn("assistant", (ToolUse("a", "f", "{}"),)),
        Turn("assistant", (ToolUse("b", "f", "{}"),)),
        Turn("user", (ToolResult("a", (Text("1"),)),)),
        Turn("user", (Text("and"), ToolResult("b", (Text("2"),)))),
    )["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [block["id"] for block in messages[1]["content"]] == ["a", "b"]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b", "content": "2"},
        {"type": "text", "text": "and"},
    ]


def test_empty_words_are_left_out() -> None:
    """An OpenAI client sends `content: ""` beside tool calls; Messages answers 400 to an empty block."""
    messages = written(
        HELLO,
        Turn("assistant", (Text(""),)),
        Turn("user", (Text("still"), Text(""))),
        Turn("assistant", (Text(""), ToolUse("a", "f", "{}"))),
    )["messages"]
    assert messages == [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "still"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
    ]


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"system": (Text("Be short."),)}, {"system": "Be short."}),
        (
            {"system": (Text("a"), Text("b", "5m"))},
            {
                "system": [
                    {"type": "text", "text": "a"},
                    {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
                ]
            },
        ),
        (
            {"temperature": 1.0, "top_p": 0.5, "top_k": 3, "stop": ("x",), "is_stream": True, "user": "u"},
            {
                "temperature": 1.0,
                "top_p": 0.5,
                "top_k": 3,
                "stop_sequences": ["x"],
                "stream": True,
                "metadata": {"user_id": "u"},
            },
        ),
        ({"temperature": 0.0, "parallel_tools": False}, {"temperature": 0.0}),
        (
            {"tools": (TOOL, Tool("g", SCHEMA, "does", True, "1h"))},
            {
                "tools": [
                    {"name": "f", "input_schema": {"type": "object"}},
                    {
                        "name": "g",
                        "input_schema": {"type": "object"},
                        "description": "does",
                        "strict": True,
                        "cache_control": {"type": "ephemeral", "ttl": "1h"},
                    },
                ]
            },
        ),
        ({"tool_choice": ToolChoice("auto")}, {"tool_choice": {"type": "auto"}}),
        ({"tool_choice": ToolChoice("none"), "parallel_tools": False}, {"tool_choice": {"type": "none"}}),
        (
            {"tool_choice": ToolChoice("any"), "parallel_tools": False},
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        ),
        (
            {"tool_choice": ToolChoice("one", "f"), "parallel_tools": True},
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": False}},
        ),
        ({"reasoning": Reasoning(is_on=False)}, {"thinking": {"type": "disabled"}}),
        ({"reasoning": Reasoning()}, {"thinking": {"type": "adaptive"}}),
        (
            {"reasoning": Reasoning(effort="high")},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        (
            {"reasoning": Reasoning(budget_tokens=2000), "max_tokens": 4000},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
        ),
        (
            {"output": Output("schema", SCHEMA, name="answer")},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"others": {"service_tier": Raw(b'"auto"')}}, {"service_tier": "auto"}),
        ({"others": {"service_tier": Raw(b'"default"')}}, {"service_tier": "standard_only"}),
        (
            {"others": {"cache_control": Raw(b'{"type":"ephemeral"}'), "inference_geo": Raw(b'"eu"')}},
            {"cache_control": {"type": "ephemeral"}, "inference_geo": "eu"},
        ),
    ],
)
def test_a_field_has_its_place(asked: dict[str, Any], fields: dict[str, Any]) -> None:
    assert written(**asked) == {**written(), **fields}


def test_one_tool_at_a_time_is_said_where_the_client_made_no_choice() -> None:
    assert written(tools=(TOOL,), parallel_tools=False)["tool_choice"] == {
        "type": "auto",
        "disable_parallel_tool_use": True,
    }
    assert "tool_choice" not in written(tools=(TOOL,), parallel_tools=True)


def of(*parts: Part) -> dict[str, Any]:
    return {"turns": (HELLO, Turn("assistant", (Text("a"), *parts)))}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"temperature": 1.01}, "temperature"),
        ({"output": Output("json")}, "output"),
        ({"output": Output("schema", SCHEMA, description="a list")}, "output.description"),
        ({"reasoning": Reasoning(effort="minimal")}, "reasoning.effort"),
        ({"turns": (HELLO, Turn("user", (Text("a"),), name="Ann"))}, "turns[1].name"),
        (of(Thinking("unsealed")), "turns[1].parts[1].signature"),
        (of(ToolUse("t", "f", '{"cut')), "turns[1].parts[1].arguments"),
        (of(ToolUse("t", "f", "[]")), "turns[1].parts[1].arguments"),
        (of(Image(data="iVBO")), "turns[1].parts[1].media_type"),
        (of(Image()), "turns[1].parts[1].data"),
        (of(Document()), "turns[1].parts[1].data"),
        (of(Document(media_type="text/csv", text="a,b")), "turns[1].parts[1].media_type"),
        (of(Document(media_type="application/zip", data="UEsD")), "turns[1].parts[1].media_type"),
        (of(ToolResult("t", (Text("a"), Image()))), "turns[1].parts[1].content[1].data"),
        ({"others": {"seed": Raw(b"1")}}, "seed"),
        ({"others": {"metadata": Raw(b"{}")}}, "metadata"),
        ({"others": {"service_tier": Raw(b'"flex"')}}, "service_tier"),
    ],
)
def test_what_messages_has_no_field_for_is_refused_by_its_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(CannotCarry) as refusal:
        request_body(Prompt(**{"turns": (HELLO,), **fields}), model="m")
    assert refusal.value.field == field
