"""How two answers differ, word by word."""

import re
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Indel

WORDS_MAX = 1_500
"""Of each text; the worst two of this length take 40 ms (difflib, of the standard library, took 13 s)."""

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of two texts: in both, only in the first, or only in the second."""

    place: Literal["both", "first", "second"]
    text: str


def differences(first: str, second: str) -> tuple[Passage, ...]:
    """Return both texts as passages in order, up to `WORDS_MAX` words of each; as much as can be is in both.

    What is in both and in the first makes the first text again; what is in both and in the second makes the second.
    """
    before, after = (_WORD.findall(text)[:WORDS_MAX] for text in (first, second))
    found: list[Passage] = []
    left, right = "", ""
    for step in Indel.opcodes(before, after):
        if step.tag != "equal":
            left += "".join(before[step.src_start : step.src_end])
            right += "".join(after[step.dest_start : step.dest_end])
            continue
        found += _exchanged(left, right)
        left, right = "", ""
        found.append(Passage("both", "".join(before[step.src_start : step.src_end])))
    return (*found, *_exchanged(left, right))


def _exchanged(left: str, right: str) -> list[Passage]:
    passages = (Passage("first", left), Passage("second", right))
    return [one for one in passages if one.text]
