"""What a client of the Messages API asks becomes a prompt, or is refused by the name of its field."""

import json
from typing import Any

import pytest
from msgspec import Raw

from watchkeeper.gateway.neutral import (
    CannotCarry,
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
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.messages.reading import prompt_of

HELLO = {"role": "user", "content": "Hello"}
EPHEMERAL = {"type": "ephemeral"}
OBJECT = {"type": "object"}


def asked(**fields: Any) -> Prompt:
    return prompt_of(body(**fields))


def body(**fields: Any) -> bytes:
    whole = {"model": "m", "max_tokens": 9, "messages": [HELLO], **fields}
    return json.dumps(
        {name: value for name, value in whole.items() if value is not ...}, separators=(",", ":")
    ).encode()


def said(*blocks: object, role: str = "user") -> list[object]:
    return [{"role": role, "content": list(blocks)}]


def test_a_plain_request() -> None:
    assert asked() == Prompt(turns=(Turn("user", (Text("Hello"),)),), max_tokens=9)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "Hi", "citations": None}, Text("Hi")),
        ({"type": "text", "text": "Hi", "cache_control": EPHEMERAL}, Text("Hi", "5m")),
        ({"type": "text", "text": "Hi", "cache_control": {**EPHEMERAL, "ttl": "1h"}}, Text("Hi", "1h")),
        ({"type": "text", "text": "Hi", "cache_control": {**EPHEMERAL, "ttl": None}}, Text("Hi", "5m")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            Image(media_type="image/png", data="iVBO"),
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://x/y"}, "cache_control": EPHEMERAL},
            Image(url="https://x/y", cache="5m"),
        ),
        (
            {
                "type": "document",
                "title": "Terms",
                "citations": {"enabled": False},
                "context": None,
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            },
            Document(media_type="application/pdf", data="JVBE", name="Terms"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            Document(media_type="text/plain", text="words"),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://x/y"}, "cache_control": EPHEMERAL},
            Document(url="https://x/y", cache="5m"),
        ),
        (
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1.0}, "caller": {"type": "direct"}},
            ToolUse("t1", "f", '{"a":1.0}'),
        ),
        ({"type": "tool_result", "tool_use_id": "t1"}, ToolResult("t1", ())),
        (
            {"type": "tool_result", "tool_use_id": "t1", "content": "done", "cache_control": EPHEMERAL},
            ToolResult("t1", (Text("done"),), cache="5m"),
        ),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "is_error": True,
                "content": [
                    {"type": "text", "text": "no"},
                    {"type": "image", "source": {"type": "url", "url": "u"}},
                    {"type": "document", "source": {"type": "url", "url": "v"}},
                ],
            },
            ToolResult("t1", (Text("no"), Image(url="u"), Document(url="v")), is_error=True),
        ),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, Thinking("hm", "s")),
        ({"type": "redacted_thinking", "data": "xyz"}, Thinking(redacted="xyz")),
    ],
)
def test_a_block_becomes_a_part(block: object, part: object) -> None:
    assert asked(messages=said(block)).turns == (Turn("user", (part,)),)  # type: ignore[arg-type]  # of every kind


def test_a_tools_arguments_keep_their_bytes() -> None:
    raw = body(messages=["HERE"]).replace(
        b'"HERE"',
        b'{"role":"assistant","content":[{"input": {"n" : 1e2,"n":2} ,"type":"tool_use","id":"t","name":"f"}]}',
    )
    assert prompt_of(raw).turns == (Turn("assistant", (ToolUse("t", "f", '{"n" : 1e2,"n":2}'),)),)


SCHEMA = Raw(b'{"type":"object"}')


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"system": "Be short."}, {"system": (Text("Be short."),)}),
        ({"system": ""}, {}),
        (
            {"system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": EPHEMERAL}]},
            {"system": (Text("a"), Text("b", "5m"))},
        ),
        ({"temperature": 1, "top_p": 0.5, "top_k": 3}, {"temperature": 1.0, "top_p": 0.5, "top_k": 3}),
        ({"temperature": None, "tools": None, "tool_choice": None, "thinking": None, "stream": None}, {}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"stream": True}, {"is_stream": True}),
        ({"stream": False}, {}),
        (
            {"tools": [{"name": "f", "input_schema": OBJECT}]},
            {"tools": (Tool("f", SCHEMA),)},
        ),
        (
            {
                "tools": [
                    {
                        "type": "custom",
                        "name": "f",
                        "description": "does",
                        "input_schema": OBJECT,
                        "strict": True,
                        "cache_control": EPHEMERAL,
                        "eager_input_streaming": True,
                        "defer_loading": False,
                    }
                ]
            },
            {"tools": (Tool("f", SCHEMA, "does", True, "5m"),)},
        ),
        ({"tool_choice": {"type": "auto"}}, {"tool_choice": ToolChoice("auto")}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": ToolChoice("none")}),
        (
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
            {"tool_choice": ToolChoice("any"), "parallel_tools": False},
        ),
        (
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": False}},
            {"tool_choice": ToolChoice("one", "f"), "parallel_tools": True},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}},
            {"reasoning": Reasoning(budget_tokens=2000)},
        ),
        ({"thinking": {"type": "adaptive"}}, {"reasoning": Reasoning()}),
        ({"thinking": {"type": "disabled"}}, {"reasoning": Reasoning(is_on=False)}),
        ({"output_config": {"effort": "high"}}, {"reasoning": Reasoning(effort="high")}),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low", "format": None}},
            {"reasoning": Reasoning(effort="low")},
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": OBJECT}}},
            {"output": Output("schema", SCHEMA, is_strict=True)},
        ),
        (
            {"output_format": {"type": "json_schema", "schema": OBJECT}},
            {"output": Output("schema", SCHEMA, is_strict=True)},
        ),
        ({"metadata": {"user_id": "u1"}}, {"user": "u1"}),
        ({"metadata": {"user_id": None}}, {}),
        ({"metadata": {}}, {}),
        ({"service_tier": "auto", "speed": "standard", "container": None}, {}),
    ],
)
def test_a_field_has_its_place(fields: dict[str, Any], read: dict[str, Any]) -> None:
    assert asked(**fields) == Prompt(turns=(Turn("user", (Text("Hello"),)),), max_tokens=9, **read)


