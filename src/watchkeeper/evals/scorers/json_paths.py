"""Values at a path (JSONPath, RFC 9535) in an answer that is JSON."""

from functools import lru_cache
from itertools import islice
from typing import Any, Literal, cast

import jsonpath
from jsonpath.exceptions import JSONPathError
from jsonpath.function_extensions import ExpressionType, FilterFunction
from msgspec import Struct

from watchkeeper.evals.scorers.json_reading import is_same, json_within, read_json
from watchkeeper.evals.scorers.marking import (
    Finding,
    Look,
    Undecided,
    as_text,
    check_value,
    needed,
    refused,
    settings,
    shown,
)
from watchkeeper.evals.scorers.patterns import compiled
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

PATH_LETTERS_MAX = 2_000
PATHS_KEPT = 256
DOCUMENT_LETTERS_MAX = 200_000
"""A path may visit every value of a document."""
FOUND_MAX = 1_000
"""Values at one path that are looked at."""


class Place(Struct, forbid_unknown_fields=True):
    """Options of `json_path`."""

    path: str = ""
    match: Literal["equals", "regex", "exists"] = "equals"
    within: bool = False
    """Whether the JSON may stand in other text."""


class _Matching(FilterFunction):
    """RFC 9535's `match` and `search`, in linear time."""

    def __init__(self, *, full: bool) -> None:
        self._full = full

    @property
    def arg_types(self) -> list[ExpressionType]:
        return [ExpressionType.VALUE, ExpressionType.VALUE]

    @property
    def return_type(self) -> ExpressionType:
        return ExpressionType.LOGICAL

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            return False
        try:
            ready = compiled(pattern)
        except Undecided:  # RFC 9535: what is no pattern matches nothing
            return False
        return (ready.fullmatch if self._full else ready.search)(text.encode("utf-8", "replace")) is not None


class _Paths(jsonpath.JSONPathEnvironment):
    """RFC 9535 and no more."""

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions["match"] = _Matching(full=True)
        self.function_extensions["search"] = _Matching(full=False)


@lru_cache(PATHS_KEPT)
def ready_path(path: str) -> jsonpath.JSONPath:
    """Make a path ready. Raises Undecided where it is none."""
    if len(path) > PATH_LETTERS_MAX:
        raise Undecided(f"the path is longer than {PATH_LETTERS_MAX:,} letters")
    try:
        # Of RFC 9535's paths, none is compound.
        return cast(jsonpath.JSONPath, _Paths(strict=True).compile(path))
    except (JSONPathError, RecursionError, ValueError) as why:
        first = str(why).partition("\n")[0]
        raise Undecided(f"{shown(path)} is no JSONPath of RFC 9535: {first}") from None


def values_at(path: str, document: Any) -> list[Any]:
    """Return what stands at a path, FOUND_MAX values at most. Raises Undecided where it cannot be looked up."""
    try:
        return [match.obj for match in islice(ready_path(path).finditer(document), FOUND_MAX)]
    except RecursionError:
        raise Undecided("the answer is nested too deeply for its path to be looked up") from None
    except (JSONPathError, TypeError, ValueError) as why:
        raise Undecided(f"{shown(path)} could not be looked up: {why}") from None


def document_of(text: str, *, within: bool = False) -> tuple[Any, str]:
    """Return an answer as JSON, and why it is none; with `within`, the first object or list that stands in it."""
    if len(text) > DOCUMENT_LETTERS_MAX:
        raise Undecided(f"the answer is longer than the {DOCUMENT_LETTERS_MAX:,} letters in which paths are looked up")
    found = read_json(text)
    if found.is_read or not within:
        return found.value, found.problem
    for value in json_within(text):
        return value, ""
    return None, "it holds no JSON"


def json_path(scorer: Scorer) -> Look:
    """A value at a path must equal the scorer's value, match it as a pattern, or be there."""
    options = settings(scorer, Place)
    check_path(scorer, options.path, is_needed=True)
    if options.match == "regex":
        check_value(scorer, lambda value: compiled(as_text(value)))

    def look(question: Question) -> Finding:
        document, problem = document_of(question.answer.text, within=options.within)
        if problem:
            return Finding(0.0, f"the answer cannot be read as JSON: {problem}")
        found = values_at(options.path, document)
        if not found:
            return Finding(0.0, f"there is nothing at {shown(options.path)}")
        seen = f"{shown(found[0])} at {shown(options.path)}"
        if options.match == "exists":
            return Finding(1.0, f"there is {seen}")
        if options.match == "equals":
            holds = any(is_same(one, needed(question.value)) for one in found)
        else:
            pattern = compiled(as_text(question.value))
            holds = any(pattern.search(_written(one).encode("utf-8", "replace")) is not None for one in found)
        return Finding(float(holds), f"expected {shown(question.value)}, got {seen}")

    return look


def check_path(scorer: Scorer, path: str, *, is_needed: bool) -> None:
    """Raises ScorerRefused where a path is none, or is missing."""
    if not path:
        if is_needed:
            raise refused(scorer, "needs the option `path`, such as `$.answer`.")
        return
    try:
        ready_path(path)
    except Undecided as why:
        raise refused(scorer, f"cannot take its path: {why}") from None


def _written(value: Any) -> str:
    """Write a plain value as text; an object, a list or null has none."""
    return "" if value is None or isinstance(value, dict | list) else as_text(value)
