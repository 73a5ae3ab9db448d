"""Two answers side by side, in both orders: what the order decides is a tie."""

from typing import Literal

from watchkeeper.evals.judging.answers import Preferred
from watchkeeper.evals.judging.consulting import Consulting, Method
from watchkeeper.evals.judging.material import as_text, asked, said
from watchkeeper.evals.judging.options import Asks
from watchkeeper.evals.scorers.marking import Finding, Undecided, refused, settings
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Scorer

BETTER = "the better answer is the one that does what the question asks more correctly, completely and clearly"

Side = Literal["this", "other", "tie"]
_SCORES: dict[Side, float] = {"this": 1.0, "tie": 0.5, "other": 0.0}
_WORDS: dict[Side, str] = {"this": "better than", "tie": "as good as", "other": "worse than"}


class Comparing(Asks):
    """Options of `pairwise`."""

    against: str = "baseline"
    """Or `reference`."""


def pairwise(scorer: Scorer) -> Method:
    """Whether an answer is better than the baseline's, or than the reference. Raises ScorerRefused."""
    options = settings(scorer, Comparing)
    against = options.against
    if against not in ("baseline", "reference"):
        raise refused(scorer, f"compares with `baseline` or `reference`, not with `{against[:60]}`.")
    has_criterion = bool(as_text(scorer.value).strip())

    async def method(question: Question, consulting: Consulting) -> Finding:
        this, other = said(question.answer), _other(question, against)
        if this == other:
            return Finding(_SCORES["tie"], "both answers are the same text", {"winner": "tie"})
        criterion = as_text(question.value) if has_criterion else BETTER
        orders = await compared(consulting, criterion, asked(question, options.question), this, other)
        (first, _), (second, _) = orders
        winner: Side = first if first == second else "tie"
        told = f"{_WORDS[winner]} the {against}"
        if first != second:
            told = (
                f"undecided against the {against} (shown first: {_WORDS[first]} it, shown second: {_WORDS[second]} it)"
            )
        reasons = " / ".join(reason for _, reason in orders)
        return Finding(_SCORES[winner], f"{told}: {reasons}", {"winner": winner, "orders": [first, second]})

    return method


async def compared(
    consulting: Consulting, criterion: str, question: str, this: str, other: str
) -> tuple[tuple[Side, str], tuple[Side, str]]:
    """Have two answers compared twice, with this one first and then second; return who won, and why.

    The judge sees two texts in an order, and nothing of where they come from. Raises Undecided.
    """
    shown = {"criterion": criterion, "question": question}
    ahead = await consulting.ask("pairwise", {**shown, "first": this, "second": other}, Preferred)
    behind = await consulting.ask("pairwise", {**shown, "first": other, "second": this}, Preferred)
    sides: dict[str, Side] = {"first": "this", "second": "other", "tie": "tie"}
    turned: dict[str, Side] = {"first": "other", "second": "this", "tie": "tie"}
    return (sides[ahead.winner], ahead.analysis), (turned[behind.winner], behind.analysis)


def _other(question: Question, against: str) -> str:
    if against == "reference":
        if not (reference := as_text(question.case.reference)).strip():
            raise Undecided("there is nothing to compare with: give the case a `reference`")
        return reference
    if question.baseline is None:
        raise Undecided("there is no baseline's answer to compare with; run with `--baseline`, or against `reference`")
    if question.baseline.error:
        raise Undecided(f"the baseline gave no answer to compare with: {question.baseline.error}")
    return said(question.baseline)
