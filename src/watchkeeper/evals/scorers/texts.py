"""Scorers of text: what it is, holds, begins and ends with, and which patterns it matches."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from watchkeeper.evals.scorers.json_reading import is_same, read_json
from watchkeeper.evals.scorers.marking import (
    Finding,
    Look,
    Undecided,
    as_text,
    as_texts,
    check_value,
    needed,
    settings,
    shown,
)
from watchkeeper.evals.scorers.patterns import compiled
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer


class Equality(Struct, forbid_unknown_fields=True):
    """Options of `equals`."""

    ignore_case: bool = False
    trim: bool = False
    """Whether blanks around either text count for nothing."""
    any: bool = False
    """Whether the value is a list of right answers, of which one is enough."""


class Folding(Struct, forbid_unknown_fields=True):
    """Options of what looks for texts."""

    ignore_case: bool = False


class Matching(Struct, forbid_unknown_fields=True):
    """Options of `regex`."""

    ignore_case: bool = False
    full: bool = False
    """Whether the whole answer must match; otherwise a part is enough."""


def equals(scorer: Scorer) -> Look:
    """A text is compared as text; anything else with the answer read as JSON."""
    options = settings(scorer, Equality)

    def folded(text: str) -> str:
        text = text.strip() if options.trim else text
        return text.casefold() if options.ignore_case else text

    def is_equal(text: str, value: Any) -> bool:
        if isinstance(value, str):
            return folded(text) == folded(value)
        found = read_json(text)
        return found.is_read and is_same(found.value, value)

    def look(question: Question) -> Finding:
        value, text = needed(question.value), question.answer.text
        if options.any and not isinstance(value, list | tuple):
            raise Undecided(f"with the option `any`, the value must be a list of right answers, not {shown(value)}")
        holds = any(is_equal(text, one) for one in value) if options.any else is_equal(text, value)
        return Finding(float(holds), f"expected {shown(value)}, got {shown(text)}")

    return look


def contains(scorer: Scorer) -> Look:
    """One text must be in the answer."""
    check_value(scorer, _one_text)
    fold = _folding(scorer)

    def look(question: Question) -> Finding:
        wanted = _one_text(question.value)
        holds = fold(wanted) in fold(question.answer.text)
        return Finding(float(holds), f"the answer {'holds' if holds else 'does not hold'} {shown(wanted)}")

    return look


def contains_any(scorer: Scorer) -> Look:
    """One of several texts must be in the answer."""
    check_value(scorer, as_texts)
    fold = _folding(scorer)

    def look(question: Question) -> Finding:
        wanted, text = as_texts(question.value), fold(question.answer.text)
        found = next((one for one in wanted if fold(one) in text), None)
        if found is None:
            return Finding(0.0, f"the answer holds none of {_listed(wanted)}")
        return Finding(1.0, f"the answer holds {shown(found)}")

    return look


def contains_all(scorer: Scorer) -> Look:
    """Several texts must be in the answer; the score is the share that is."""
    check_value(scorer, as_texts)
    fold = _folding(scorer)

    def look(question: Question) -> Finding:
        wanted, text = as_texts(question.value), fold(question.answer.text)
        missing = [one for one in wanted if fold(one) not in text]
        share = 1 - len(missing) / len(wanted)
        if not missing:
            return Finding(1.0, f"the answer holds {_listed(wanted)}")
        return Finding(share, f"the answer holds {len(wanted) - len(missing)} of {len(wanted)}, not {_listed(missing)}")

    return look


def starts_with(scorer: Scorer) -> Look:
    """The answer must begin with a text, or with one of several."""
    return _at_an_end(scorer, str.startswith, "begins")


def ends_with(scorer: Scorer) -> Look:
    """The answer must end with a text, or with one of several."""
    return _at_an_end(scorer, str.endswith, "ends")


def regex(scorer: Scorer) -> Look:
    """The answer, or a part of it, must match a pattern of RE2."""
    options = settings(scorer, Matching)

    def ready(value: Any) -> Any:
        return compiled(_one_text(value), ignore_case=options.ignore_case)

    check_value(scorer, ready)

    def look(question: Question) -> Finding:
        pattern, text = ready(question.value), question.answer.text.encode()
        holds = (pattern.fullmatch(text) if options.full else pattern.search(text)) is not None
        return Finding(float(holds), f"the answer {'matches' if holds else 'does not match'} {shown(question.value)}")

    return look


def _at_an_end(scorer: Scorer, has: Callable[[str, str], bool], verb: str) -> Look:
    check_value(scorer, as_texts)
    fold = _folding(scorer)

    def look(question: Question) -> Finding:
        wanted, text = as_texts(question.value), fold(question.answer.text)
        holds = any(has(text, fold(one)) for one in wanted)
        does = verb if holds else f"does not {verb.removesuffix('s')}"
        return Finding(float(holds), f"the answer {does} with {' or '.join(map(shown, wanted))}")

    return look


def _folding(scorer: Scorer) -> Callable[[str], str]:
    return str.casefold if settings(scorer, Folding).ignore_case else str


def _one_text(value: Any) -> str:
    text = as_text(value)
    if not text:
        raise Undecided("the text to hold the answer against is empty")
    return text


def _listed(texts: list[str]) -> str:
    named = ", ".join(shown(one) for one in texts[:5])
    return named if len(texts) <= 5 else f"{named} and {len(texts) - 5} more"
