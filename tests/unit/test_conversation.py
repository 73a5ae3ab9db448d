"""Conversations read back from recorded bodies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.conversation import (
    Conversation,
    Image,
    Message,
    Other,
    Text,
    event_payloads,
    read_conversation,
)


def read(request: object, response: object = b"", *, is_stream: bool = False) -> Conversation:
    """Read bodies given as JSON values or as bytes."""
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    return read_conversation(bodies[0], bodies[1], surface="chat", is_stream=is_stream)


def stream(*events: object, end: bytes = b"data: [DONE]\n\n") -> bytes:
    """Write events as an upstream would send them."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + end


def delta(index: int = 0, finish: str | None = None, **fields: object) -> dict[str, object]:
    """One chunk of one choice."""
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def test_a_plain_exchange_is_read_with_its_parameters() -> None:
    asked = {"model": "m", "temperature": 0.5, "messages": [{"role": "user", "content": "Hi"}]}
    given_ = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}
    conversation = read(asked, given_)
    assert conversation.messages == (Message(role="user", parts=(Text("Hi"),)),)
    assert conversation.answers[0].message.text == "Hello"
    assert conversation.answers[0].finish_reason == "stop"
    assert conversation.parameters == {"model": '"m"', "temperature": "0.5"}
    assert conversation.notes == ()


def test_a_stream_is_assembled_per_choice_in_the_order_of_the_choices() -> None:
    body = stream(
        delta(1, role="assistant", content="B"), delta(0, content="A1"), delta(0, "stop", content="A2"), {"choices": []}
    )
    conversation = read({"messages": []}, body, is_stream=True)
    assert [(answer.index, answer.message.text) for answer in conversation.answers] == [(0, "A1A2"), (1, "B")]
    assert [answer.finish_reason for answer in conversation.answers] == ["stop", ""]
    assert conversation.notes == ()


def test_tool_calls_streamed_in_fragments_are_joined_by_their_index() -> None:
    body = stream(
        delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "find", "arguments": '{"q"'}}]),
        delta(tool_calls=[{"index": 1, "id": "c2", "function": {"name": "read", "arguments": "{}"}}]),
        delta(0, "tool_calls", tool_calls=[{"index": 0, "function": {"arguments": ':"x"}'}}]),
    )
    calls = read({}, body, is_stream=True).answers[0].message.tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("c1", "find", '{"q":"x"}'),
        ("c2", "read", "{}"),
    ]


def test_parts_keep_their_kind() -> None:
    content = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"format": "wav"}},
        "loose",
    ]
    parts = read({"messages": [{"role": "user", "content": content}]}).messages[0].parts
    assert parts[:2] == (Text("see"), Image("data:image/png;base64,AA==", "low"))
    assert [part.kind for part in parts if isinstance(part, Other)] == ["input_audio", "unknown"]


def test_a_tool_result_names_the_call_it_answers() -> None:
    conversation = read(
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        }
    )
    assert conversation.messages[0].tool_calls[0].arguments == '{"a":1}'
    assert conversation.messages[1].tool_call_id == "c1"
    assert conversation.tools[0].parameters == '{"type":"object"}'


def test_a_cut_stream_gives_what_arrived_and_says_so() -> None:
    body = stream(delta(content="half"), end=b'data: {"choices":[{"ind')
    conversation = read({}, body, is_stream=True)
    assert conversation.answers[0].message.text == "half"
    assert len(conversation.notes) == 2


def test_an_error_in_place_of_an_answer_is_shown() -> None:
    assert read({}, {"error": {"message": "no quota", "type": "x"}}, is_stream=True).error == "no quota"
    assert read({}, stream(delta(content="a"), {"error": {"message": "boom"}}), is_stream=True).error == "boom"


def test_a_body_in_another_encoding_is_read_with_replaced_letters() -> None:
    conversation = read(b'{"messages":[{"role":"user","content":"caf\xe9"}]}')
    assert conversation.messages[0].text == "caf\ufffd"
    assert "UTF-8" in conversation.notes[0]


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"messages": 5}', b'{"messages": [5]}']
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_malformed_bodies_are_tolerated(body: bytes, is_stream: bool) -> None:
    assert read(body, body, is_stream=is_stream).answers == ()


def test_an_embeddings_call_tells_its_inputs_and_the_shape_of_its_vectors() -> None:
    asked = json.dumps({"model": "e", "input": ["a", [1, 2]]}).encode()
    given_ = json.dumps({"data": [{"embedding": [0.1, 0.2, 0.3]}, {"embedding": [0, 0, 0]}]}).encode()
    conversation = read_conversation(asked, given_, surface="embeddings", is_stream=False)
    assert [message.role for message in conversation.messages] == ["input", "input"]
    assert conversation.vectors == (2, 3)


@given(
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_event_payloads_do_not_depend_on_the_line_ending(texts: list[str], newline: str) -> None:
    events = "".join(f": note{newline}event: x{newline}data: {text}{newline}{newline}" for text in texts)
    assert [payload.decode() for payload in event_payloads(events.encode())] == texts


@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_no_bytes_make_reading_fail(request: bytes, response: bytes, is_stream: bool) -> None:
    read_conversation(request, response, surface="chat", is_stream=is_stream)
    read_conversation(request, b"data: " + response + b"\n\n", surface="chat", is_stream=True)
