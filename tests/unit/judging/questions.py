"""Questions to judged scorers, and their marks."""

from collections.abc import Mapping, Sequence
from typing import Any

from watchkeeper.evals.judging.table import build
from watchkeeper.evals.outcome import Answer, Mark
from watchkeeper.evals.scoring import Judge, Question
from watchkeeper.evals.suite import Case, Scorer

JUDGE = "gpt-4o-mini"


def scorer(type_: str, *, value: Any = None, judge: str = JUDGE, **more: Any) -> Scorer:
    """A judged scorer."""
    return Scorer(type=type_, value=value, judge=judge, **more)


def question(
    text: str = "Paris.",
    *,
    value: Any = None,
    prompt: str = "What is the capital of France?",
    contexts: Sequence[str] = (),
    baseline: Answer | None = None,
    answer: Answer | None = None,
    reference: Any = None,
    variables: Mapping[str, Any] | None = None,
) -> Question:
    """What a scorer looks at."""
    return Question(
        case=Case(id="capital", reference=reference, variables=dict(variables or {})),
        answer=answer or Answer(text=text),
        value=value if value is not None else reference,
        prompt=prompt,
        contexts=contexts,
        baseline=baseline,
    )


async def marked(scorer: Scorer, judge: Judge, asked: Question) -> Mark:
    """Build a scorer and have it mark an answer."""
    return await build(scorer, judge).mark_later(asked)
