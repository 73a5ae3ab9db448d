"""The language in which an answer is written."""

from collections.abc import Callable
from functools import lru_cache

import py3langid
from msgspec import Struct

from watchkeeper.evals.scorers.marking import Finding, Look, Undecided, as_texts, check_value, refused, settings, shown
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

LETTERS_MAX = 5_000
"""Of the answer that are looked at: more say no more."""


class Doubt(Struct, forbid_unknown_fields=True):
    """Options of `language`."""

    min_letters: int = 12
    """Of a shorter answer, nobody knows."""


def language(scorer: Scorer) -> Look:
    """The answer must be in a language, or in one of several, by ISO 639-1: `de`."""
    if scorer.value is None:
        raise refused(scorer, "needs a value: a language by its two letters, such as `de`, or a list of them.")
    options = settings(scorer, Doubt)
    check_value(scorer, as_texts)

    def look(question: Question) -> Finding:
        wanted, text = as_texts(question.value), question.answer.text[:LETTERS_MAX]
        if sum(map(str.isalpha, text)) < max(1, options.min_letters):
            raise Undecided(f"the answer has too few letters to tell its language: {shown(text)}")
        found = _classify()(text)[0]
        holds = found in {one.casefold() for one in wanted}
        said = f"expected {' or '.join(map(shown, wanted))}, got {shown(found)}"
        return Finding(float(holds), said, {"language": found})

    return look


@lru_cache(1)
def _classify() -> Callable[[str], tuple[str, float]]:
    found: Callable[[str], tuple[str, float]] = py3langid.classify
    return found
