"""Conversations of Anthropic's Messages, OpenAI's Responses and its legacy completions, read back from their bodies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.call import Surface
from watchkeeper.core.conversation import Conversation, Image, Message, Other, Text, ToolCall, read_conversation

SURFACES: tuple[Surface, ...] = ("messages", "responses", "completions", "count_tokens", "passthrough")


def read(surface: Surface, request: object, response: object = b"", *, is_stream: bool = False) -> Conversation:
    """Read bodies given as JSON values or as bytes."""
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    return read_conversation(bodies[0], bodies[1], surface=surface, is_stream=is_stream)


def stream(*events: dict[str, object]) -> bytes:
    """Write events with their names, as both APIs do."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (str(one["type"]).encode(), json.dumps(one).encode()) for one in events
    )


def test_a_request_of_messages_is_read_with_its_system_its_tools_and_their_results() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    conversation = read(
        "messages",
        {
            "model": "m",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "Be brief."}],
            "tools": [{"name": "find", "description": "Finds.", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": "Where is it?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "I must look.", "signature": "s"},
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": "it"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "42"}]},
                        {"type": "text", "text": "And this?"},
                        image,
                    ],
                },
            ],
        },
    )
    assert conversation.messages == (
        Message(role="system", parts=(Text("Be brief."),)),
        Message(role="user", parts=(Text("Where is it?"),)),
        Message(
            role="assistant",
            parts=(Text("I look."),),
            tool_calls=(ToolCall(id="t1", name="find", arguments='{"q":"it"}'),),
            reasoning="I must look.",
        ),
        Message(role="tool", parts=(Text("42"),), tool_call_id="t1"),
        Message(role="user", parts=(Text("And this?"), Image("data:image/png;base64,AA=="))),
    )
    assert conversation.tools[0].parameters == '{"type":"object"}'
    assert conversation.parameters == {"model": '"m"', "max_tokens": "100"}


NOW = {"type": "tool_use", "id": "t", "name": "now", "input": {}}


def test_a_stream_of_messages_is_put_together_block_by_block() -> None:
    body = stream(
        {"type": "message_start", "message": {"role": "assistant"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "I must look."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I "}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "look."}},
        {"type": "content_block_start", "index": 2, "content_block": NOW},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )  # fmt: skip
    [answer] = read("messages", {}, body, is_stream=True).answers
    assert answer.message.reasoning == "I must look."
    assert answer.message.text == "I look."
    assert answer.message.tool_calls == (ToolCall(id="t", name="now", arguments="{}"),)
    assert answer.finish_reason == "tool_use"
    assert read("messages", {}, body, is_stream=True).notes == ()


def test_a_stream_of_messages_that_broke_off_says_what_came_and_that_it_is_not_whole() -> None:
    begun = stream(
        {"type": "message_start", "message": {"role": "assistant"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    )
    conversation = read("messages", {}, begun, is_stream=True)
    assert (conversation.answers[0].message.text, conversation.answers[0].finish_reason) == ("half", "")
    assert conversation.error == "Overloaded"
    assert conversation.notes == ("The recorded stream ends without its closing event.",)


def test_an_error_of_messages_is_shown() -> None:
    error = {"type": "error", "error": {"type": "not_found_error", "message": "no such model"}}
    assert read("messages", {}, error).error == "no such model"


PICTURE = {"type": "input_image", "image_url": "https://a.example/b.png"}
REFUSAL = {"type": "refusal", "refusal": "No more."}


def test_a_request_of_responses_is_read_item_by_item() -> None:
    conversation = read(
        "responses",
        {
            "instructions": "Be brief.",
            "tools": [{"type": "function", "name": "find", "parameters": {"type": "object"}}, {"type": "web_search"}],
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "See"}, PICTURE]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I must look."}]},
                {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "42"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "42."}, REFUSAL]},
                {"type": "item_reference", "id": "x"},
                7,
            ],
        },
    )  # fmt: skip
    assert conversation.messages == (
        Message(role="system", parts=(Text("Be brief."),)),
        Message(role="user", parts=(Text("See"), Image("https://a.example/b.png"))),
        Message(role="assistant", reasoning="I must look."),
        Message(role="assistant", tool_calls=(ToolCall(id="c1", name="find", arguments="{}"),)),
        Message(role="tool", parts=(Text("42"),), tool_call_id="c1"),
        Message(role="assistant", parts=(Text("42."),), refusal="No more."),
        Message(role="item", parts=(Other("item_reference", '{"type":"item_reference","id":"x"}'),)),
    )
    assert [tool.name for tool in conversation.tools] == ["find", "web_search"]
    assert conversation.notes == ("Item 7 of the request is not an object; it is left out here.",)


