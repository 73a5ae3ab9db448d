"""Answers that mean the same as a reference, by vectors made on this machine."""

from functools import lru_cache

from msgspec import Struct

from watchkeeper.evals.scorers.marking import Finding, Look, as_texts, check_value, settings, shown
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer
from watchkeeper.releases.embedding import TEXT_LETTERS_MAX, Embedder, Vectors

VECTORS_KEPT = 4_096
"""Of references, 1 KB each."""


class Plain(Struct, forbid_unknown_fields=True):
    """Options of `similar`: there are none."""


def similar(scorer: Scorer) -> Look:
    """The cosine between the answer's vector and the nearest reference's; below 0 it is 0."""
    settings(scorer, Plain)
    check_value(scorer, as_texts)

    def look(question: Question) -> Finding:
        wanted = as_texts(question.value)
        answer = embedder().embed([question.answer.text])[0]
        found = [(float(answer @ _vector(one[:TEXT_LETTERS_MAX])), one) for one in wanted]
        cosine, nearest = max(found)
        return Finding(cosine, f"the cosine of the answer and {shown(nearest)} is {cosine:.3f}", {"cosine": cosine})

    return look


@lru_cache(VECTORS_KEPT)
def _vector(text: str) -> Vectors:
    vector: Vectors = embedder().embed([text])[0]
    return vector


@lru_cache(1)
def embedder() -> Embedder:
    """Return what makes vectors, one for the whole process."""
    return Embedder()
