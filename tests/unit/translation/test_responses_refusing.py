"""What a Responses request says that has no place elsewhere, or makes no sense, is refused by its path."""

import pytest
from tests.unit.translation.responses_requests import TOOL, assistant, call, read, result, user

from watchkeeper.gateway.neutral import CannotCarry
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.responses.items import ITEMS_MAX
from watchkeeper.gateway.surfaces.responses.reading import prompt_of

STATE = "no state"
ASK = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", STATE),
        ({"conversation": "conv_1"}, "conversation", STATE),
        ({"conversation": {"id": "conv_1"}}, "conversation", STATE),
        ({"background": True}, "background", STATE),
        ({"store": True}, "store", STATE),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", STATE),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", STATE),
        (
            {"input": [user({"type": "input_image", "file_id": "f", "detail": "auto"})]},
            "input[0].content[0].file_id",
            STATE,
        ),
        ({"input": [user({"type": "input_file", "file_id": "f"})]}, "input[0].content[0].file_id", STATE),
        ({"input": [ASK, {"role": "system", "content": "s"}]}, "input[1].role", "beginning"),
        ({"input": [call(1), {"role": "developer", "content": "s"}]}, "input[1].role", "beginning"),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": "https://x"}]}]},
            "input[0].content[0]",
            "instructions are text",
        ),
        (
            {"input": [user({"type": "input_audio", "input_audio": {}})]},
            "input[0].content[0].type",
            "`input_audio` has no counterpart",
        ),
        (
            {"input": [user({"type": "input_file", "file_url": "https://x", "detail": "low"})]},
            "input[0].content[0].detail",
            "",
        ),
        (
            {
                "input": [
                    ASK,
                    assistant({"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}]}),
                ]
            },
            "input[1].content[0].annotations",
            "",
        ),
        (
            {"input": [assistant({"type": "output_text", "text": "a", "annotations": [], "logprobs": [{}]})]},
            "input[0].content[0].logprobs",
            "",
        ),
        ({"input": [user({"type": "input_text", "text": "a", "bold": True})]}, "input[0].content[0].bold", ""),
        ({"input": [ASK | {"name": "n"}]}, "input[0].name", ""),
        ({"input": [{"type": "web_search_call", "id": "ws"}]}, "input[0].type", "`web_search_call` has no counterpart"),
        ({"input": [call(1, namespace="crm")]}, "input[0].namespace", ""),
        ({"input": [call(1, caller={"type": "program", "caller_id": "p"})]}, "input[0].caller", ""),
        ({"input": [call(1, **{"async": True})]}, "input[0].async", ""),
        ({"input": [result(1, namespace="crm")]}, "input[0].namespace", ""),
        ({"input": [result(1, caller={"type": "program"})]}, "input[0].caller", ""),
        ({"input": [result(1, output=[{"type": "computer_screenshot"}])]}, "input[0].output[0].type", "counterpart"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "`web_search` has no counterpart"),
        ({"tools": [TOOL, {"type": "custom", "name": "n"}]}, "tools[1].type", "`custom` has no counterpart"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading", ""),
        ({"tools": [TOOL | {"async": True}]}, "tools[0].async", ""),
        ({"tools": [TOOL | {"output_schema": {}}]}, "tools[0].output_schema", ""),
        ({"tools": [TOOL | {"allowed_callers": ["programmatic"]}]}, "tools[0].allowed_callers", ""),
        ({"tools": [TOOL | {"examples": []}]}, "tools[0].examples", ""),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            "tool_choice.type",
            "`allowed_tools`",
        ),
        ({"tool_choice": {"type": "mcp", "server_label": "l"}}, "tool_choice.type", "`mcp`"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type", "`grammar` has no counterpart"),
        ({"text": {"style": "x"}}, "text.style", ""),
        ({"reasoning": {"effort": "xhigh"}}, "reasoning.effort", "`xhigh` has no counterpart"),
        ({"reasoning": {"summary": "detailed"}}, "reasoning.summary", ""),
        ({"reasoning": {"generate_summary": "concise"}}, "reasoning.generate_summary", ""),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context", ""),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", ""),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation", "padded"),
        ({"include": ["reasoning.encrypted_content", "file_search_call.results"]}, "include[1]", ""),
        ({"top_logprobs": 3}, "top_logprobs", ""),
    ],
)
def test_what_has_no_place_is_refused_by_its_path(fields: dict[str, object], field: str, why: str) -> None:
    with pytest.raises(CannotCarry) as refused:
        read(**fields)
    assert refused.value.field == field
    assert refused.value.why
    assert why in refused.value.why


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"input": None}, "input", "`input` is required"),
        ({"input": 7}, "input", "`input` has the wrong type: expected `str | array`"),
        ({"input": [7]}, "input[0]", "expected `object`"),
        ({"input": [{"role": "user"}]}, "input[0].content", "`input[0].content` is required"),
        ({"input": [{"content": "x"}]}, "input[0].role", "is required"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "invalid enum value 'tool'"),
        ({"input": [{"type": 7}]}, "input[0].type", "wrong type"),
        ({"input": [ASK, user({"text": "x"})]}, "input[1].content[0].type", "is required"),
        ({"input": [user({"type": "input_text", "text": 1})]}, "input[0].content[0].text", "expected `str`"),
        (
            {"input": [user({"type": "output_text", "text": "x"}, {"type": "refusal", "refusal": "x"})]},
            "input[0].content[1].type",
            "role",
        ),
        ({"input": [assistant({"type": "input_image", "image_url": "https://x"})]}, "input[0].content[0].type", "role"),
        ({"input": [user({"type": "input_image"})]}, "input[0].content[0].image_url", "is required"),
        (
            {"input": [user({"type": "input_image", "image_url": "data:image/png,x"})]},
            "input[0].content[0].image_url",
            "base64",
        ),
        (
            {"input": [user({"type": "input_image", "image_url": "data:;base64"})]},
            "input[0].content[0].image_url",
            "base64",
        ),
        ({"input": [user({"type": "input_file", "file_data": "data:x"})]}, "input[0].content[0].file_data", "base64"),
        ({"input": [user({"type": "input_file", "filename": "x"})]}, "input[0].content[0]", "is required"),
        ({"input": [call(1, call_id=None)]}, "input[0].call_id", "wrong type"),
        ({"input": [call(1, arguments={})]}, "input[0].arguments", "expected `str`"),
        ({"input": [call(1, arguments='{"a":')]}, "input[0].arguments", "not the text of a JSON object"),
        ({"input": [call(1, arguments="[]")]}, "input[0].arguments", "not the text of a JSON object"),
        ({"input": [result(1, output=None)]}, "input[0].output", "wrong type"),
        (
            {"input": [result(1, output=[{"type": "refusal", "refusal": "x"}])]},
            "input[0].output[0].type",
            "tool's output",
        ),
        (
            {"input": [{"type": "reasoning", "summary": [{"type": "text", "text": "x"}]}]},
            "input[0].summary[0].type",
            "wrong",
        ),
        ({"input": [ASK] * (ITEMS_MAX + 1)}, "input", "at most"),
        ({"instructions": ["x"]}, "instructions", "wrong type"),
        ({"tools": {}}, "tools", "wrong type"),
        ({"tools": [{}]}, "tools[0].type", "is required"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "is required"),
        ({"tools": [TOOL | {"parameters": []}]}, "tools[0].parameters", "JSON schema"),
        ({"tool_choice": "any"}, "tool_choice", "`required`"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "is required"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls", "wrong type"),
        ({"text": "json"}, "text", "wrong type"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "is required"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "is required"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": "x"}}},
            "text.format.schema",
            "JSON schema",
        ),
        ({"max_output_tokens": "7"}, "max_output_tokens", "wrong type"),
        ({"temperature": "warm"}, "temperature", "wrong type"),
        ({"top_p": []}, "top_p", "wrong type"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort", "wrong type"),
        ({"user": 3}, "user", "wrong type"),
        ({"stream": "yes"}, "stream", "wrong type"),
        ({"store": "yes"}, "store", "wrong type"),
        ({"include": [1]}, "include[0]", "wrong type"),
        ({"top_logprobs": "many"}, "top_logprobs", "wrong type"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(fields: dict[str, object], param: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**fields)
    assert refused.value.param == param
    assert said in str(refused.value)


def test_text_that_is_no_unicode_is_refused_and_does_not_break() -> None:
    with pytest.raises(BadRequest) as refused:
        prompt_of(b'{"input":[{"role":"user","content":"\\ud800"}]}')
    assert refused.value.param is None
