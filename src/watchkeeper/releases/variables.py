"""The variables of a prompt: what a caller must give, and what is wrong with what it gives."""

from collections.abc import Mapping
from typing import Any

from watchkeeper.releases.problems import VariableProblem
from watchkeeper.releases.schemas import Schema

DOCUMENTS = "documents"
"""The variable in which templates see what retrieval has found; no caller gives it."""


class Variables:
    """What a prompt's variables must be, ready to be held against what a caller gives."""

    __slots__ = ("_defaults", "_schema", "_schemas")

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        """Make ready. Raises SchemaProblem."""
        self._schemas = schemas
        self._defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
        self._schema = Schema(
            {
                "type": "object",
                "properties": dict(schemas),
                "required": [name for name in schemas if name not in self._defaults],
                "additionalProperties": False,
            }
        )

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a caller gives, with defaults where it gives nothing.

        Raises:
            VariableProblem: it does not fit; the first variable that does not is named.
        """
        if not self._schema.fits(given):
            raise self._problem(given)
        return {**self._defaults, **given}

    def _problem(self, given: Mapping[str, Any]) -> VariableProblem:
        place, message, name = self._schema.departures(given)[0]
        if not place and name in self._schemas:
            return VariableProblem(name, f"The variable `{name}` is missing. {self._wanted()}")
        if not place:
            return VariableProblem(name, f"There is no variable `{name[:100]}`. {self._wanted()}")
        top, *rest = place
        where = f"`{top}`" + (f" (at {'/'.join(map(str, rest))})" if rest else "")
        return VariableProblem(str(top), f"The variable {where} does not fit: {message}. {self._wanted()}")

    def _wanted(self) -> str:
        if not self._schemas:
            return "The prompt takes no variables."
        told = ", ".join(
            f"`{name}` ({schema.get('type', 'any')}{', optional' if name in self._defaults else ''})"
            for name, schema in self._schemas.items()
        )
        return f"The prompt takes {told}."
