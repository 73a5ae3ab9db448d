"""A complete message is read and written whole; an error is classified, and written as clients know it."""

import json
from typing import Any

import msgspec
import pytest

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.anthropic.reading import completion_of, failure_of
from watchkeeper.gateway.neutral import CannotCarry, Completion, Declined, Image, Stop, Text, Thinking, ToolUse
from watchkeeper.gateway.surfaces.errors import anthropic_event, error_body
from watchkeeper.gateway.surfaces.messages.writing import reply_body, usage_json


def reply(*blocks: object, **fields: Any) -> bytes:
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 5},
    }
    return json.dumps({**whole, **fields}, separators=(",", ":")).encode()


def test_a_reply_is_read() -> None:
    found = completion_of(
        reply(
            {"type": "thinking", "thinking": "hm", "signature": "seal"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "Hello", "citations": None},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1.0}, "caller": {"type": "direct"}},
            stop_reason="tool_use",
            container=None,
        )
    )
    assert found == Completion(
        id="msg_1",
        model="claude",
        parts=(Thinking("hm", "seal"), Thinking(redacted="xyz"), Text("Hello"), ToolUse("t", "f", '{"a":1.0}')),
        stop="tool_use",
        usage=Usage(3, output_text=5),
    )


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_use"),
        ("pause_turn", "pause"),
        ("refusal", "declined"),
        ("something_new", "end"),
        (None, "end"),
    ],
)
def test_why_it_stopped_is_read(reason: str | None, stop: Stop) -> None:
    assert completion_of(reply(stop_reason=reason)).stop == stop


def test_the_sequence_at_which_it_stopped_is_told() -> None:
    found = completion_of(reply(stop_reason="stop_sequence", stop_sequence="###"))
    assert (found.stop, found.stop_sequence) == ("stop_sequence", "###")


def test_an_explained_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "It could do harm."}
    found = completion_of(reply(stop_reason="refusal", stop_details=details))
    assert (found.stop, found.parts) == ("declined", (Declined("It could do harm."),))


@pytest.mark.parametrize("usage", [None, {"input_tokens": -1}, {"input_tokens": "many"}, 7])
def test_an_answer_without_a_usage_that_can_be_true_is_an_answer(usage: object) -> None:
    found = completion_of(reply({"type": "text", "text": "Hello"}, usage=usage))
    assert (found.usage, found.parts) == (None, (Text("Hello"),))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"type":"error","error":{}}', b'{"content":"Hi"}', reply({"type": "server_tool_use"})],
)
def test_what_is_not_a_message_cannot_be_read(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        completion_of(body)


def written(*parts: Any, stop: Stop = "end", usage: Usage | None = None) -> dict[str, Any]:
    completion = Completion(id="up", model="claude", parts=parts, stop=stop, usage=usage)
    whole: dict[str, Any] = json.loads(reply_body(completion, reply_id="msg_ours"))
    return whole


def test_a_reply_is_written() -> None:
    assert written(
        Thinking("hm", "seal"),
        Thinking(redacted="xyz"),
        Text("Hello"),
        ToolUse("t", "f", '{"a":1}'),
        ToolUse("u", "g", ""),
        stop="tool_use",
        usage=Usage(3, output_text=5),
    ) == {
        "id": "msg_ours",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "seal"},
            {"type": "redacted_thinking", "data": "xyz"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "u", "name": "g", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 5,
        },
    }


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("end", "end_turn"),
        ("length", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_use"),
        ("filtered", "refusal"),
        ("declined", "refusal"),
        ("pause", "pause_turn"),
    ],
)
def test_why_it_stopped_is_written(stop: Stop, reason: str) -> None:
    assert written(Text("a"), stop=stop)["stop_reason"] == reason


def test_a_refusal_is_text_and_its_reason_says_so() -> None:
    """OpenAI gives `finish_reason: stop` with it."""
    found = written(Declined("I will not."), stop="end")
    assert found["content"] == [{"type": "text", "text": "I will not."}]
    assert found["stop_reason"] == "refusal"


def test_an_unknown_usage_is_written_as_the_two_numbers_that_clients_add_up() -> None:
    assert written(Text("a"))["usage"] == {"input_tokens": 0, "output_tokens": 0}


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (ToolUse("t", "f", '{"cut'), "content[1].input"),
        (ToolUse("t", "f", "[]"), "content[1].input"),
        (Image(url="u"), "content[1]"),
    ],
)
def test_what_a_message_cannot_hold_is_refused_by_its_name(part: Any, field: str) -> None:
    with pytest.raises(CannotCarry) as refusal:
        written(Text("a"), part)
    assert refusal.value.field == field


def test_usage_is_written_with_its_parts() -> None:
    assert usage_json(Usage(3, 4, 5, 6, 7, 8, 1, 2)) == {
        "input_tokens": 4,
        "cache_creation_input_tokens": 11,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6},
        "cache_read_input_tokens": 4,
        "output_tokens": 17,
        "output_tokens_details": {"thinking_tokens": 8},
    }


@pytest.mark.parametrize(
    ("status", "kind"), [(503, "overloaded_error"), (502, "api_error"), (400, "invalid_request_error")]
)
def test_an_error_is_written_as_clients_know_it(status: int, kind: str) -> None:
    written = error_body("anthropic", "Later.", status=status, code="busy", call_id="call_1")
    assert written == (
        b'{"type":"error","error":{"type":"%b","message":"Later.","code":"busy","param":null},"request_id":"call_1"}'
        % kind.encode()
    )
    if status == 502:
        assert anthropic_event("Later.", "busy", "call_1") == b"event: error\ndata: " + written + b"\n\n"


def trouble(error_type: str, message: str = "x") -> bytes:
    return json.dumps({"type": "error", "error": {"type": error_type, "message": message}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (400, trouble("invalid_request_error"), "bad_request"),
        (400, trouble("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), "context_length"),
        (
            400,
            trouble("invalid_request_error", "input length and `max_tokens` exceed context limit: 9 + 1 > 8"),
            "context_length",
        ),
        (400, trouble("invalid_request_error", "Output blocked by content filtering policy"), "content_policy"),
        (400, trouble("invalid_request_error", "Your credit balance is too low to access"), "rate_limit"),
        (401, trouble("authentication_error"), "upstream_auth"),
        (402, trouble("billing_error"), "rate_limit"),
        (403, trouble("permission_error"), "upstream_auth"),
        (404, trouble("not_found_error"), "not_found"),
        (413, trouble("request_too_large"), "too_large"),
        (429, trouble("rate_limit_error"), "rate_limit"),
        (500, trouble("api_error"), "upstream_error"),
        (504, trouble("timeout_error"), "timeout"),
        (529, trouble("overloaded_error"), "capacity"),
        (200, trouble("overloaded_error"), "capacity"),
        (500, trouble("overloaded_error"), "capacity"),
        (529, b"", "capacity"),
        (413, b"<html>", "too_large"),
        (403, b"blocked", "upstream_auth"),
        (502, b"<html>Bad gateway</html>", "upstream_error"),
        (429, trouble("something_new"), "rate_limit"),
    ],
)
def test_an_error_is_classified(status: int, body: bytes, error_class: str) -> None:
    assert failure_of(status, body).error_class == error_class


def test_a_failure_keeps_the_upstreams_words() -> None:
    failure = failure_of(400, trouble("invalid_request_error", "max_tokens: must be positive"))
    assert (failure.code, failure.message) == ("invalid_request_error", "max_tokens: must be positive")
