"""What is wrong with a configuration file, said with its place and, where there is one, what was probably meant."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.core.errors import OperatorError

Place = tuple[str | int, ...]
"""Keys and list positions from the top of the file down to a value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, written as `watchkeeper.yaml:14: routes.support.target: unknown key; did you mean `targets`?`."""

    file: Path
    line: int | None
    """Counted from 1; None when it concerns the file as a whole."""
    place: Place
    message: str

    def __str__(self) -> str:
        where = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (where, dotted(self.place), self.message) if part)


class ConfigError(OperatorError):
    """The configuration cannot be used; `problems` names every mistake that was found, in the order of the file."""

    code = "config"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(place: Place) -> str:
    """Write a place as a person would: `routes.support.targets[0]`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def meant(word: str, known: Sequence[str]) -> str:
    """As `did_you_mean`, with the end of the sentence: a question has its own."""
    said = did_you_mean(word, known)
    return said if said.endswith("?") else f"{said}."


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean `X`?` for the nearest known word, or what is known when none is near and they are few."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean `{near[0]}`?"
    return f"; known: {', '.join(f'`{name}`' for name in sorted(known))}" if 0 < len(known) <= 12 else ""
