"""JSON schemas: checked in linear time, never fetched from anywhere, and silent about what they are held against."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
from jsonschema_rs import RegexOptions, ValidationError, ValidationErrorKind

PATTERN_BYTES_MAX = 1_000_000
"""Of one compiled pattern."""
MESSAGE_MAX = 300
POINTER_MAX = 200

TOO_DEEP = "it is nested too deeply"
_EXTRA = "it has a property that the schema does not name"
_NO_ALTERNATIVE = "it does not fit the alternatives that the schema gives"
_UNSAID = "it does not fit the schema"

_NOT_TAKEN = (ValueError, TypeError, ArithmeticError, RuntimeError)
"""What the validator raises at what is no JSON, or is 255 deep (`ValueError: Recursion limit reached`)."""
_OF_NAMES = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
"""Keywords with schemas under names of the author's choice."""
_OF_DATA = ("const", "enum", "default", "examples")
"""Keywords with values, which are no schemas however much they look like one."""


class SchemaProblem(Exception):
    """A text is no JSON schema that can be used."""


class Schema:
    """A schema (2020-12 unless it says otherwise), ready to be held against values."""

    __slots__ = ("_names", "_teller", "_validator")

    def __init__(self, schema: Any) -> None:
        """Make ready. Raises SchemaProblem."""
        try:
            self._validator = _validator(schema)
            self._names = frozenset(_properties(schema))
            self._teller: jsonschema_rs.Validator | None = self._validator
            if (told := _without_contexts(schema)) != schema:
                self._teller = _teller(told)
        except RecursionError:
            raise SchemaProblem(TOO_DEEP) from None
        except (ValueError, TypeError, jsonschema_rs.ReferencingError) as problem:
            raise SchemaProblem(_short(problem)) from None

    def fits(self, value: Any) -> bool:
        """Tell whether a value fits; one that is nested too deeply, or is no JSON, does not."""
        try:
            return self._validator.is_valid(value)
        except _NOT_TAKEN:
            return False

    def departure(self, value: Any) -> tuple[str, str] | None:
        """Return where a value first departs from the schema, as a JSON pointer, and how; None when it fits.

        Neither holds anything of the value: a step of the pointer is an index, a property that the schema names, or
        `*`. The pointer ends early where it would be longer than POINTER_MAX.
        """
        try:
            if self._validator is not self._teller and self._validator.is_valid(value):
                return None
            if self._teller is None:
                return "", _UNSAID
            self._teller.validate(value)
        except ValidationError as error:
            return self._pointer(error), _told(error)
        except _NOT_TAKEN as problem:
            return "", TOO_DEEP if "Recursion limit" in str(problem) else "it is not JSON"
        return None if self._validator is self._teller else ("", _UNSAID)

    def _pointer(self, error: ValidationError) -> str:
        pointer = ""
        for step in error.instance_path:
            known = step if isinstance(step, int) or step in self._names else "*"
            longer = f"{pointer}/{str(known).replace('~', '~0').replace('/', '~1')}"
            if len(longer) > POINTER_MAX:
                break
            pointer = longer
        return pointer


def _validator(schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        schema,
        pattern_options=RegexOptions(size_limit=PATTERN_BYTES_MAX),
        retriever=_fetch_nothing,
        mask="it",  # what a value is may concern a person; where it stands and what is wrong do not
    )


def _teller(schema: Any) -> jsonschema_rs.Validator | None:
    try:
        return _validator(schema)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError):  # a `$ref` into `anyOf`, say
        return None


def _without_contexts(schema: Any) -> Any:
    """Say `anyOf` and `oneOf` by `if`, which keeps their meaning.

    The validator gives an error of theirs every error of every alternative: 480,000 wrong items are 6 s and 800 MB.
    """
    if not isinstance(schema, dict):
        return schema
    told = {
        key: {name: _without_contexts(one) for name, one in value.items()}
        if key in _OF_NAMES and isinstance(value, dict)
        else value
        if key in _OF_DATA
        else [_without_contexts(one) for one in value]
        if isinstance(value, list)
        else _without_contexts(value)
        for key, value in schema.items()
    }
    choices = [{"if": {key: told.pop(key)}, "else": False} for key in ("anyOf", "oneOf") if key in told]
    return told | {"allOf": [*told.get("allOf", ()), *choices]} if choices else told


def _properties(schema: Any) -> Iterator[str]:
    rest = [schema]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            rest.extend(one.values())
            if isinstance(named := one.get("properties"), dict):
                yield from named
        elif isinstance(one, list):
            rest.extend(one)


def _told(error: ValidationError) -> str:
    """What is wrong in words of the schema; the validator's own quote keys, and keys may be those of a person."""
    last = error.schema_path[-1] if error.schema_path else ""
    match error.kind:
        case ValidationErrorKind.AdditionalProperties() | ValidationErrorKind.UnevaluatedProperties():
            return _EXTRA
        case ValidationErrorKind.PropertyNames():
            return "it has a property whose name the schema does not allow"
        case ValidationErrorKind.AnyOf() | ValidationErrorKind.OneOfNotValid():
            return _NO_ALTERNATIVE
        case ValidationErrorKind.FalseSchema():
            match last:
                case "additionalProperties" | "unevaluatedProperties":
                    return _EXTRA
                case "else":
                    return _NO_ALTERNATIVE
                case _:
                    return "it is not allowed by the schema"
        case _:
            return _short(error)


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"a schema may not refer to {uri[:100]}: put what it needs into `$defs`")


def _short(problem: Exception) -> str:
    text = str(getattr(problem, "message", None) or problem)
    return text if len(text) <= MESSAGE_MAX else f"{text[:MESSAGE_MAX]}..."
