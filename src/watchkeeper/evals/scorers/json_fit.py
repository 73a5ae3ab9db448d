"""Answers that must be JSON, and fit a schema."""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from watchkeeper.evals.scorers.json_reading import json_within, read_json
from watchkeeper.evals.scorers.marking import Finding, Look, Undecided, check_value, settings
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer
from watchkeeper.releases.schemas import Schema, SchemaProblem

SCHEMAS_KEPT = 256


class Whereabouts(Struct, forbid_unknown_fields=True):
    """Options of `json`."""

    within: bool = False
    """Whether the JSON may stand in other text; with a schema, one piece that fits is enough."""


def json(scorer: Scorer) -> Look:
    """The answer must be JSON that fits the scorer's own value, a schema, where it has one."""
    options = settings(scorer, Whereabouts)
    check_value(scorer, ready_schema)

    def look(question: Question) -> Finding:
        # A reference is a right answer and no schema.
        schema = None if scorer.value is None else ready_schema(question.value)
        text = question.answer.text
        found = read_json(text)
        if not found.is_read and not options.within:
            return Finding(0.0, f"the answer cannot be read as JSON: {found.problem}")
        candidates = [found.value] if found.is_read else json_within(text)
        departure, is_any = "", False
        for value in candidates:
            is_any = True
            departed = schema.departure(value) if schema is not None else None
            if departed is None:
                return Finding(1.0, "the answer is JSON" if schema is None else "the answer fits the schema")
            departure = departure or f"{departed[1]}{f' (at {departed[0]})' if departed[0] else ''}"
        if not is_any:
            return Finding(0.0, "the answer holds no JSON")
        return Finding(0.0, f"the answer is JSON and does not fit the schema: {departure}")

    return look


def ready_schema(value: Any) -> Schema:
    """Make a schema ready, once for all that are equal; a text is read as JSON. Raises Undecided."""
    if isinstance(value, str):
        read = read_json(value)
        if not read.is_read:
            raise Undecided(f"the schema cannot be read: {read.problem}")
        value = read.value
    return _schema(msgspec.json.encode(value))


@lru_cache(SCHEMAS_KEPT)
def _schema(written: bytes) -> Schema:
    try:
        return Schema(msgspec.json.decode(written))
    except SchemaProblem as why:
        raise Undecided(f"the schema cannot be used: {why}") from None
