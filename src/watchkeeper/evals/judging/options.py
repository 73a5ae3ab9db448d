"""Reads what a judged scorer says, and refuses what its type does not know."""

from collections.abc import Collection
from typing import Any

from watchkeeper.config.problems import meant
from watchkeeper.evals.judging.material import as_text
from watchkeeper.evals.scoring import ScorerRefused
from watchkeeper.evals.suite import Scorer

QUESTION = "question"
"""The option that every type knows: the variable of a case that holds the question."""


def refuse_unknown_options(scorer: Scorer, known: Collection[str] = ()) -> None:
    """See that a scorer has no option that its type does not know. Raises ScorerRefused."""
    for name in scorer.options:
        if name not in known and name != QUESTION:
            raise ScorerRefused(
                f"The scorer `{scorer.title}` has the option `{name[:60]}`, which `{scorer.type}` does not know"
                f"{meant(name, [*known, QUESTION])} Nothing was asked."
            )


def text_option(scorer: Scorer, name: str, otherwise: str = "") -> str:
    """Return an option that is text. Raises ScorerRefused."""
    given = scorer.options.get(name, otherwise)
    if not isinstance(given, str):
        raise refusal(scorer, f"`options.{name}` must be text")
    return given


def criterion_of(scorer: Scorer) -> str:
    """Return a scorer's criterion as it is written. Raises ScorerRefused where it has none."""
    found = as_text(scorer.value)
    if not found.strip():
        raise refusal(scorer, "`value` must say what an answer is to be like, in words")
    return found


def refusal(scorer: Scorer, what: str) -> ScorerRefused:
    """Say what is wrong with a scorer."""
    return ScorerRefused(f"The scorer `{scorer.title}` ({scorer.type}) cannot be used: {what}. Nothing was asked.")


def share(scorer: Scorer, name: str, given: Any) -> float:
    """Return a number between 0 and 1. Raises ScorerRefused."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise refusal(scorer, f"`{name}` must be a number from 0 to 1")
    return float(given)
