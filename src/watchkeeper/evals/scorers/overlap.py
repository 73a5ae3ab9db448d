"""Answers beside a reference text: how much would have to be edited, and how many words both share."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import snowballstemmer
from msgspec import Struct
from rapidfuzz.distance import Levenshtein

from watchkeeper.config.problems import did_you_mean
from watchkeeper.evals.scorers import ngrams
from watchkeeper.evals.scorers.marking import (
    Finding,
    Look,
    Undecided,
    as_text,
    as_texts,
    check_value,
    needed,
    refused,
    settings,
    shown,
)
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

EDITED_LETTERS_MAX = 20_000
"""Time grows with the product of both lengths."""
WORDS_MAX = 5_000
REFERENCES_MAX = 50
STEMS_KEPT = 20_000
STEMMED_LETTERS_MAX = 50
"""A longer word is its own stem."""

_Measure = Callable[[ngrams.Words, Sequence[ngrams.Words]], float]


class Edits(Struct, forbid_unknown_fields=True):
    """Options of `levenshtein`."""

    ignore_case: bool = False
    max_distance: int | None = None
    """So many edits are allowed; where it stands, it decides instead of the type's threshold."""


class Rouge(Struct, forbid_unknown_fields=True):
    """Options of `rouge`."""

    variant: Literal["1", "2", "L"] = "L"
    measure: Literal["f1", "precision", "recall"] = "f1"


class Stems(Struct, forbid_unknown_fields=True):
    """Options of `meteor`."""

    language: str = "english"
    """Whose stems are taken, as Snowball names it."""


class Plain(Struct, forbid_unknown_fields=True):
    """Options of `bleu` and `gleu`: there are none."""


def levenshtein(scorer: Scorer) -> Look:
    """1 less the letters that must be inserted, deleted or replaced, by the length of the longer text."""
    options = settings(scorer, Edits)
    check_value(scorer, _texts_or_empty)

    def look(question: Question) -> Finding:
        wanted, text = _texts_or_empty(question.value), question.answer.text
        if max(map(len, [*wanted, text])) > EDITED_LETTERS_MAX:
            raise Undecided(f"edits are not counted in texts of more than {EDITED_LETTERS_MAX:,} letters")
        if options.ignore_case:
            wanted, text = [one.casefold() for one in wanted], text.casefold()
        distances = [(Levenshtein.distance(one, text), one) for one in wanted]
        distance, nearest = min(distances, key=lambda found: found[0] / max(1, len(found[1]), len(text)))
        passes = None if options.max_distance is None else min(distances)[0] <= options.max_distance
        score = 1 - distance / max(1, len(nearest), len(text))
        said = f"{distance} edits lie between the answer and {shown(nearest)}"
        return Finding(score, said, {"edits": distance}, passes)

    return look


def rouge(scorer: Scorer) -> Look:
    """ROUGE-1, ROUGE-2 or ROUGE-L with the reference that it is nearest to."""
    options = settings(scorer, Rouge)

    def measure(answer: ngrams.Words, references: Sequence[ngrams.Words]) -> float:
        if options.variant == "L":
            found = [ngrams.rouge_l(answer, one) for one in references]
        else:
            found = [ngrams.rouge_n(answer, one, int(options.variant)) for one in references]
        return max(float(getattr(one, options.measure)) for one in found)

    return _look(scorer, f"ROUGE-{options.variant}", measure)


def bleu(scorer: Scorer) -> Look:
    """BLEU of one sentence, with all references together."""
    settings(scorer, Plain)
    return _look(scorer, "BLEU", ngrams.bleu)


def gleu(scorer: Scorer) -> Look:
    """GLEU with the reference that it is nearest to."""
    settings(scorer, Plain)
    return _look(scorer, "GLEU", lambda answer, references: max(ngrams.gleu(answer, one) for one in references))


def meteor(scorer: Scorer) -> Look:
    """METEOR of equal words and stems with the reference that it is nearest to."""
    language = settings(scorer, Stems).language
    known = sorted(snowballstemmer.algorithms())
    if language not in known:
        raise refused(scorer, f"knows no stems of `{language}`{did_you_mean(language, known)}")
    find = snowballstemmer.stemmer(language).stemWord

    @lru_cache(STEMS_KEPT)
    def stem(word: str) -> str:
        return str(find(word)) if len(word) <= STEMMED_LETTERS_MAX else word

    return _look(
        scorer, "METEOR", lambda answer, references: max(ngrams.meteor(answer, one, stem) for one in references)
    )


def _look(scorer: Scorer, name: str, measure: _Measure) -> Look:
    check_value(scorer, as_texts)

    def look(question: Question) -> Finding:
        wanted = as_texts(question.value)
        if len(wanted) > REFERENCES_MAX:
            raise Undecided(f"there are more than {REFERENCES_MAX} references")
        answer, references = ngrams.words_of(question.answer.text), [ngrams.words_of(one) for one in wanted]
        if not all(references):
            raise Undecided("a reference has no words")
        if max(map(len, [answer, *references])) > WORDS_MAX:
            raise Undecided(f"{name} is not computed for texts of more than {WORDS_MAX:,} words")
        score = measure(answer, references)
        return Finding(score, f"{name} of the answer and {shown(wanted[0])} is {score:.3f}")

    return look


def _texts_or_empty(value: object) -> list[str]:
    if isinstance(value, list | tuple) and not value:
        raise Undecided("the list of references is empty")
    return [as_text(one) for one in value] if isinstance(value, list | tuple) else [as_text(needed(value))]