ITEMS: list[dict[str, object]] = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I must look."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
    {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q":1}'},
]


def test_a_response_is_one_answer_of_all_its_items() -> None:
    given_ = {"object": "response", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    [answer] = read("responses", {"input": "Hi"}, given_ | {"output": ITEMS, "error": None}).answers
    assert (answer.message.reasoning, answer.message.text) == ("I must look.", "I look.")
    assert answer.message.tool_calls == (ToolCall(id="c1", name="find", arguments='{"q":1}'),)
    assert answer.finish_reason == "max_output_tokens"


DELTAS: tuple[dict[str, object], ...] = (
    {"type": "response.created", "response": {"status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "summary": []}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "I must look."},
    {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[0]},
    {"type": "response.output_item.added", "output_index": 1, "item": ITEMS[1] | {"content": []}},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "I "},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "look."},
    {"type": "response.output_item.added", "output_index": 2, "item": ITEMS[2] | {"arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"q":'},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "1}"},
)  # fmt: skip


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_stream_of_responses_is_read_whole_and_when_it_broke_off(is_whole: bool) -> None:
    last: dict[str, object] = {"type": "response.completed", "response": {"status": "completed", "output": ITEMS}}
    conversation = read("responses", {}, stream(*DELTAS, *([last] if is_whole else [])), is_stream=True)
    [answer] = conversation.answers
    assert (answer.message.reasoning, answer.message.text) == ("I must look.", "I look.")
    assert answer.message.tool_calls == (ToolCall(id="c1", name="find", arguments='{"q":1}'),)
    assert answer.finish_reason == ("completed" if is_whole else "")
    assert len(conversation.notes) == (0 if is_whole else 1)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "boom"},
        {"type": "response.failed", "response": {"status": "failed", "error": {"message": "boom"}}},
    ],
)
def test_what_a_stream_of_responses_says_went_wrong_is_shown(event: dict[str, object]) -> None:
    assert read("responses", {}, stream(DELTAS[0], event), is_stream=True).error == "boom"


def test_a_completion_is_read_with_its_prompt() -> None:
    given_ = {"choices": [{"index": 0, "text": "there was", "finish_reason": "length"}]}
    conversation = read("completions", {"prompt": ["Once upon a time", [1, 2]], "max_tokens": 2}, given_)
    assert [message.parts for message in conversation.messages] == [
        (Text("Once upon a time"),),
        (Other("tokens", "[1,2]"),),
    ]
    assert conversation.answers[0].message.text == "there was"
    assert conversation.parameters == {"max_tokens": "2"}


@pytest.mark.parametrize("surface", SURFACES)
@given(request=st.binary(max_size=200), response=st.binary(max_size=200), is_stream=st.booleans())
def test_no_bytes_make_reading_fail(surface: Surface, request: bytes, response: bytes, is_stream: bool) -> None:
    read(surface, request, response, is_stream=is_stream)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "text", "tool_use", "message"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "input", "output", "messages", "system", "index", "delta", "item",
                 "content_block", "source", "summary", "response", "error", "output_index", "tools", "prompt"]
            ),
            inner,
            max_size=4,
        ),
    ),
)  # fmt: skip
KINDS = ("message_start", "content_block_start", "content_block_delta", "message_delta", "response.created",
         "response.output_item.added", "response.output_item.done", "response.output_text.delta", "error",
         "response.completed", "response.function_call_arguments.delta")  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
@given(request=values, reply=values)
def test_no_json_makes_reading_fail(surface: Surface, request: object, reply: object) -> None:
    read(surface, request, reply)


@given(
    events=st.lists(
        st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["index", "delta", "item", "content_block",
                  "response", "output_index", "content_index", "message"]), values, max_size=4)),
        max_size=6,
    )
)  # fmt: skip
def test_no_events_make_reading_fail(events: list[tuple[str, dict[str, object]]]) -> None:
    read("messages", {}, stream(*({**fields, "type": kind} for kind, fields in events)), is_stream=True)
