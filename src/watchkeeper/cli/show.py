"""Writes answers: JSON for programs, tables for people, tab-separated lines for pipes."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def document(found: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def line(text: str) -> None:
    """Print one line."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Tell the person something that is not the answer."""
    sys.stderr.write(f"note: {text}\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """Print rows: a table on a terminal, tab-separated and whole elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            line("\t".join(plain(cell) for cell in row))
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        grid.add_column(column, justify="right" if column in right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    Console(highlight=False).print(grid)


def plain(text: str) -> str:
    """One line without control characters: what was recorded must not steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def plain_lines(text: str) -> str:
    """As `plain`, with the line breaks and tabs kept."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
