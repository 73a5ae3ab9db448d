"""Scorers of numbers, JSON, SQL and XML."""

import time
from typing import Any

import pytest
from tests.unit.scorers.asked import mark_of, scorer_of

from watchkeeper.evals.scorers.fences import fenced

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
BOMB = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>'

ROWS: tuple[tuple[str, Any, dict[str, Any], str, bool], ...] = (
    ("numeric", 5, {}, "The answer is 5.", True),
    ("numeric", "1234.5", {}, "It costs $1,234.50.", True),
    ("numeric", -3, {}, "It is −3 degrees", True),
    ("numeric", 3, {}, "2, 3 and 4", False),
    ("numeric", 3, {"take": "any"}, "2, 3 and 4", True),
    ("numeric", 2, {"take": "first"}, "2, 3 and 4", True),
    ("numeric", 4, {"take": "first"}, "2, 3 and 4", False),
    ("numeric", 100, {"absolute": 0.5}, "100.5", True),
    ("numeric", 100, {"absolute": 0.5}, "100.51", False),
    ("numeric", 200, {"relative": 0.01}, "198", True),
    ("numeric", -200, {"relative": "0.01"}, "-197", False),
    ("numeric", 0.3, {}, "0.30", True),
    ("numeric", 12345678901234567890123, {}, "12345678901234567890124", False),
    ("numeric", 1500, {}, "1.5e3", True),
    ("numeric", 7, {}, "seven", False),
    ("numeric", 1, {}, "1e9999", False),
    ("numeric", 0.5, {}, "about .5", True),
    ("numeric", 7, {"path": "$.total"}, '{"total": 7, "n": 9}', True),
    ("numeric", 7, {"path": "$.items[*].n"}, '{"items": [{"n": 1}, {"n": "7"}]}', True),
    ("numeric", 7, {"path": "$.total"}, "7", False),
    ("json", None, {}, '{"n": 1}', True),
    ("json", None, {}, "```json\n{}\n```", False),
    ("json", None, {"within": True}, 'Here: ```json\n{"n": 1}\n``` done', True),
    ("json", None, {"within": True}, "none [here", False),
    ("json", SCHEMA, {}, '{"n": 1}', True),
    ("json", SCHEMA, {}, '{"n": "1"}', False),
    ("json", SCHEMA, {"within": True}, 'first {"n": "x"} then {"n": 2}', True),
    ("json", SCHEMA, {"within": True}, 'first {"n": "x"}', False),
    ("json", '{"type": "array"}', {}, "[1]", True),
    ("json", None, {}, '{"a": NaN}', False),
    ("json_path", "Rome", {"path": "$.city"}, '{"city": "Rome"}', True),
    ("json_path", "Rome", {"path": "$.city"}, '{"city": "Paris"}', False),
    ("json_path", 2, {"path": "$.a[*].b"}, '{"a": [{"b": 1}, {"b": 2}]}', True),
    ("json_path", 1, {"path": "$.a"}, '{"a": true}', False),
    ("json_path", "^R", {"path": "$.city", "match": "regex"}, '{"city": "Rome"}', True),
    ("json_path", "^R", {"path": "$.city", "match": "regex"}, '{"city": {"R": 1}}', False),
    ("json_path", None, {"path": "$.city", "match": "exists"}, '{"city": null}', True),
    ("json_path", None, {"path": "$.town", "match": "exists"}, '{"city": null}', False),
    ("json_path", "x", {"path": "$[?search(@.n, '^a+$')].v"}, '[{"n": "aaa", "v": "x"}]', True),
    ("json_path", "Rome", {"path": "$.city", "within": True}, 'Sure: {"city": "Rome"}', True),
    ("sql", None, {}, "SELECT a FROM t WHERE b = 1", True),
    ("sql", None, {}, "hello there", False),
    ("sql", None, {}, "show me the money", False),
    ("sql", None, {}, "SELECT * FROM", False),
    ("sql", None, {}, "", False),
    ("sql", None, {"within": True}, "Here:\n```sql\nSELECT 1\n```\nGood luck.", True),
    ("sql", None, {"dialect": "mysql"}, "SELECT `a` FROM `t`", True),
    ("sql", None, {"allowed_tables": ["orders"]}, "SELECT * FROM Orders", True),
    ("sql", None, {"allowed_tables": ["orders"]}, "SELECT * FROM orders JOIN users ON 1 = 1", False),
    ("sql", None, {"allowed_tables": ["orders"]}, "WITH o AS (SELECT * FROM orders) SELECT * FROM o", True),
    ("sql", None, {"allowed_tables": ["orders"]}, "WITH users AS (SELECT * FROM users) SELECT * FROM users", False),
    ("sql", None, {"allowed_tables": ["orders"]}, "SELECT * FROM secret.orders", False),
    ("sql", None, {"read_only": True}, "SELECT 1; DROP TABLE t", False),
    ("sql", None, {"read_only": True}, "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x", False),
    ("xml", None, {}, "<a><b/></a>", True),
    ("xml", None, {}, "<a><b></a>", False),
    ("xml", None, {}, "words", False),
    ("xml", ["a.b", "a.c"], {}, "<a><b/><c/></a>", True),
    ("xml", ["a.b", "a.c"], {}, "<a><b/></a>", False),
    ("xml", "a", {"within": True}, "Here: <a>x</a> done", True),
    ("xml", None, {}, BOMB, False),
    ("xml", None, {}, "<a>" * 10_000, False),
)


