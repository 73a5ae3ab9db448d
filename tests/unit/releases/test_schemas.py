"""Schemas are held against what strangers send, and tell nothing of it."""

import time
from typing import Any

import pytest

from watchkeeper.releases.problems import VariableProblem
from watchkeeper.releases.schemas import POINTER_MAX, Schema
from watchkeeper.releases.variables import Variables

STRINGS = {"type": "array", "items": {"type": "string"}}
JANE = "Jane Doe, HIV positive"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("schema", [STRINGS, {"anyOf": [STRINGS, {"type": "null"}]}, {"oneOf": [STRINGS]}])
def test_the_first_of_very_many_departures_is_told_at_once(schema: dict[str, Any]) -> None:
    value = [1] * 300_000
    started = time.process_time()
    assert Schema(schema).departure(value) is not None
    with pytest.raises(VariableProblem):
        Variables({"a": schema}).complete({"a": value})
    assert time.process_time() - started < 1.0  # with all of them it takes 8 s


@pytest.mark.parametrize("schema", [{"type": "object"}, STRINGS, {"anyOf": [{"type": "object"}]}])
def test_what_is_nested_too_deeply_does_not_fit_and_is_told_so(schema: dict[str, Any]) -> None:
    assert not Schema(schema).fits(nested(300))
    assert Schema(schema).departure(nested(300)) == ("", "it is nested too deeply")
    with pytest.raises(VariableProblem, match="`a` does not fit: it is nested too deeply"):
        Variables({"a": schema}).complete({"a": nested(300)})


@pytest.mark.parametrize(("value", "schema"), [("\ud800", {"type": "string"}), ({1: 2}, {})])
def test_what_is_no_json_does_not_fit(value: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(VariableProblem, match="`a` does not fit: it is not JSON"):
        Variables({"a": schema}).complete({"a": value})


def test_a_reference_means_the_variables_own_schema() -> None:
    variables = Variables({"a": {"$ref": "#/$defs/t", "$defs": {"t": {"type": "string"}}}})
    assert variables.complete({"a": "x"}) == {"a": "x"}
    with pytest.raises(VariableProblem, match="`a` does not fit"):
        variables.complete({"a": 1})


@pytest.mark.parametrize(
    ("kind", "fitting", "not_fitting"),
    [
        ("string", "é", 1),
        ("integer", 1.0, True),
        ("number", 1, True),
        ("boolean", False, 0),
        ("null", None, 0),
        ("object", {}, []),
    ],
)
def test_types_mean_what_json_schema_means_by_them(kind: str, fitting: Any, not_fitting: Any) -> None:
    variables = Variables({"a": {"type": kind, "description": "Whatever."}})
    assert variables.complete({"a": fitting}) == {"a": fitting}
    with pytest.raises(VariableProblem):
        variables.complete({"a": not_fitting})


def test_a_missing_variable_is_told_before_an_unknown_and_that_before_a_wrong_one() -> None:
    variables = Variables({"a": {"type": "string"}, "b": {"type": "string"}})
    told = []
    for given in ({"a": 1, "c": 1}, {"a": 1, "b": "x", "c" * 1_000: 1}, {"a": 1, "b": "x"}):
        with pytest.raises(VariableProblem) as caught:
            variables.complete(given)
        told.append((caught.value.name, len(str(caught.value)) < 300))
    assert told == [("b", True), ("c" * 100, True), ("a", True)]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": False},
        {"properties": {"x": {}}, "additionalProperties": False},
        {"unevaluatedProperties": False},
        {"propertyNames": {"maxLength": 3}},
        {"propertyNames": {"enum": ["a"]}},
        {"propertyNames": False},
        {"additionalProperties": {"type": "null"}},
        {"additionalProperties": {"properties": {"b": {"type": "null"}}, "additionalProperties": False}},
        {"patternProperties": {"^J": {"type": "null"}}},
        {"anyOf": [{"additionalProperties": False, "properties": {"x": {}}}, {"propertyNames": {"maxLength": 3}}]},
        {"not": {"type": "object"}},
        {"required": ["x"]},
        {"const": 1},
        {"enum": [1, 2]},
        {"maxProperties": 0},
        {"dependentRequired": {JANE: ["x"]}},
    ],
)
def test_a_departure_tells_nothing_of_what_a_person_wrote(schema: dict[str, Any]) -> None:
    departure = Schema(schema).departure({JANE: {"b": JANE}})
    assert departure is not None
    assert "Jane" not in "".join(departure)
    with pytest.raises(VariableProblem) as caught:
        Variables({"a": schema}).complete({"a": {JANE: {"b": JANE}}})
    assert "Jane" not in str(caught.value)


def test_the_pointer_names_what_the_schema_names_and_stays_short() -> None:
    inner = {"properties": {"a/b": {"items": {"type": "string"}}}}
    assert Schema(inner).departure({"a/b": ["x", 1]}) == ("/a~1b/1", 'it is not of type "string"')
    assert Schema({"additionalProperties": inner}).departure({JANE: {"a/b": [1]}}) == (
        "/*/a~1b/0",
        'it is not of type "string"',
    )
    named: dict[str, Any] = {"properties": {"long" * 20: {"$ref": "#"}}, "type": "object"}
    value: Any = 1
    for _ in range(50):
        value = {"long" * 20: value}
    departure = Schema(named).departure(value)
    assert departure is not None
    assert 80 < len(departure[0]) <= POINTER_MAX


@pytest.mark.parametrize("value", [{"k": "x"}, {"k": 1}, {"k": None}, {"k": "x", "z": 1}, {}, 7])
@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"k": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "unevaluatedProperties": False},
        {"anyOf": [{"properties": {"k": {"type": "string"}}}, {"required": ["z"]}], "unevaluatedProperties": False},
        {"oneOf": [{"required": ["k"]}, {"$ref": "#/oneOf/0"}]},
        {"$schema": "http://json-schema.org/draft-04/schema#", "anyOf": [{"type": "string"}]},
        {"properties": {"anyOf": {"type": "string"}}, "const": {"anyOf": [1]}},
    ],
)
def test_there_is_a_departure_exactly_where_a_value_does_not_fit(schema: dict[str, Any], value: Any) -> None:
    assert (Schema(schema).departure(value) is None) == Schema(schema).fits(value)
