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


def test_an_embedding_shows_what_was_embedded() -> None:
    seen = digest(_call({"input": ["one", "two"]}, {"data": [{"embedding": [0.5] * 8}]}, surface="embeddings"))
    assert seen.input_preview == "two"