@pytest.mark.parametrize(("type_", "value", "options", "answer", "passes"), ROWS)
def test_an_answer_is_told_right_from_wrong(
    type_: str, value: Any, options: dict[str, Any], answer: str, passes: bool
) -> None:
    mark = mark_of(scorer_of(type_, value, options=options), answer)
    assert mark.status == ("passed" if passes else "failed"), mark.reason
    assert mark.reason


def test_a_pattern_in_a_path_is_held_against_an_answer_in_linear_time() -> None:
    scorer = scorer_of("json_path", "x", options={"path": "$[?search(@.n, '^(a+)+$')].v"})
    started = time.process_time()
    assert mark_of(scorer, '[{"n": "%s!", "v": "x"}]' % ("a" * 5_000)).status == "failed"
    assert time.process_time() - started < 1.0


def test_an_answer_that_is_half_understood_is_not_written_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    mark_of(scorer_of("sql"), "show me the password of ada@example.com")
    assert caplog.text == ""


def test_the_share_of_elements_that_are_there_is_the_score() -> None:
    assert mark_of(scorer_of("xml", ["a.b", "a.c"]), "<a><b/></a>").score == 0.5


def test_a_reference_is_neither_a_schema_nor_a_list_of_elements() -> None:
    assert mark_of(scorer_of("json"), "[1]", {"type": "object"}).status == "passed"
    assert mark_of(scorer_of("xml"), "<a/>", "b").status == "passed"


def test_a_number_is_not_held_against_words() -> None:
    assert mark_of(scorer_of("numeric"), "5", "five").status == "unmeasured"
    assert mark_of(scorer_of("numeric"), "5", True).status == "unmeasured"


def test_why_json_does_not_fit_is_said_with_its_place_and_without_its_value() -> None:
    mark = mark_of(scorer_of("json", SCHEMA), '{"n": "ada@example.com"}')
    assert "/n" in mark.reason
    assert "ada" not in mark.reason


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("no fence", "no fence"),
        ("a ```sql\nx\n``` b ```\ny\n```", "x"),
        ("```\nnever closed", "never closed"),
        ("in `` a line ```x``` b", "x"),
    ],
)
def test_the_first_fence_is_found(text: str, inside: str) -> None:
    assert fenced(text) == inside
