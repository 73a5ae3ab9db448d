"""What a judge answers, by the shape that the schemas of `recipes` give it."""

from typing import Any, Literal

from msgspec import Struct


class Labelled(Struct, frozen=True):
    """One label, after the reasons for it."""

    reason: str
    label: str


class Graded(Struct, frozen=True):
    """A grade; which grades there are is the asker's to say."""

    reason: str
    score: int


class Preferred(Struct, frozen=True):
    """Which of two answers is better."""

    reason: str
    winner: Literal["first", "second", "tie"]


class Steps(Struct, frozen=True):
    """How to check an answer, step by step."""

    steps: list[str]


class Statements(Struct, frozen=True):
    """What an answer states."""

    statements: list[str]


class Numbered(Struct, frozen=True):
    """A verdict on one of several numbered things."""

    number: int
    label: str
    reason: str = ""


class Verdicts(Struct, frozen=True):
    """A verdict on each of several things."""

    verdicts: list[Numbered]


class Attributed(Struct, frozen=True):
    """A statement, and whether the documents hold it."""

    statement: str
    label: Literal["found", "missing"]
    reason: str = ""


class Attributions(Struct, frozen=True):
    """Every statement of a reference."""

    statements: list[Attributed]


class Questions(Struct, frozen=True):
    """Questions that an answer would answer."""

    questions: list[str]
    label: Literal["committed", "evasive"]


def numbered(texts: list[str]) -> list[dict[str, Any]]:
    """Number texts from 1, as judges are shown them."""
    return [{"number": number, "text": text} for number, text in enumerate(texts, 1)]
