"""What is shown of a call is the same whichever way its bodies were read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.call import Call
from watchkeeper.core.conversation import read_conversation
from watchkeeper.ingest.digest import PREVIEW_LETTERS, WORDS_LETTERS, Digest, digest
from watchkeeper.testing.builders import seeded_calls


def _call(request: object, response: object, *, is_stream: bool = False, surface: str = "chat") -> Call:
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in (request, response)]
    return Call(
        id="",
        started_ns=0,
        worker="w",
        surface=surface,  # type: ignore[arg-type]  # one of two
        is_stream=is_stream,
        request_body=bodies[0],
        response_body=bodies[1],
    )


def _asked(*contents: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content} for content in contents]}


def _answered(**message: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


def _events(*choices: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps({"choices": [choice]}).encode() for choice in choices)


def test_the_last_question_and_the_answer_are_shown() -> None:
    seen = digest(_call(_asked("first", "Where is\n my  Refund?"), _answered(content="On its way.")))
    assert seen == Digest(
        input_preview="Where is my Refund?",
        output_preview="On its way.",
        words="where is\n my  refund?\non its way.",
        finish_reason="stop",
        input_letters=21,
        output_letters=11,
        input_language="en",
        output_language="en",
        answer_form="prose",
    )


def test_long_text_is_cut() -> None:
    seen = digest(_call(_asked("a" * 10_000), _answered(content="b" * 10_000)))
    assert seen.input_preview == "a" * PREVIEW_LETTERS
    assert len(seen.words) == 2 * WORDS_LETTERS + 1


def test_a_stream_is_put_together() -> None:
    stream = _events(
        {"index": 0, "delta": {"role": "assistant", "content": ""}},
        {"index": 0, "delta": {"content": "On its "}},
        {"index": 0, "delta": {"content": "way."}},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    )
    seen = digest(_call(_asked("?"), stream + b"data: [DONE]\n\n", is_stream=True))
    assert (seen.output_preview, seen.finish_reason) == ("On its way.", "stop")


def test_tools_are_named_once_in_the_order_of_their_calls() -> None:
    calls = [{"function": {"name": name, "arguments": "{}"}} for name in ("find", "send", "find")]
    seen = digest(_call(_asked("?"), _answered(content=None, tool_calls=calls)))
    assert seen.tool_names == ("find", "send")
    assert seen.output_preview == "find({}) send({}) find({})"


def _slowly(call: Call) -> tuple[str, str, str, tuple[str, ...]]:
    """What the tolerant reader finds, to compare with."""
    found = read_conversation(call.request_body, call.response_body, surface=call.surface, is_stream=call.is_stream)
    last = next((message for message in reversed(found.messages) if message.role == "user"), None)
    last = last or (found.messages[-1] if found.messages else None)
    answers = [
        " ".join(
            part
            for part in (
                answer.message.text,
                answer.message.refusal,
                *(f"{tool.name}({tool.arguments})" for tool in answer.message.tool_calls),
            )
            if part
        )
        for answer in found.answers
    ]
    names = dict.fromkeys(tool.name for answer in found.answers for tool in answer.message.tool_calls)
    asked, said = last.text if last else "", "\n".join(answers)
    words = f"{asked[:WORDS_LETTERS]}\n{said[:WORDS_LETTERS]}".lower()
    return words, said[:WORDS_LETTERS], found.answers[0].finish_reason if found.answers else "", tuple(names)


def _agree(call: Call) -> None:
    seen = digest(call)
    words, _, finish_reason, names = _slowly(call)
    assert (seen.words, seen.finish_reason, seen.tool_names) == (words, finish_reason, names)


def test_both_ways_of_reading_agree_on_a_day_of_calls() -> None:
    for call in seeded_calls(400):
        _agree(call)


texts = st.sampled_from(["", "word", "Two\n words", "größer", "\u2028"])
contents = st.one_of(
    st.none(),
    texts,
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
            st.fixed_dictionaries({"type": st.just("refusal"), "refusal": texts}),
            st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.just({"url": "data:"})}),
            st.integers(),
        ),
        max_size=3,
    ),
)
tool_calls = st.lists(
    st.fixed_dictionaries({"function": st.fixed_dictionaries({"name": texts, "arguments": texts})}), max_size=2
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "tool", None, 3]),
        "content": contents,
        "refusal": st.one_of(st.none(), texts),
        "tool_calls": st.one_of(st.none(), tool_calls),
        "function_call": st.one_of(st.none(), st.just({"name": "old", "arguments": "{}"})),
    },
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 2),
        "message": messages,
        "delta": messages,
        "finish_reason": st.one_of(st.none(), texts),
    },
)
replies = st.fixed_dictionaries({"choices": st.lists(choices, max_size=3)})


@given(asked=st.lists(messages, max_size=3), reply=replies)
def test_both_ways_of_reading_agree_on_any_reply(asked: list[object], reply: object) -> None:
    _agree(_call({"messages": asked}, reply))


@given(events=st.lists(replies, max_size=4), line=st.sampled_from([b"\n", b"\r\n"]), is_done=st.booleans())
def test_both_ways_of_reading_agree_on_any_stream(events: list[object], line: bytes, is_done: bool) -> None:
    body = b"".join(b"data: " + json.dumps(event).encode() + line * 2 for event in events)
    _agree(_call(_asked("?"), body + (b"data: [DONE]" + line * 2 if is_done else b""), is_stream=True))


@pytest.mark.parametrize(
    ("request_body", "response_body"),
    [(b"", b""), (b"\xff\xfe", b"\x00"), (b"[" * 100_000, b"{" * 100_000), (b'{"messages": 3}', b'{"choices": {}}')],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_nothing_makes_it_fail(request_body: bytes, response_body: bytes, is_stream: bool) -> None:
    _agree(_call(request_body, response_body, is_stream=is_stream))


BLOCK_EVENTS: tuple[dict[str, object], ...] = (
    {"type": "message_start", "message": {"role": "assistant", "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "On its "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "way."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)


def _named(*events: dict[str, object]) -> bytes:
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (str(one["type"]).encode(), json.dumps(one).encode()) for one in events
    )


TOOL_USE = {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": 1}}
IN_BLOCKS = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "On its way."}],
    "stop_reason": "end_turn",
}
IN_ITEMS: dict[str, object] = {
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "On its way."}]},
    ],
}
ITEM_EVENTS: tuple[dict[str, object], ...] = (
    {"type": "response.created", "response": {"status": "in_progress", "output": []}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "On its "},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "way."},
    {"type": "response.completed", "response": IN_ITEMS},
)
WORDS = {"choices": [{"index": 0, "text": "On its way.", "finish_reason": "stop"}]}
WORD_EVENTS = b"".join(
    b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "text": text, "finish_reason": end}]}).encode()
    for text, end in (("On its ", None), ("way.", "stop"))
)
ASKED: dict[str, object] = {
    "chat": _asked("Where is it?"),
    "messages": _asked("Where is it?") | {"system": "Be brief."},
    "responses": {"instructions": "Be brief.", "input": [{"role": "user", "content": "Where is it?"}]},
    "completions": {"prompt": "Where is it?"},
}
ANSWERED: dict[str, tuple[object, bool, str]] = {
    "chat": (_answered(content="On its way."), False, "stop"),
    "chat stream": (_events({"index": 0, "delta": {"content": "On its way."}, "finish_reason": "stop"}), True, "stop"),
    "blocks": (IN_BLOCKS, False, "end_turn"),
    "blocks stream": (_named(*BLOCK_EVENTS), True, "end_turn"),
    "items": (IN_ITEMS, False, "completed"),
    "items stream": (_named(*ITEM_EVENTS), True, "completed"),
    "words": (WORDS, False, "stop"),
    "words stream": (WORD_EVENTS + b"data: [DONE]\n\n", True, "stop"),
}


@pytest.mark.parametrize("surface", ASKED)
@pytest.mark.parametrize("shape", ANSWERED)
def test_every_surface_is_read_with_the_answer_of_every_upstream(surface: str, shape: str) -> None:
    """What is recorded is what the upstream sent, whichever API the client spoke."""
    answer, is_stream, finish_reason = ANSWERED[shape]
    call = _call(ASKED[surface], answer, is_stream=is_stream, surface=surface)
    seen = digest(call)
    assert (seen.input_preview, seen.output_preview) == ("Where is it?", "On its way.")
    assert seen.finish_reason == finish_reason
    _agree(call)


@pytest.mark.parametrize("is_stream", [False, True])
def test_tools_of_a_message_in_blocks_are_named(is_stream: bool) -> None:
    started = TOOL_USE | {"input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"q":1}'}
    stream = _named(
        BLOCK_EVENTS[0],
        {"type": "content_block_start", "index": 0, "content_block": started},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    )
    reply = {"type": "message", "content": [TOOL_USE], "stop_reason": "tool_use"}
    seen = digest(_call(ASKED["messages"], stream if is_stream else reply, is_stream=is_stream, surface="messages"))
    assert (seen.tool_names, seen.output_preview, seen.finish_reason) == (("find",), 'find({"q":1})', "tool_use")


def test_the_question_is_what_a_person_said_last_and_not_a_tools_result() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "42"}
    said = {"type": "text", "text": "And now?"}
    asked: list[dict[str, object]] = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": [TOOL_USE]},
        {"role": "user", "content": [result]},
    ]
    assert digest(_call({"messages": asked}, b"", surface="messages")).input_preview == "Where is it?"
    asked[-1]["content"] = [result, said]
    assert digest(_call({"messages": asked}, b"", surface="messages")).input_preview == "And now?"
    items = [
        {"role": "user", "content": "Where is it?"},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    assert digest(_call({"input": items}, b"", surface="responses")).input_preview == "Where is it?"


blocks = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.sampled_from(["text", "thinking"])}, optional={"text": texts}),
        st.just({"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}),
        st.just({"type": "tool_result", "tool_use_id": "t", "content": "42"}),
        st.just(TOOL_USE),
        st.integers(),
    ),
    max_size=4,
)
said_in_blocks = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.one_of(texts, blocks)}
)


@given(asked=st.lists(said_in_blocks, max_size=3), content=blocks, stop=st.one_of(st.none(), texts))
def test_both_ways_of_reading_agree_on_any_message_in_blocks(
    asked: list[object], content: list[object], stop: str | None
) -> None:
    reply = {"type": "message", "role": "assistant", "content": content, "stop_reason": stop}
    _agree(_call({"messages": asked, "system": "Be brief."}, reply, surface="messages"))


@given(st.lists(st.sampled_from(BLOCK_EVENTS), max_size=12))
def test_both_ways_of_reading_agree_on_any_stream_of_blocks(events: list[dict[str, object]]) -> None:
    _agree(_call(ASKED["messages"], _named(BLOCK_EVENTS[0], *events), is_stream=True, surface="messages"))


@pytest.mark.parametrize("surface", [*ASKED, "embeddings", "count_tokens", "passthrough"])
@given(request=st.binary(max_size=100), response=st.binary(max_size=100), is_stream=st.booleans())
def test_no_bytes_make_it_fail_on_any_surface(surface: str, request: bytes, response: bytes, is_stream: bool) -> None:
    digest(_call(request, response, is_stream=is_stream, surface=surface))


def test_an_embedding_shows_what_was_embedded() -> None:
    seen = digest(_call({"input": ["one", "two"]}, {"data": [{"embedding": [0.5] * 8}]}, surface="embeddings"))
    assert seen.input_preview == "two"
