"""How two answers differ, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

WORDS_MAX = 1_500
"""Of each text; comparing takes the square of it at worst."""

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of two texts: in both, only in the first, or only in the second."""

    place: Literal["both", "first", "second"]
    text: str


def differences(first: str, second: str) -> tuple[Passage, ...]:
    """Return both texts as passages in order, up to `WORDS_MAX` words of each.

    What is in both and in the first makes the first text again; what is in both and in the second makes the second.
    """
    before, after = (_WORD.findall(text)[:WORDS_MAX] for text in (first, second))
    found: list[Passage] = []
    for kind, start, end, begin, stop in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(Passage("both", "".join(before[start:end])))
            continue
        if start < end:
            found.append(Passage("first", "".join(before[start:end])))
        if begin < stop:
            found.append(Passage("second", "".join(after[begin:stop])))
    return tuple(found)
