"""Stems of English words, by Porter's rules of 1980."""

import threading
from functools import cache, lru_cache

import snowballstemmer

STEMS_KEPT = 10_000
_lock = threading.Lock()


@cache
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("porter")


@lru_cache(STEMS_KEPT)
def stem(word: str) -> str:
    """Return the stem of a word in lower case; words of one or two letters are their own."""
    with _lock:  # a stemmer holds the word that it works on
        return word if len(word) < 3 else str(_stemmer().stemWord(word))
