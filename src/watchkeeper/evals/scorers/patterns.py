"""Regular expressions of RE2: in linear time, whatever they are held against."""

from functools import lru_cache
from typing import Any, Protocol

import re2

from watchkeeper.evals.scorers.marking import Undecided, shown

PATTERN_LETTERS_MAX = 10_000
PATTERN_BYTES_MAX = 8 << 20
"""Of memory, for one compiled pattern."""
PATTERNS_KEPT = 512


class Pattern(Protocol):
    """One that is compiled; texts are bytes in UTF-8."""

    def search(self, text: bytes) -> Any:
        """Return the first match, or None."""
        ...

    def fullmatch(self, text: bytes) -> Any:
        """Return the match of all of the text, or None."""
        ...

    def finditer(self, text: bytes) -> Any:
        """Return an iterator of matches."""
        ...


@lru_cache(PATTERNS_KEPT)
def compiled(pattern: str, *, ignore_case: bool = False) -> Pattern:
    """Make a pattern ready. Raises Undecided where RE2 does not take it."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_BYTES_MAX
    options.case_sensitive = not ignore_case
    if len(pattern) > PATTERN_LETTERS_MAX:
        raise Undecided(f"the pattern is longer than {PATTERN_LETTERS_MAX:,} letters")
    try:
        made: Pattern = re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as problem:
        told = problem.args[0] if problem.args else b""
        why = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        raise Undecided(
            f"{shown(pattern)} is no regular expression of RE2, which knows neither look-around nor references back: "
            f"{why}"
        ) from None
    return made
