"""What stands in an output file beside the results."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.evals.promptfoo.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Of one run."""

    run: str
    """`evalId`."""
    created: str
    """When it began: ISO 8601 in UTC with milliseconds, as `2026-01-31T12:00:00.000Z`."""
    exported: str
    """When the file is written, in the same form."""
    config: Mapping[str, Any]
    prompts: list[dict[str, Any]]
    """`Figures.prompts()`."""
    stats: Mapping[str, Any]
    """`Figures.stats()`."""
    variables: tuple[str, ...] = ()
    """Names of all variables, sorted."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    version: str = ""
    """Of the program that writes."""

    @property
    def columns(self) -> list[str]:
        """Return the heads of the table's columns."""
        return [f"[{prompt['provider']}] {prompt['label']}" for prompt in self.prompts]


def named_in(results: Iterable[Record]) -> tuple[str, ...]:
    """Return the names of all variables in results, those that transforms have added included."""
    names: set[str] = set()
    for record in results:
        names |= record["testCase"].get("vars", {}).keys()
    return tuple(sorted(names))
