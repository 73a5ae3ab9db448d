"""A recorded call becomes a case that can be asked again, without the personal data that has a form."""

from dataclasses import dataclass

import pytest

from watchkeeper.core.conversation import Conversation, read_conversation
from watchkeeper.evals.from_calls import NothingAsked, RecordedCall, case_of
from watchkeeper.evals.from_feedback import labels_of, points_of

ID = "01KDV8XG0000000000000000AA"
REQUEST = (
    b'{"model":"m","messages":[{"role":"system","content":"Be kind to ana@example.com."},'
    b'{"role":"user","content":[{"type":"text","text":"I am ana@example.com, IBAN DE89 3704 0044 0532 0130 00."},'
    b'{"type":"image_url","image_url":{"url":"https://x.example/cat.png"}}]},'
    b'{"role":"assistant","tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":"{}"}}]},'
    b'{"role":"tool","tool_call_id":"t1","content":"bob@example.com"}]}'
)
ANSWER = b'{"choices":[{"message":{"role":"assistant","content":"Dear ana@example.com"},"finish_reason":"stop"}]}'


def recorded(request: bytes = REQUEST, answer: bytes = ANSWER) -> Conversation:
    return read_conversation(request, answer, surface="chat", is_stream=False)


def test_a_call_becomes_a_case_with_one_place_for_one_person() -> None:
    made = case_of(RecordedCall(id=ID, conversation=recorded(), session="ana", tags=("refunds",)), is_reference=True)
    case = made.case
    assert (case.id, case.call, case.tags) == (f"call-{ID}", ID, ("from-call", "refunds"))
    assert case.messages[0]["content"] == "Be kind to <EMAIL_1>."
    assert case.messages[1]["content"] == "I am <EMAIL_1>, IBAN <IBAN_1>."
    assert case.messages[2]["tool_calls"][0]["function"] == {"name": "find", "arguments": "{}"}
    assert case.messages[3] == {"role": "tool", "content": "<EMAIL_2>", "tool_call_id": "t1"}
    assert case.reference == "Dear <EMAIL_1>"
    assert [one.place for one in made.redactions] == ["<EMAIL_1>", "<IBAN_1>", "<EMAIL_2>"]
    assert made.notes == ("Pictures, sounds and files of its messages are left out.",)
    assert case.cluster.startswith("session-") and "ana" not in case.cluster


def test_variables_of_a_release_are_the_case_and_nothing_is_taken_out_where_that_is_wished() -> None:
    call = RecordedCall(id=ID, conversation=Conversation(), variables={"question": "ana@example.com?", "count": 2})
    assert case_of(call, is_reference=False).case.variables == {"question": "<EMAIL_1>?", "count": 2}
    kept = case_of(call, is_reference=False, is_redacted=False)
    assert kept.case.variables == {"question": "ana@example.com?", "count": 2} and kept.redactions == ()


def test_a_call_without_an_answer_says_so_and_one_without_a_question_is_no_case() -> None:
    made = case_of(RecordedCall(id=ID, conversation=recorded(answer=b"")), is_reference=True)
    assert made.case.reference is None and "no answer" in made.notes[-1]
    with pytest.raises(NothingAsked, match="neither variables nor messages"):
        case_of(RecordedCall(id=ID, conversation=recorded(b"cut", b"")), is_reference=False)


@dataclass(frozen=True)
class Row:
    call_id: str
    release: str
    score: float | None
    name: str = "thumbs"
    session: str = ""
    by: str = "key:abc"


def test_feedback_becomes_points_by_release_and_a_comment_alone_none() -> None:
    rows = [Row("c1", "r1", 1.0, session="s"), Row("c1", "r1", 0.0, session="s"), Row("c2", "r1", None)]
    rows += [Row("", "r2", 0.5, session="t"), Row("c3", "r2", 1.0, name="stars")]
    found = points_of(rows)
    assert [(point.case, point.cluster, point.values) for point in found["r1"]] == [
        ("c1", "s", {"feedback thumbs": 0.5})
    ]
    assert [point.case for point in found["r2"]] == ["t", "c3"]
    assert [(label.case, label.scorer, label.value) for label in labels_of(rows)] == [
        ("c1", "feedback thumbs", 1.0),
        ("c1", "feedback thumbs", 0.0),
        ("c3", "feedback stars", 1.0),
    ]
