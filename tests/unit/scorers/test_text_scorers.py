"""What text scorers let pass."""

from typing import Any

import pytest
from tests.unit.scorers.asked import mark_of, scorer_of

PASSING: tuple[tuple[str, Any, dict[str, Any], str], ...] = (
    ("equals", "Paris", {}, "Paris"),
    ("equals", "paris", {"ignore_case": True}, "PARIS"),
    ("equals", "Straße", {"ignore_case": True}, "STRASSE"),
    ("equals", "Paris", {"trim": True}, " Paris\n"),
    ("equals", ["Paris", "Rome"], {"any": True}, "Rome"),
    ("equals", {"a": [1, 2.0, None]}, {}, '{"a": [1.0, 2, null]}'),
    ("equals", 5, {}, " 5.0 "),
    ("equals", True, {}, "true"),
    ("equals", [], {}, "[]"),
    ("equals", "", {}, ""),
    ("contains", "blue", {}, "The sky is blue."),
    ("contains", 42, {}, "It is 42."),
    ("contains", "BLUE", {"ignore_case": True}, "The sky is blue."),
    ("contains_any", ["red", "blue"], {}, "The sky is blue."),
    ("contains_any", "blue", {}, "The sky is blue."),
    ("contains_all", ["sky", "blue"], {}, "The sky is blue."),
    ("starts_with", "The", {}, "The sky"),
    ("starts_with", ["A", "The"], {}, "The sky"),
    ("ends_with", "SKY", {"ignore_case": True}, "The sky"),
    ("regex", r"\d{4}-\d\d", {}, "on 2024-05-01"),
    ("regex", r"\d{4}-\d\d-\d\d", {"full": True}, "2024-05-01"),
    ("regex", "THE", {"ignore_case": True}, "the sky"),
    ("regex", "^ü.$", {}, "üß"),
)
FAILING: tuple[tuple[str, Any, dict[str, Any], str], ...] = (
    ("equals", "Paris", {}, "Paris "),
    ("equals", "Paris", {}, "paris"),
    ("equals", 1, {}, "true"),
    ("equals", True, {}, "1"),
    ("equals", {"a": 1}, {}, '{"a": 1, "b": 2}'),
    ("equals", {"a": 1}, {}, "```json\n{}\n```"),
    ("equals", ["a", "b"], {}, '["b", "a"]'),
    ("contains", "blue", {}, "The sky is BLUE."),
    ("contains_any", ["red", "green"], {}, "The sky is blue."),
    ("contains_all", ["sky", "green"], {}, "The sky is blue."),
    ("starts_with", "sky", {}, "The sky"),
    ("ends_with", "The", {}, "The sky"),
    ("regex", r"\d{4}-\d\d-\d\d", {"full": True}, "on 2024-05-01"),
    ("regex", "the", {}, ""),
)


@pytest.mark.parametrize(("type_", "value", "options", "answer"), PASSING)
def test_an_answer_passes(type_: str, value: Any, options: dict[str, Any], answer: str) -> None:
    mark = mark_of(scorer_of(type_, value, options=options), answer)
    assert (mark.status, mark.score) == ("passed", 1.0), mark.reason


@pytest.mark.parametrize(("type_", "value", "options", "answer"), FAILING)
def test_an_answer_fails_and_the_reason_says_why(type_: str, value: Any, options: dict[str, Any], answer: str) -> None:
    mark = mark_of(scorer_of(type_, value, options=options), answer)
    assert mark.status == "failed"
    assert mark.score is not None and mark.score < 1
    assert mark.reason


def test_of_several_texts_the_score_is_the_share_that_is_there() -> None:
    mark = mark_of(scorer_of("contains_all", ["sky", "blue", "red", "sea"]), "The sky is blue.")
    assert (mark.status, mark.score) == ("failed", 0.5)
    assert mark.reason == "the answer holds 2 of 4, not `red`, `sea`"


def test_with_a_threshold_a_share_is_enough() -> None:
    mark = mark_of(scorer_of("contains_all", ["sky", "blue", "red", "sea"], threshold=0.5), "The sky is blue.")
    assert mark.status == "passed"


def test_without_a_value_the_reference_of_the_case_counts() -> None:
    assert mark_of(scorer_of("equals"), "Rome", "Rome").status == "passed"
    assert mark_of(scorer_of("regex"), "Rome", "^R").status == "passed"


@pytest.mark.parametrize("type_", ["equals", "contains", "contains_any", "contains_all", "starts_with", "regex"])
def test_with_neither_value_nor_reference_nobody_knows(type_: str) -> None:
    mark = mark_of(scorer_of(type_), "Rome")
    assert (mark.status, mark.score) == ("unmeasured", None)
    assert "reference" in mark.reason


@pytest.mark.parametrize("type_", ["contains", "contains_any", "contains_all", "starts_with", "regex"])
def test_what_every_answer_holds_is_no_reference(type_: str) -> None:
    assert mark_of(scorer_of(type_), "Rome", "").status == "unmeasured"


def test_a_pattern_that_comes_with_the_case_and_is_none_leaves_the_answer_unmeasured() -> None:
    mark = mark_of(scorer_of("regex"), "Rome", "(")
    assert mark.status == "unmeasured"
    assert "RE2" in mark.reason
