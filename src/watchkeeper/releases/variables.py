"""The variables of a prompt: what a caller must give, and what is wrong with what it gives."""

from collections.abc import Mapping
from typing import Any

from watchkeeper.releases.problems import VariableProblem
from watchkeeper.releases.schemas import Schema

DOCUMENTS = "documents"
"""The variable in which templates see what retrieval has found; no caller gives it."""
NAME_SHOWN_MAX = 100
"""Of the name of a variable that there is not."""

_PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool}
_SAYS_NOTHING = {"type", "default", "title", "description", "examples"}
"""Keywords that ask nothing of a value beside its type."""


class Variables:
    """What a prompt's variables must be, ready to be held against what a caller gives."""

    __slots__ = ("_checks", "_defaults", "_required", "_schemas")

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        """Make ready, each by itself: a `$ref` means its own schema. Raises SchemaProblem."""
        self._schemas = schemas
        self._defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
        self._required = frozenset(schemas) - frozenset(self._defaults)
        self._checks: dict[str, tuple[Any, Schema]] = {
            name: (_plain(schema), Schema(schema)) for name, schema in schemas.items()
        }

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a caller gives, with defaults where it gives nothing.

        Raises:
            VariableProblem: it does not fit; the first variable that does not is named.
        """
        if not (given.keys() >= self._required and self._checks.keys() >= given.keys()):
            raise self._problem(given)
        for name, value in given.items():
            plain, schema = self._checks[name]
            if type(value) is plain and (plain is not str or value.isascii()):
                continue  # a text beyond ASCII may hold half a surrogate pair, which the validator sees
            if not schema.fits(value):
                raise self._problem(given)
        return {**self._defaults, **given}

    def _problem(self, given: Mapping[str, Any]) -> VariableProblem:
        for name in self._schemas:
            if name in self._required and name not in given:
                return VariableProblem(name, f"The variable `{name}` is missing. {self._wanted()}")
        for name in given:
            if name not in self._schemas:
                shown = str(name)[:NAME_SHOWN_MAX]
                return VariableProblem(shown, f"There is no variable `{shown}`. {self._wanted()}")
        misfits = (
            self._misfit(name, *departure)
            for name, (_, schema) in self._checks.items()
            if name in given and (departure := schema.departure(given[name])) is not None
        )
        return next(misfits, VariableProblem("", f"The variables do not fit. {self._wanted()}"))

    def _misfit(self, name: str, pointer: str, how: str) -> VariableProblem:
        where = f"`{name}` (at {pointer[1:]})" if pointer else f"`{name}`"
        return VariableProblem(name, f"The variable {where} does not fit: {how}. {self._wanted()}")

    def _wanted(self) -> str:
        if not self._schemas:
            return "The prompt takes no variables."
        told = ", ".join(
            f"`{name}` ({schema.get('type', 'any')}{', optional' if name in self._defaults else ''})"
            for name, schema in self._schemas.items()
        )
        return f"The prompt takes {told}."


def _plain(schema: Mapping[str, Any]) -> type | None:
    """Return the type whose values all fit; None where a look at the type does not settle it."""
    kind = schema.get("type")
    return _PLAIN.get(kind) if isinstance(kind, str) and schema.keys() <= _SAYS_NOTHING else None
