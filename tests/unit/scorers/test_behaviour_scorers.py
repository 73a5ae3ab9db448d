"""Scorers of what a model does: refuse, ask for tools, choose a label, keep to a language."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.scorers.asked import mark_of, scorer_of

from watchkeeper.evals.outcome import Answer, ToolCall

REFUSING, ANSWERING = (
    [line for line in part.splitlines() if not line.startswith("#")]
    for part in Path(__file__).with_name("refusals.txt").read_text("utf-8").split("\n\n")
)
LATE = "Sure. " + "It is fine. " * 60 + "I cannot help with that."
"""Such words far behind are about something else."""


@pytest.mark.parametrize("answer", [*REFUSING, "", " \n"])
def test_a_refusal_is_known_in_many_languages(answer: str) -> None:
    mark = mark_of(scorer_of("refusal"), answer)
    assert mark.status == "passed", mark.reason
    assert mark_of(scorer_of("refusal", negated=True), answer).status == "failed"


@pytest.mark.parametrize("answer", [*ANSWERING, LATE])
def test_an_answer_is_no_refusal(answer: str) -> None:
    mark = mark_of(scorer_of("refusal"), answer)
    assert mark.status == "failed", mark.reason


def test_what_the_provider_says_counts_as_a_refusal() -> None:
    assert mark_of(scorer_of("refusal"), Answer(text="Sure!", refusal="policy")).status == "passed"
    assert mark_of(scorer_of("refusal"), Answer(text="Sure", finish="content_filter")).status == "passed"
    assert mark_of(scorer_of("refusal"), Answer(tool_calls=(ToolCall("f"),))).status == "failed"


CALLS = Answer(
    tool_calls=(
        ToolCall("search", '{"query": "rome", "limit": 5}'),
        ToolCall("search", '{"query": "paris"}'),
        ToolCall("book", '{"id": 7}'),
    )
)
SEARCH = {"name": "search", "parameters": {"type": "object", "required": ["query"]}}
TOOL_ROWS: tuple[tuple[Any, dict[str, Any], Answer, float], ...] = (
    (["search", "search", "book"], {}, CALLS, 1.0),
    (["book", "search", "search"], {}, CALLS, 1.0),
    (["search", "book"], {"match": "names"}, CALLS, 0.8),
    ([{"name": "book", "arguments": {"id": 7}}], {"match": "subset"}, CALLS, 1.0),
    ([{"name": "book", "arguments": {"id": 7.0}}], {}, CALLS, 0.5),
    ([{"name": "search", "arguments": {"query": "rome"}}], {"match": "subset"}, CALLS, 1.0),
    ([{"name": "search", "arguments": {"query": "oslo"}}], {"match": "subset"}, CALLS, 0.0),
    # The first call fits both; only the right pairing finds two.
    ([{"name": "search"}, {"name": "search", "arguments": {"limit": 5}}], {"match": "subset"}, CALLS, 1.0),
    ([{"function": {"name": "book", "arguments": '{"id": 7}'}}], {"match": "subset"}, CALLS, 1.0),
    ([], {}, Answer(text="no tool"), 1.0),
    ([], {}, CALLS, 0.0),
    ("search", {}, Answer(text="no tool"), 0.0),
    ("f", {"match": "names"}, Answer(tool_calls=(ToolCall("f", "{broken"),)), 1.0),
    ({"name": "f", "arguments": {}}, {}, Answer(tool_calls=(ToolCall("f", "{broken"),)), 0.0),
    ({"name": "f", "arguments": {}}, {}, Answer(tool_calls=(ToolCall("f", ""),)), 1.0),
    (None, {"match": "schema", "tools": [SEARCH]}, CALLS, 2 / 3),
    (None, {"match": "schema", "tools": [{"type": "function", "function": SEARCH}]}, CALLS, 2 / 3),
    (None, {"match": "schema", "tools": [SEARCH]}, Answer(tool_calls=(ToolCall("search", "{}"),)), 0.0),
    (None, {"match": "schema", "tools": [SEARCH]}, Answer(text="no tool"), 0.0),
)


@pytest.mark.parametrize(("value", "options", "answer", "score"), TOOL_ROWS)
def test_calls_of_tools_are_compared(value: Any, options: dict[str, Any], answer: Answer, score: float) -> None:
    mark = mark_of(scorer_of("tool_calls", value, options=options), answer)
    assert mark.score == pytest.approx(score), mark.reason
    assert mark.status == ("passed" if score == 1 else "failed")


def walked(*names: str) -> Answer:
    return Answer(tool_calls=tuple(ToolCall(name) for name in names))


@pytest.mark.parametrize(
    ("match", "given", "score"),
    [
        ("exact", ("a", "b", "c"), 1.0),
        ("exact", ("a", "b"), 0.8),
        ("in_order", ("a", "x", "b", "c"), 1.0),
        ("in_order", ("c", "b", "a"), 1 / 3),
        ("any_order", ("c", "b", "x", "a"), 1.0),
        ("any_order", ("a", "b"), 2 / 3),
        ("subset", ("a", "a"), 1.0),
        ("subset", ("a", "x"), 0.5),
        ("subset", (), 1.0),
        ("exact", (), 0.0),
    ],
)
def test_the_order_of_tools_is_compared(match: str, given: tuple[str, ...], score: float) -> None:
    mark = mark_of(scorer_of("trajectory", ["a", "b", "c"], options={"match": match}), walked(*given))
    assert mark.score == pytest.approx(score)
    assert mark.status == ("passed" if score == 1 else "failed")


def test_too_many_steps_fail_however_good_they_are() -> None:
    scorer = scorer_of("trajectory", ["a"], options={"max_steps": 2}, threshold=0.1)
    mark = mark_of(scorer, walked("a", "b", "c", "d"))
    assert (mark.status, mark.score) == ("failed", 0.5)
    assert "limit is 2" in mark.reason


@pytest.mark.parametrize(
    ("answer", "options", "label"),
    [
        (" **Spam**. ", {"labels": ["spam", "ham"]}, "spam"),
        ('"SPAM"', {}, "spam"),
        ("maybe", {"labels": ["spam", "ham"]}, None),
        ("I think it is spam, really.", {"labels": ["spam", "ham"]}, None),
        ("I think it is spam, really.", {"labels": ["spam", "ham"], "within": True}, "spam"),
        ("spam/ham", {"labels": ["spam", "ham"], "within": True}, None),
        ("It is not spam, not spam.", {"labels": ["spam", "Not Spam"], "within": True}, "Not Spam"),
        ("spammer", {"labels": ["spam", "ham"], "within": True}, None),
        ("", {"labels": ["spam"]}, None),
    ],
)
def test_a_label_is_read(answer: str, options: dict[str, Any], label: str | None) -> None:
    mark = mark_of(scorer_of("classification", options=options), answer, "SPAM")
    assert mark.detail["label"] == label
    assert mark.status == ("passed" if label == "spam" else "failed")
    if label is None:
        assert "none of the labels" in mark.reason


def test_a_reference_that_is_no_label_is_not_the_answers_fault() -> None:
    mark = mark_of(scorer_of("classification", options={"labels": ["spam", "ham"]}), "spam", "eggs")
    assert mark.status == "unmeasured"


@pytest.mark.parametrize(
    ("answer", "wanted", "status"),
    [
        ("Ihre Bestellung ist heute Morgen angekommen und wird geprüft.", "de", "passed"),
        ("Your order has arrived this morning and is being checked.", "de", "failed"),
        ("Your order has arrived this morning and is being checked.", ["de", "EN"], "passed"),
        ("42", "de", "unmeasured"),
        ("", "de", "unmeasured"),
    ],
)
def test_the_language_is_told(answer: str, wanted: Any, status: str) -> None:
    assert mark_of(scorer_of("language", wanted), answer).status == status


def test_hundreds_of_calls_are_not_looked_at() -> None:
    many = Answer(tool_calls=tuple(ToolCall("f", json.dumps({"n": n})) for n in range(201)))
    assert mark_of(scorer_of("tool_calls", "f"), many).status == "unmeasured"
