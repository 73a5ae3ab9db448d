"""Tells the language of a request, for rules that ask for it."""

from collections.abc import Callable
from functools import cache

from watchkeeper.gateway.estimate import last_words

LETTERS_MAX = 2_000
"""Of the text that is looked at: more says no more."""


def language_of(request_body: bytes) -> str:
    """Return the ISO 639-1 code of the last user turn; empty where there are no words."""
    words = last_words(request_body)[:LETTERS_MAX]
    if not words.strip():
        return ""
    return classifier()(words)[0]


@cache
def classifier() -> Callable[[str], tuple[str, float]]:
    """Load the model, which takes a moment: only where a rule asks for languages, and before calls come."""
    # 20 MB that most workers never need.
    from py3langid import classify

    found: Callable[[str], tuple[str, float]] = classify
    found("The model is read at the first use.")
    return found
