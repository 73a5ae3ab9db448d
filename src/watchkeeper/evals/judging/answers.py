"""What a judge answers, by the shape that the schemas of `recipes` give it.

A release keeps the keys of its schemas in alphabetical order, and providers have models write them in that order: what
comes before a verdict must have a name that comes before it, hence `analysis`.
"""

from typing import Any, Literal

from msgspec import Struct


class Labelled(Struct, frozen=True):
    """One label, after the reasons for it."""

    analysis: str
    label: str


class Graded(Struct, frozen=True):
    """A grade; which grades there are is the asker's to say."""

    analysis: str
    score: int


class Preferred(Struct, frozen=True):
    """Which of two answers is better."""

    analysis: str
    winner: Literal["first", "second", "tie"]


class Steps(Struct, frozen=True):
    """How to check an answer, step by step."""

    steps: list[str]


class Statements(Struct, frozen=True):
    """What an answer states."""

    statements: list[str]


class Numbered(Struct, frozen=True):
    """A verdict on one of several numbered things."""

    label: str
    number: int
    analysis: str = ""


class Verdicts(Struct, frozen=True):
    """A verdict on each of several things."""

    verdicts: list[Numbered]


class Questions(Struct, frozen=True):
    """Questions that an answer would answer."""

    questions: list[str]
    label: Literal["committed", "evasive"]


def numbered(texts: list[str]) -> list[dict[str, Any]]:
    """Number texts from 1, as judges are shown them."""
    return [{"number": number, "text": text} for number, text in enumerate(texts, 1)]
