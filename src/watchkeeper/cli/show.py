"""Writes answers: JSON for programs, tables for people, tab-separated lines for pipes."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

GAP = 2
SHRUNK = 12
_STYLES = {"error": "bold red", "cancelled": "yellow", "revoked": "dim", "expired": "dim", "disabled": "dim"}
"""Of a state, by its first word; the words say it as well."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    is_right: bool = False
    leaves: int = 0
    """When the terminal is too narrow, columns leave in this order, 1 first; 0 stays."""
    may_shrink: bool = False
    """Cut at its end before any column leaves, but not below `SHRUNK`."""
    is_state: bool = False


def document(found: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def line(text: str) -> None:
    """Print one line."""
    sys.stdout.write(text + "\n")


def heading(text: str) -> None:
    """Print the title of a part."""
    Console(highlight=False, soft_wrap=True).print(Text(text, style="bold"))


def note(text: str) -> None:
    """Tell the person something that is not the answer."""
    sys.stderr.write(f"note: {text}\n")


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: a table that fits on a terminal, tab-separated and whole elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            line("\t".join(plain(cell) for cell in row))
        return
    cells = [[plain(cell) for cell in row] for row in rows]
    titles = [column.title for column in columns]
    longest = [max(map(cell_len, texts)) for texts in zip(titles, *cells, strict=True)]
    console = Console(highlight=False)
    widths = fitting(columns, longest, console.width)
    console.print(_row(columns, titles, widths, is_title=True), soft_wrap=True)
    for texts in cells:
        console.print(_row(columns, texts, widths), soft_wrap=True)


def row(columns: Sequence[Column], cells: Sequence[str], longest: Sequence[int]) -> None:
    """Print one row of a table that has no end: as wide as is usual on a terminal, tab-separated elsewhere."""
    texts = [plain(cell) for cell in cells]
    if sys.stdout.isatty():
        console = Console(highlight=False)
        console.print(_row(columns, texts, fitting(columns, longest, console.width)), soft_wrap=True)
    else:
        line("\t".join(texts))
        sys.stdout.flush()


def fitting(columns: Sequence[Column], longest: Sequence[int], width: int) -> list[int | None]:
    """Return how wide each column becomes so that all fit; None for one that leaves.

    Args:
        columns: From left to right.
        longest: Of each column, the length of its longest text, its title included.
        width: Of the terminal.
    """
    least = [
        min(length, SHRUNK) if column.may_shrink else length for column, length in zip(columns, longest, strict=True)
    ]
    widths: list[int | None] = list(least)
    for _, place in sorted((column.leaves, place) for place, column in enumerate(columns) if column.leaves):
        if _total(widths) <= width:
            break
        widths[place] = None
    for place, (column, length) in enumerate(zip(columns, longest, strict=True)):
        found = widths[place]
        if column.may_shrink and found is not None:
            widths[place] = max(found, min(length, found + width - _total(widths)))
    return widths


def plain(text: str) -> str:
    """One line without control characters: what was recorded must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain_lines(text: str) -> str:
    """As `plain`, with the line breaks and tabs kept."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _total(widths: Iterable[int | None]) -> int:
    present = [width for width in widths if width is not None]
    return sum(present) + GAP * (len(present) - 1)


def _row(
    columns: Sequence[Column], texts: Sequence[str], widths: Sequence[int | None], *, is_title: bool = False
) -> Text:
    shown = Text()
    for column, text, width in zip(columns, texts, widths, strict=True):
        if width is None:
            continue
        state = _STYLES.get(text.partition(" ")[0], "") if column.is_state else ""
        cell = Text(text, style="bold" if is_title else state)
        cell.truncate(width, overflow="ellipsis")
        cell.align("right" if column.is_right else "left", width)
        if shown:
            shown.append(" " * GAP)
        shown.append_text(cell)
    shown.rstrip()
    return shown
