"""A change of a recipe as plain data: what the API answers, and what the command line prints."""

from typing import Any

from watchkeeper.config.problems import dotted
from watchkeeper.releases import texts
from watchkeeper.releases.comparing import MISSING, Change

COMPARED_MAX = 200_000
"""Characters of a text that is compared line by line."""

Described = dict[str, Any]


def described(change: Change) -> Described:
    """Describe a change: `place`, `kind`, `before`, `after`, and of two texts `lines` with their `sign` and `parts`.

    A value that is not there is None, which the kind tells from one that is.
    """
    before, after = (None if value is MISSING else value for value in (change.before, change.after))
    lines: list[Described] | None = None
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) <= COMPARED_MAX:
        lines = [_line(line) for line in texts.compared(before, after)]
    return {"place": dotted(change.place), "kind": change.kind, "before": before, "after": after, "lines": lines}


def _line(line: texts.Line) -> Described:
    return {
        "sign": line.sign,
        "parts": [{"text": part.text, "is_changed": part.is_changed} for part in line.parts],
    }
