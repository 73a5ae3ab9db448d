"""What differs between two texts: line by line, and word by word within a line that was changed."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LINES_MAX = 2_000
"""Of texts with more, all lines of the one stand before all of the other."""
WORDS_MAX = 2_000
"""Of lines with more, the whole line counts as changed."""

Sign = Literal[" ", "-", "+"]
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line."""

    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one text or of both."""

    sign: Sign
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(part.text for part in self.parts)


def compared(before: str, after: str) -> list[Line]:
    """List the lines of both texts, those of the earlier first where they differ."""
    old, new = before.split("\n"), after.split("\n")
    if max(len(old), len(new)) > LINES_MAX:
        return [*_whole("-", old), *_whole("+", new)]
    found: list[Line] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            found += [Line(" ", (Part(text, is_changed=False),)) for text in old[i1:i2]]
        elif tag == "replace" and i2 - i1 == j2 - j1:
            pairs = [_words(one, other) for one, other in zip(old[i1:i2], new[j1:j2], strict=True)]
            found += [line for line, _ in pairs] + [line for _, line in pairs]
        else:
            found += [*_whole("-", old[i1:i2]), *_whole("+", new[j1:j2])]
    return found


def _whole(sign: Sign, lines: list[str]) -> Iterator[Line]:
    return (Line(sign, (Part(text, is_changed=True),)) for text in lines)


def _words(before: str, after: str) -> tuple[Line, Line]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > WORDS_MAX:
        return next(_whole("-", [before])), next(_whole("+", [after]))
    left: list[Part] = []
    right: list[Part] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
        is_changed = tag != "equal"
        left += [Part("".join(old[i1:i2]), is_changed)] if i2 > i1 else []
        right += [Part("".join(new[j1:j2]), is_changed)] if j2 > j1 else []
    return Line("-", tuple(left)), Line("+", tuple(right))
