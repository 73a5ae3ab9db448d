"""What a dialect cannot carry is refused under the name that the client's request has for it."""

import json
from typing import Any

import pytest

from watchkeeper.core.call import Surface
from watchkeeper.gateway.dialects import DIALECTS
from watchkeeper.gateway.neutral import CannotCarry
from watchkeeper.gateway.surfaces import ROOMS

USER = {"role": "user", "content": "hi"}
CSV = {"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YQ=="}}
WEB_PDF = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULTS = [{"role": "tool", "tool_call_id": "c", "content": "x"}, {"role": "tool", "tool_call_id": "d", "content": "y"}]
THOUGHT = {"role": "assistant", "content": "x", "reasoning_content": "hm"}
FOREIGN: dict[str, Any] = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "c2VjcmV0"}
REDACTED = {"type": "redacted_thinking", "data": "c2VjcmV0"}
PICTURE = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}


@pytest.mark.parametrize(
    ("surface", "dialect", "body", "field"),
    [
        ("chat", "anthropic", {"messages": [USER], "response_format": {"type": "json_object"}}, "response_format"),
        ("chat", "anthropic", {"messages": [USER], "reasoning_effort": "minimal"}, "reasoning_effort"),
        ("chat", "anthropic", {"messages": [USER], "seed": 1}, "seed"),
        (
            "chat",
            "anthropic",
            {"messages": [{"role": "system", "content": "x"}, USER, THOUGHT]},
            "messages[2].reasoning_content",
        ),
        (
            "chat",
            "anthropic",
            {
                "messages": [
                    USER,
                    {"role": "assistant", "tool_calls": [CALL]},
                    *RESULTS,
                    {"role": "user", "content": [{"type": "text", "text": "read"}, CSV]},
                ]
            },
            "messages[4].content[1]",
        ),
        ("completions", "anthropic", {"prompt": "x", "temperature": 2}, "temperature"),
        ("responses", "anthropic", {"input": "x", "text": {"verbosity": "low"}}, "text.verbosity"),
        (
            "responses",
            "openai",
            {"input": [{"role": "developer", "content": "x"}, {"role": "user", "content": [WEB_PDF]}]},
            "input[1].content[0]",
        ),
        ("responses", "openai", {"input": [USER, FOREIGN, {"role": "assistant", "content": "x"}]}, "input[1]"),
        (
            "responses",
            "openai",
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [PICTURE]}]},
            "input[0].output[0]",
        ),
        (
            "messages",
            "openai",
            {"max_tokens": 9, "messages": [USER, {"role": "assistant", "content": [REDACTED]}]},
            "messages[1].content[0]",
        ),
    ],
)
def test_the_field_is_named_as_the_client_wrote_it(
    surface: Surface, dialect: str, body: dict[str, Any], field: str
) -> None:
    translation = ROOMS[surface].translation
    assert translation is not None
    written = json.dumps(body).encode()
    with pytest.raises(CannotCarry) as refused:
        DIALECTS[dialect].request_body(translation.prompt_of(written), "m")
    assert translation.field_of(written, refused.value.field) == field
