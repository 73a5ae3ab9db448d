"""A conversation on a page: everything of a short one, the end of a long one, and no picture from elsewhere."""

import pytest

from watchkeeper.console.pictures import picture
from watchkeeper.console.turns import PAGE_LETTERS_MAX, turns
from watchkeeper.core.conversation import Answer, Conversation, Image, Message, Text, ToolCall


def _conversation(*messages: Message, answer: str = "Yes.") -> Conversation:
    said = Message(role="assistant", parts=(Text(answer),))
    return Conversation(messages=messages, answers=(Answer(index=0, message=said, finish_reason="stop"),))


def test_a_long_conversation_keeps_its_answer_and_its_latest_messages() -> None:
    long = [Message(role="user", parts=(Text(f"{place}: " + "word " * 4_000),)) for place in range(5)]
    asked, answered = turns(_conversation(*long, answer="The answer."), call_href="/calls/1")
    assert answered[0].blocks[0].text == "The answer."
    assert asked[-1].blocks[0].left_out == 0
    assert asked[0].blocks[0].text == ""
    assert asked[0].blocks[0].left_out > 0
    assert sum(len(block.text) for turn in (*asked, *answered) for block in turn.blocks) <= PAGE_LETTERS_MAX


def test_a_long_text_is_folded_and_a_short_one_is_not() -> None:
    asked, _ = turns(
        _conversation(
            Message(role="system", parts=(Text("rule\n" * 100),)), Message(role="user", parts=(Text("Short."),))
        ),
        call_href="/calls/1",
    )
    assert asked[0].blocks[0].head.count("\n") < 30
    assert asked[1].blocks[0].head == ""


def test_a_tool_result_names_the_tool_it_answers() -> None:
    call = ToolCall(id="call_1", name="find_order", arguments='{"number": "A-1"}')
    asked, _ = turns(
        _conversation(
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", parts=(Text("sent"),), tool_call_id="call_1"),
        ),
        call_href="/calls/1",
    )
    assert (asked[1].title, asked[1].answers) == ("tool · find_order", "call_1")
    assert asked[0].cards[0].arguments.kind == "json"


@pytest.mark.parametrize(
    ("url", "kind", "src"),
    [
        ("data:image/png;base64,aGk=", "image", "/calls/1/images/0.0"),
        ("https://pictures.example/cat.png", "link", "https://pictures.example/cat.png"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "missing", ""),
        ("javascript:alert(1)", "missing", ""),
        ("file:///etc/passwd", "missing", ""),
    ],
)
def test_only_a_picture_that_came_with_the_request_is_drawn(url: str, kind: str, src: str) -> None:
    asked, _ = turns(_conversation(Message(role="user", parts=(Image(url),))), call_href="/calls/1")
    assert (asked[0].blocks[0].kind, asked[0].blocks[0].src) == (kind, src)


@pytest.mark.parametrize("place", ["0.1", "1.0", "0.9999999999999", "-1.0", "0", "", "a.b", "0.0.0", "²._"])
def test_there_is_no_picture_where_none_was_sent(place: str) -> None:
    part = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}'
    body = b'{"messages":[{"role":"user","content":[' + part + b"]}]}"
    found = picture(body, "chat", "0.0")
    assert found is not None
    assert (found.kind, found.data) == ("image/png", b"hi")
    assert picture(body, "chat", place) is None
