"""What differs between two recipes, as it is shown: place by place, texts line by line and word by word."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from watchkeeper.config.problems import dotted
from watchkeeper.releases.authoring import authored
from watchkeeper.releases.comparing import MISSING, Change, changes
from watchkeeper.releases.recipe import Recipe
from watchkeeper.releases.texts import Line, Part, compared

CONTEXT = 2
"""Unchanged lines that are shown on either side of a changed one."""
ROWS_MAX = 80
"""Of one place; what is left is counted."""
PLACES_MAX = 40
SHOWN_MAX = 160
"""Rows of all places together."""
SAME_MAX = 240
"""Characters between two changes of a line; of more, the middle is left out."""
PART_MAX = 4_000
"""Of one changed piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRow:
    """A line before and after, side by side."""

    before: tuple[Part, ...] | None
    """None where the line was added."""
    after: tuple[Part, ...] | None
    """None where the line was removed."""
    is_same: bool = False
    skipped: int = 0
    """Lines that are the same and are not shown here; the row has no text of its own then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDiff:
    """One place at which two recipes differ."""

    place: str
    """As people say it: `message 2, user`."""
    kind: str
    """`added`, `removed` or `changed`."""
    rows: tuple[DiffRow, ...]
    left_out: int
    """Rows that do not fit on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeDiff:
    """What differs between two recipes."""

    before: str
    """What the earlier one is, in words; empty where there is none to compare with."""
    before_href: str
    after: str
    places: tuple[PlaceDiff, ...]
    left_out: int


def recipe_diff(
    before: Recipe, after: Recipe, *, named: str, href: str = "", after_named: str = "this one"
) -> RecipeDiff:
    """Compare two recipes.

    Args:
        before: The earlier.
        after: The later.
        named: What the earlier one is: `the parent wk1-abcdefgh`.
        href: Where it is shown; empty for nowhere.
        after_named: What the later one is.
    """
    old, new = authored(before), authored(after)
    found = changes(old, new)
    return RecipeDiff(
        before=named,
        before_href=href,
        after=after_named,
        places=_within(_place(one, new, old) for one in found[:PLACES_MAX]),
        left_out=max(0, len(found) - PLACES_MAX),
    )


def _within(places: Iterable[PlaceDiff]) -> tuple[PlaceDiff, ...]:
    """Leave out rows of the later places where there are too many in all."""
    left, found = SHOWN_MAX, []
    for one in places:
        rows = one.rows[:left]
        found.append(replace(one, rows=rows, left_out=one.left_out + len(one.rows) - len(rows)))
        left -= len(rows)
    return tuple(found)


def text_diff(before: str, after: str, *, place: str = "") -> PlaceDiff:
    """Compare two texts, as the answers of two calls."""
    rows = list(_folded(list(_side_by_side(compared(before, after)))))
    return PlaceDiff(
        place=place,
        kind="changed" if before != after else "same",
        rows=tuple(rows[:ROWS_MAX]),
        left_out=max(0, len(rows) - ROWS_MAX),
    )


def place_words(place: Sequence[str | int], recipe: dict[str, Any]) -> str:
    """Say a place of a recipe as people do: `message 2, user`, `variable company, default`."""
    match list(place):
        case ["messages", int(number), *rest]:
            messages = recipe.get("messages", [])
            role = messages[number].get("role", "") if number < len(messages) else ""
            return ", ".join(filter(None, (f"message {number + 1}", role, _rest(rest, leave="content"))))
        case ["variables", str(name), *rest]:
            return ", ".join(filter(None, (f"variable {name}", _rest(rest))))
        case ["parameters", str(name), *rest]:
            return ", ".join(filter(None, (f"parameter {name}", _rest(rest))))
        case ["tools", int(number), *rest]:
            return ", ".join(filter(None, (f"tool {number + 1}", _rest(rest))))
        case _:
            return dotted(tuple(place))


def _rest(place: Sequence[str | int], *, leave: str = "") -> str:
    return "" if list(place) == [leave] else dotted(tuple(place))


def _place(change: Change, new: dict[str, Any], old: dict[str, Any]) -> PlaceDiff:
    words = place_words(change.place, new if change.after is not MISSING else old)
    if change.kind == "changed":
        found = text_diff(_text(change.before), _text(change.after), place=words)
        return PlaceDiff(place=words, kind="changed", rows=found.rows, left_out=found.left_out)
    is_added = change.kind == "added"
    lines = _text(change.after if is_added else change.before).split("\n")
    whole = [(_shortened(Part(line, is_changed=False)),) for line in lines[:ROWS_MAX]]
    rows = tuple(DiffRow(before=None, after=one) if is_added else DiffRow(before=one, after=None) for one in whole)
    return PlaceDiff(place=words, kind=change.kind, rows=rows, left_out=max(0, len(lines) - ROWS_MAX))


def _text(value: Any) -> str:
    if isinstance(value, dict) and set(value) <= {"role", "content"}:
        return f"{value.get('role', '')}: {value.get('content', '')}"
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _side_by_side(lines: Sequence[Line]) -> Iterator[DiffRow]:
    """Pair what was removed with what was added in its place."""
    removed: list[Line] = []
    added: list[Line] = []
    for line in [*lines, Line(" ", ())]:
        if line.sign == "-" and not added:
            removed.append(line)
        elif line.sign == "+":
            added.append(line)
        else:
            for was, now in zip_longest(removed, added):
                yield DiffRow(before=_elided(was), after=_elided(now))
            removed, added = ([line], []) if line.sign == "-" else ([], [])
            if line.sign == " " and line.parts:
                yield DiffRow(before=_elided(line), after=_elided(line), is_same=True)


def _elided(line: Line | None) -> tuple[Part, ...] | None:
    """The pieces of a line, those that are long without their middle."""
    return None if line is None else tuple(map(_shortened, line.parts))


def _shortened(part: Part) -> Part:
    most = PART_MAX if part.is_changed else SAME_MAX
    if len(part.text) <= most:
        return part
    return Part(f"{part.text[: most // 2]} … {part.text[-most // 2 :]}", part.is_changed)


def _folded(rows: list[DiffRow]) -> Iterator[DiffRow]:
    """Leave out unchanged rows that are far from a changed one, and say how many."""
    changed = [place for place, row in enumerate(rows) if not row.is_same]
    near = {place + offset for place in changed for offset in range(-CONTEXT, CONTEXT + 1)}
    skipped = 0
    for place, row in enumerate(rows):
        if place in near or not changed:
            if skipped:
                yield DiffRow(before=None, after=None, is_same=True, skipped=skipped)
                skipped = 0
            yield row
        else:
            skipped += 1
    if skipped:
        yield DiffRow(before=None, after=None, is_same=True, skipped=skipped)
