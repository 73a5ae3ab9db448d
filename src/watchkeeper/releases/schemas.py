"""JSON schemas: checked in linear time, and never fetched from anywhere."""

from typing import Any

import jsonschema_rs
from jsonschema_rs import RegexOptions, ValidationError, ValidationErrorKind

PATTERN_BYTES_MAX = 1_000_000
"""Of one compiled pattern."""
MESSAGE_MAX = 300


class SchemaProblem(Exception):
    """A text is no JSON schema that can be used."""


class Schema:
    """A schema (2020-12 unless it says otherwise), ready to be held against values."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Any) -> None:
        """Make ready. Raises SchemaProblem."""
        try:
            self._validator = jsonschema_rs.validator_for(
                schema,
                pattern_options=RegexOptions(size_limit=PATTERN_BYTES_MAX),
                retriever=_fetch_nothing,
                mask="it",  # what a value is may concern a person; where it stands and what is wrong do not
            )
        except (ValueError, TypeError, jsonschema_rs.ReferencingError) as problem:
            raise SchemaProblem(_short(problem)) from None

    def fits(self, value: Any) -> bool:
        """Tell whether a value fits."""
        return self._validator.is_valid(value)

    def departure(self, value: Any) -> tuple[str, str] | None:
        """Return where a value first departs from the schema, as a JSON pointer, and how; None when it fits."""
        for error in self._validator.iter_errors(value):
            return pointer_of(error), _short(error)
        return None

    def departures(self, value: Any) -> list[tuple[list[str | int], str, str]]:
        """Return each departure: its place, how it departs, and the name that is missing or too much (else empty)."""
        return [
            (list(error.instance_path), _short(error), _name_in(error)) for error in self._validator.iter_errors(value)
        ]


def pointer_of(error: ValidationError) -> str:
    """Write an error's place as a JSON pointer (RFC 6901); empty for the whole value."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in error.instance_path)


def _name_in(error: ValidationError) -> str:
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            return str(name)
        case ValidationErrorKind.AdditionalProperties(unexpected=names):
            return str(names[0])
        case _:
            return ""


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"a schema may not refer to {uri[:100]}: put what it needs into `$defs`")


def _short(problem: Exception) -> str:
    text = str(getattr(problem, "message", None) or problem)
    return text if len(text) <= MESSAGE_MAX else f"{text[:MESSAGE_MAX]}..."
