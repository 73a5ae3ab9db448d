"""A judge that answers what it was told to, and remembers what it was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.evals.scoring import Verdict

Answers = Callable[[Mapping[str, Any]], Mapping[str, Any] | Verdict]
"""Gives the content of a verdict, or the whole of it, for the variables of one question."""


@dataclass(frozen=True, slots=True)
class JudgeAsked:
    """One question to a judge."""

    kind: str
    judge: str
    variables: Mapping[str, Any]
    repeat: int


@dataclass(slots=True)
class ScriptedJudge:
    """Implements `evals.scoring.Judge` without a model: an answer, or a function that gives one, for each kind.

    A kind without an answer gives a verdict with an error. Each verdict is of the release `wk1-KIND`, has a call of its
    own and costs `cost_nusd`.
    """

    answers: Mapping[str, Mapping[str, Any] | Verdict | Answers]
    cost_nusd: int | None = 1_000
    asked: list[JudgeAsked] = field(default_factory=list[JudgeAsked])

    async def ask(self, kind: str, judge: str, variables: Mapping[str, Any], *, repeat: int = 0) -> Verdict:
        """Answer as told."""
        self.asked.append(JudgeAsked(kind, judge, variables, repeat))
        told = self.answers.get(kind)
        found = told(variables) if callable(told) else told
        if isinstance(found, Verdict):
            return found
        return Verdict(
            content=found or {},
            error="" if found is not None else f"nothing was scripted for `{kind}`",
            release=f"wk1-{kind}",
            call=f"call-{len(self.asked)}",
            cost_nusd=self.cost_nusd,
        )
