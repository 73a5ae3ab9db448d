"""Asks one scorer about one answer."""

from typing import Any

from watchkeeper.evals.outcome import Answer, Mark
from watchkeeper.evals.scorers.marking import Marking
from watchkeeper.evals.scorers.table import build
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Case, Scorer


def scorer_of(type_: str, value: Any = None, *, options: dict[str, Any] | None = None, **given: Any) -> Scorer:
    """Write a scorer as a suite would."""
    return Scorer(type=type_, value=value, options=options or {}, **given)


def question_of(scorer: Scorer, answer: str | Answer, reference: Any = None) -> Question:
    """Hold an answer against the scorer's value, else against the reference, as a run does."""
    return Question(
        case=Case(id="one", reference=reference),
        answer=Answer(text=answer) if isinstance(answer, str) else answer,
        value=reference if scorer.value is None else scorer.value,
    )


def mark_of(scorer: Scorer, answer: str | Answer, reference: Any = None) -> Mark:
    """Build the scorer and have it mark."""
    built = build(scorer)
    assert isinstance(built, Marking)
    return built.mark(question_of(scorer, answer, reference))
