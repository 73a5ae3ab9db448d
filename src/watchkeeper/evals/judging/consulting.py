"""One mark being found: asks a judge, keeps what that took, and makes a mark of what comes of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from watchkeeper.evals.outcome import Mark
from watchkeeper.evals.scorers.marking import Finding, Undecided, legible_question, mark_of, unmeasured
from watchkeeper.evals.scoring import Judge, Question, Verdict
from watchkeeper.evals.suite import Scorer

Fits = TypeVar("Fits")


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
            raise Undecided(f"the judge gave no verdict: {verdict.error}")
        try:
            return msgspec.convert(dict(verdict.content), shape), verdict.odds
        except msgspec.ValidationError as problem:
            raise Undecided(f"the judge's answer is not a verdict of `{kind}`: {problem}") from None


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
        self._threshold = threshold

    async def mark_later(self, question: Question) -> Mark:
        """Give an answer a mark; what the judge does not decide is unmeasured, for the reason that is told."""
        consulting = Consulting(self._judge, self._scorer.judge)
        try:
            finding = await self._method(legible_question(question), consulting)
            mark = mark_of(self._scorer, finding, self._threshold)
        except Undecided as why:
            mark = unmeasured(self._scorer, str(why))
        verdicts = consulting.verdicts
        return structs.replace(
            mark,
            judge=next((verdict.release for verdict in reversed(verdicts) if verdict.release), ""),
            calls=tuple(verdict.call for verdict in verdicts if verdict.call),
            cost_nusd=cost_of(verdicts) if verdicts else None,
            detail=mark.detail | _told(verdicts),
        )


def cost_of(verdicts: Sequence[Verdict]) -> int | None:
    """Return what verdicts cost together; None where nobody knows it of one of them."""
    total = 0
    for verdict in verdicts:
        if verdict.cost_nusd is None:
            return None
        total += verdict.cost_nusd
    return total


def _told(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What the judge answered, in the order in which it was asked, and its releases where there was more than one."""
    told: dict[str, Any] = {"verdicts": [dict(verdict.content) for verdict in verdicts]} if verdicts else {}
    releases = list(dict.fromkeys(verdict.release for verdict in verdicts if verdict.release))
    return told | ({"judges": releases} if len(releases) > 1 else {})
