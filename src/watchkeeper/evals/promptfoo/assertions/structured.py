"""Assertions on JSON: the whole output, or what is in it, valid by a schema."""

import re
from functools import lru_cache
from typing import Any

import jsonschema_rs

from watchkeeper.evals.promptfoo.assertions.strict_schemas import SchemaRefused, check, with_nullable
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Subject, Undecided, require, verdict
from watchkeeper.evals.promptfoo.documents import read_yaml, write_json
from watchkeeper.evals.promptfoo.javascript import UNDEFINED
from watchkeeper.evals.promptfoo.values import parse_json, truth

OBJECT_LETTERS_MAX = 100_000
"""Of one object in a text; a longer one is read as if it ended there."""
WORK_LETTERS_MAX = 2_000_000
"""That are read of one output, whatever is in it: nested rubbish is read again and again."""
DEPTH_MAX = 100
"""Of brackets in what is no JSON but may be YAML, whose parser dies of deep nesting; more is taken for rubbish."""
SCHEMAS_KEPT = 200
_ANYTHING: tuple[Any, ...] = (None, True, 0, "", [], {})

_BRACKETS = re.compile(r"[{}\[\]]")
_COMMENT = re.compile(r"//+")
_PATTERN_BYTES_MAX = 1_000_000


class Validator:
    """A JSON schema as Ajv takes it: draft 7, strict about keywords it does not know."""

    def __init__(self, schema: Any) -> None:
        """Make ready. Raises SchemaRefused."""
        check(schema)
        try:
            self._validator = jsonschema_rs.Draft7Validator(
                with_nullable(schema),
                validate_formats=True,
                pattern_options=jsonschema_rs.FancyRegexOptions(
                    backtrack_limit=_PATTERN_BYTES_MAX, size_limit=_PATTERN_BYTES_MAX
                ),
            )
        except (ValueError, TypeError, RecursionError, jsonschema_rs.ReferencingError) as problem:
            raise SchemaRefused(str(problem).partition("\n")[0]) from None

    def departure(self, value: Any) -> str:
        """Return where and how a value departs from the schema; empty when it fits."""
        try:
            for error in self._validator.iter_errors(value):
                place = "/".join(map(str, error.instance_path))
                return f"at `/{place}`: {error.message}"
        except (ValueError, TypeError, ArithmeticError, RuntimeError) as problem:
            return str(problem)
        return ""


def is_json(subject: Subject) -> Finding:
    """The whole output is JSON, and fits the schema where there is one."""
    reason = "the output is not JSON"
    try:
        parsed = parse_json(subject.text)
    except ValueError:
        if subject.is_old and subject.negated and _has_schema(subject):
            return _of_nothing(subject)
        return verdict(False, subject, reason)
    if (subject.is_old and subject.negated) or not _has_schema(subject):
        return verdict(True, subject, reason, "the output is JSON")
    departure = _validator(subject).departure(parsed)
    if departure and subject.is_old:
        return Finding(passed=False, score=0.0, reason=f"the JSON does not fit its schema {departure}")
    return verdict(not departure, subject, f"the JSON does not fit its schema {departure}", "the JSON fits its schema")


def _has_schema(subject: Subject) -> bool:
    return subject.value is not UNDEFINED and truth(subject.value)


def _of_nothing(subject: Subject) -> Finding:
    """Promptfoo 0.118 holds the schema of a `not-is-json` against what is no JSON, which fits no type."""
    validator = _validator(subject)
    fits = not any(validator.departure(value) for value in _ANYTHING)
    return Finding(passed=fits, score=float(fits), reason="passed" if fits else "its schema asks for something")


