"""One mark being found: asks a judge, keeps what that took, and makes a mark of what comes of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from watchkeeper.evals.outcome import Mark
from watchkeeper.evals.scoring import Judge, Question, Verdict
from watchkeeper.evals.suite import Scorer

REASON_LETTERS_MAX = 1_000
"""Of what a judge gives as its reason; the rest stays in the mark's detail."""
_EXACTLY = 1e-9
"""Means of labels are sums of thirds and the like: a score this near to its threshold has reached it."""

Fits = TypeVar("Fits")


class Undecided(Exception):
    """Nothing can be said of an answer; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judged scorer has found."""

    score: float
    """Between 0 and 1."""
    reason: str
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


class Consulting:
    """Asks one judge about one answer, and keeps every verdict."""

    def __init__(self, judge: Judge, name: str) -> None:
        self._judge = judge
        self._name = name
        self.verdicts: list[Verdict] = []

    async def ask(self, kind: str, variables: Mapping[str, Any], shape: type[Fits]) -> Fits:
        """Return what the judge answers. Raises Undecided where it gives no answer that fits."""
        return (await self.ask_for_odds(kind, variables, shape))[0]

    async def ask_for_odds(
        self, kind: str, variables: Mapping[str, Any], shape: type[Fits]
    ) -> tuple[Fits, Mapping[str, Mapping[str, float]]]:
        """As `ask`, with how likely other values were; see `Verdict.odds`."""
        verdict = await self._judge.ask(kind, self._name, variables)
        self.verdicts.append(verdict)
        if verdict.error:
            raise Undecided(f"The judge gave no verdict: {verdict.error}")
        try:
            return msgspec.convert(dict(verdict.content), shape), verdict.odds
        except msgspec.ValidationError as problem:
            raise Undecided(f"The judge's answer is not a verdict of `{kind}`: {problem}.") from None


Method = Callable[[Question, Consulting], Awaitable[Finding]]
"""How a type finds its score. Raises Undecided."""


class Judged:
    """A scorer that asks a judge."""

    def __init__(self, scorer: Scorer, judge: Judge, method: Method, threshold: float) -> None:
        """Make ready.

        Args:
            scorer: As it is written.
            judge: Whom it asks.
            method: Of its type.
            threshold: Of its type, for a scorer that has none of its own.
        """
        self._scorer = scorer
        self._judge = judge
        self._method = method
        self._threshold = threshold if scorer.threshold is None else scorer.threshold

    async def mark_later(self, question: Question) -> Mark:
        """Give an answer a mark; what the judge does not decide is unmeasured, for the reason that is told."""
        consulting = Consulting(self._judge, self._scorer.judge)
        if question.answer.error:
            return self._unmeasured(consulting, f"There is no answer to judge: {question.answer.error}")
        try:
            finding = await self._method(question, consulting)
        except Undecided as reason:
            return self._unmeasured(consulting, str(reason))
        has_passed = (finding.score >= self._threshold - _EXACTLY) is not self._scorer.negated
        return Mark(
            scorer=self._scorer.title,
            status="passed" if has_passed else "failed",
            score=1.0 - finding.score if self._scorer.negated else finding.score,
            reason=shortened(finding.reason),
            weight=self._scorer.weight,
            detail=finding.detail | _told(consulting.verdicts),
            **_taken(consulting.verdicts),
        )

    def _unmeasured(self, consulting: Consulting, reason: str) -> Mark:
        return Mark(
            scorer=self._scorer.title,
            status="unmeasured",
            reason=shortened(reason),
            weight=self._scorer.weight,
            detail=_told(consulting.verdicts),
            **_taken(consulting.verdicts),
        )


def shortened(reason: str) -> str:
    """Cut a judge's reason to what a list can show."""
    return reason if len(reason) <= REASON_LETTERS_MAX else f"{reason[:REASON_LETTERS_MAX]}..."


def _told(verdicts: list[Verdict]) -> dict[str, Any]:
    """What the judge answered, in the order in which it was asked, and its releases where there was more than one."""
    told: dict[str, Any] = {"verdicts": [dict(verdict.content) for verdict in verdicts]} if verdicts else {}
    releases = list(dict.fromkeys(verdict.release for verdict in verdicts if verdict.release))
    return told | ({"judges": releases} if len(releases) > 1 else {})


def _taken(verdicts: list[Verdict]) -> dict[str, Any]:
    """The judge's release (the last that was asked, which decides), its calls, and what they cost together."""
    costs = [verdict.cost_nusd for verdict in verdicts]
    known = [cost for cost in costs if cost is not None]
    return {
        "judge": next((verdict.release for verdict in reversed(verdicts) if verdict.release), ""),
        "calls": tuple(verdict.call for verdict in verdicts if verdict.call),
        "cost_nusd": sum(known) if costs and len(known) == len(costs) else None,
    }
