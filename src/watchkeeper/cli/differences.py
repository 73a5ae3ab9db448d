"""Prints what differs between two recipes: place by place, texts line by line, and word by word on a terminal."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from watchkeeper.cli import show

AROUND = 2
"""Lines before and after a changed one that are shown."""
VALUE_MAX = 500
_STYLES = {"-": ("red", "bold reverse red"), "+": ("green", "bold reverse green"), " ": ("dim", "dim")}


def print_changes(changes: Iterable[dict[str, Any]]) -> None:
    """Print each change with its place."""
    for change in changes:
        show.heading(f"{change['place'] or 'everything'}: {change['kind']}")
        if change["lines"] is None:
            _print_values(change)
        else:
            _print_lines(change["lines"])


def places(changes: Iterable[dict[str, Any]]) -> str:
    """Name the places of changes on one line."""
    return ", ".join(change["place"] or "everything" for change in changes) or "nothing"


def _print_values(change: dict[str, Any]) -> None:
    for sign, side, absent in (("-", "before", "added"), ("+", "after", "removed")):
        if change["kind"] != absent:
            for line in _written(change[side]).split("\n"):
                _print(sign, [{"text": line, "is_changed": False}])


def _print_lines(lines: list[dict[str, Any]]) -> None:
    near = {
        place + step for place, line in enumerate(lines) if line["sign"] != " " for step in range(-AROUND, AROUND + 1)
    }
    is_left_out = False
    for place, line in enumerate(lines):
        if place in near:
            _print(line["sign"], line["parts"])
        elif not is_left_out:
            _print(" ", [{"text": "...", "is_changed": False}])
        is_left_out = place not in near


def _print(sign: str, parts: list[dict[str, Any]]) -> None:
    whole = all(part["is_changed"] for part in parts)
    if not sys.stdout.isatty():
        show.line(f"  {sign} {show.plain(''.join(part['text'] for part in parts))}".rstrip())
        return
    usual, strong = _STYLES[sign]
    text = Text(f"  {sign} ", style=usual)
    for part in parts:
        text.append(show.plain(part["text"]), style=strong if part["is_changed"] and not whole else usual)
    Console(highlight=False).print(text, soft_wrap=True)


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."