def contains_json(subject: Subject) -> Finding:
    """There is an object in the text, and one fits the schema where there is one."""
    objects = objects_in(subject.text)
    passed = (not objects) if subject.negated else bool(objects)
    reason = "there must be no JSON in it" if subject.negated else "there is no JSON in it"
    if _has_schema(subject):
        for found in objects:
            departure = _validator(subject).departure(found)
            passed = not departure if subject.is_old or not subject.negated else bool(departure)
            reason = f"the JSON does not fit its schema {departure}" if departure else "the JSON fits its schema"
            if not departure:
                break
    return Finding(passed=passed, score=float(passed), reason="passed" if passed else reason)


def _validator(subject: Subject) -> Validator:
    schema = subject.value
    if isinstance(schema, str):
        if schema.startswith("file://"):
            schema = None if subject.script is UNDEFINED else subject.script
            require(schema, f"`{subject.base}`: the file exports no schema")
        else:
            document = read_yaml(schema)
            require(not document.faults, f"`{subject.base}`: its value is neither YAML nor JSON")
            schema = document.data
    elif not isinstance(schema, dict | list):
        raise Undecided(f"`{subject.base}` takes a JSON schema as its value")
    try:
        return _made(write_json(schema))
    except SchemaRefused as refused:
        raise Undecided(f"`{subject.base}`: its schema cannot be used: {refused}") from None


@lru_cache(SCHEMAS_KEPT)
def _made(schema: str) -> Validator:
    return Validator(parse_json(schema))


def objects_in(value: str) -> list[Any]:
    """Return the objects that stand in a text, in order, read as generously as YAML reads.

    What is open at the end is closed. Comments from `//` to the end of a line are left out.
    """
    found: list[Any] = []
    ends = _ends(value)
    at, work = value.find("{"), 0
    while at >= 0 and work < WORK_LETTERS_MAX:
        end, missing = ends.get(at, (len(value), 1))
        if end - at > OBJECT_LETTERS_MAX:
            end = at + OBJECT_LETTERS_MAX
            missing = max(value.count("{", at, end) - value.count("}", at, end), 0)
        work += end - at
        parsed = _generous(value[at:end] + "}" * missing)
        if isinstance(parsed, dict | list):
            found.append(parsed)
            at = value.find("{", end)
        else:
            at = value.find("{", at + 1)
    return found


def _ends(value: str) -> dict[int, tuple[int, int]]:
    """Where each brace's object ends, and how many braces it lacks there; braces in quotes count like others."""
    ends: dict[int, tuple[int, int]] = {}
    opened: list[int] = []
    for brace in re.finditer(r"[{}]", value):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            ends[opened.pop()] = (brace.end(), 0)
    for depth, at in enumerate(reversed(opened), 1):
        ends[at] = (len(value), depth)
    return ends


def _generous(value: str) -> Any:
    try:
        return parse_json(value)
    except ValueError:
        if _depth(value) > DEPTH_MAX:
            return None
        document = read_yaml("\n".join(map(_without_comment, value.split("\n"))))
        unreadable = any(not place for _, place, _ in document.faults)  # a key that occurs twice has a place
        return None if unreadable else document.data


def _depth(value: str) -> int:
    """How deep brackets are nested, wherever they stand; counted no further than what is too deep."""
    deepest = depth = 0
    for bracket in _BRACKETS.finditer(value):
        depth += 1 if bracket[0] in "{[" else -1
        deepest = max(deepest, depth)
        if deepest > DEPTH_MAX:
            break
    return deepest


def _without_comment(line: str) -> str:
    """Turn `//` outside of quotes into YAML's own mark of a comment; an apostrophe within a word is no quote."""
    quote = ""
    for at, letter in enumerate(line):
        before, after = line[at - 1 : at], line[at + 1 : at + 2]
        if quote:
            closes = letter == quote and before != "\\" and not (quote == "'" and after.isascii() and after.isalpha())
            quote = "" if closes else quote
        elif letter == '"' or (letter == "'" and not (before.isascii() and before.isalpha())):
            quote = letter
        elif (slashes := _COMMENT.match(line, at)) is not None:
            return line[:at] + "#" * ((slashes.end() - at) // 2) + line[slashes.end() :]
    return line