def test_what_is_not_known_is_among_the_others() -> None:
    prompt = asked(
        metadata={"user_id": "u1", "team": "x"},
        container="c1",
        mcp_servers=[{"url": "u"}],
        service_tier="standard_only",
        cache_control=EPHEMERAL,
    )
    assert prompt.user == "u1"
    assert prompt.others == {
        "metadata": Raw(b'{"team":"x"}'),
        "container": Raw(b'"c1"'),
        "mcp_servers": Raw(b'[{"url":"u"}]'),
        "service_tier": Raw(b'"standard_only"'),
        "cache_control": Raw(b'{"type":"ephemeral"}'),
    }


TEXT = {"type": "text", "text": "a"}
PDF = {"type": "url", "url": "u"}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"messages": [HELLO, *said({**TEXT, "citations": [{}]})]}, "messages[1].content[0].citations"),
        ({"messages": said(TEXT, {**TEXT, "weight": 1})}, "messages[0].content[1].weight"),
        ({"messages": said(TEXT, {"type": "search_result"})}, "messages[0].content[1].type"),
        ({"messages": said({"type": "server_tool_use", "id": "s"})}, "messages[0].content[0].type"),
        ({"messages": said({"type": "container_upload"})}, "messages[0].content[0].type"),
        ({"messages": [HELLO, {"role": "system", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{**HELLO, "name": "Ann"}]}, "messages[0].name"),
        (
            {"messages": said({"type": "image", "source": {"type": "file", "file_id": "f"}})},
            "messages[0].content[0].source.type",
        ),
        (
            {"messages": said({"type": "image", "source": PDF, "transformations": {}})},
            "messages[0].content[0].transformations",
        ),
        (
            {"messages": said({"type": "document", "source": {"type": "content", "content": "x"}})},
            "messages[0].content[0].source.type",
        ),
        ({"messages": said({"type": "document", "source": PDF, "context": "x"})}, "messages[0].content[0].context"),
        (
            {"messages": said({"type": "document", "source": PDF, "citations": {"enabled": True}})},
            "messages[0].content[0].citations",
        ),
        ({"messages": said({**USE, "caller": {"type": "code_execution"}})}, "messages[0].content[0].caller"),
        ({"messages": said({**USE, "toolset_name": "x"})}, "messages[0].content[0].toolset_name"),
        (
            {"messages": said({"type": "tool_result", "tool_use_id": "t", "toolset_name": "x"})},
            "messages[0].content[0].toolset_name",
        ),
        (
            {"messages": said({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "search_result"}]})},
            "messages[0].content[0].content[0].type",
        ),
        (
            {
                "messages": said(
                    {"type": "tool_result", "tool_use_id": "t", "content": [TEXT, {**TEXT, "citations": []}]}
                )
            },
            "messages[0].content[0].content[1].citations",
        ),
        (
            {"messages": said({**TEXT, "cache_control": {"type": "forever"}})},
            "messages[0].content[0].cache_control.type",
        ),
        (
            {"messages": said({**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1d"}})},
            "messages[0].content[0].cache_control.ttl",
        ),
        ({"system": [TEXT, {**TEXT, "citations": []}]}, "system[1].citations"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]}, "tools[0].type"),
        ({"tools": [{"max_uses": 5, "name": "web_search", "type": "web_search_20250305"}]}, "tools[0].type"),
        ({"tools": [{"name": "f", "input_schema": {}, "input_examples": [{}]}]}, "tools[0].input_examples"),
        ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tool_choice": {"type": "best"}}, "tool_choice.type"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "thinking.display"),
        ({"output_config": {"task_budget": 5}}, "output_config.task_budget"),
        ({"output_config": {"format": {"type": "regex"}}}, "output_config.format.type"),
    ],
)
def test_what_has_no_place_is_refused_by_its_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(CannotCarry) as refusal:
        asked(**fields)
    assert refusal.value.field == field
    with pytest.raises(CannotCarry) as refusal:
        asked(**fields, unknown=1)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": ...}, "messages"),
        ({"max_tokens": ...}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [HELLO, *said({"type": "text"})]}, "messages[1].content[0].text"),
        ({"messages": said({"text": "a"})}, "messages[0].content[0].type"),
        ({"messages": said(TEXT, {**USE, "input": "{}"})}, "messages[0].content[1].input"),
        ({"messages": said({"type": "image", "source": {"type": "url"}})}, "messages[0].content[0].source.url"),
        ({"system": 1}, "system"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "a"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"name": "f", "input_schema": []}]}, "tools[0].input_schema"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"format": {"type": "json_schema", "schema": 1}}}, "output_config.format.schema"),
        ({"output_format": {"type": "json_schema", "schema": 1}}, "output_format.schema"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
        ({"metadata": "me"}, "metadata"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_wrong_type_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        asked(**fields)
    assert refusal.value.param == param
    assert f"`{param}`" in str(refusal.value)
