"""How far a judge can be relied on before people have labelled anything: whether the order of two answers sways it, and
whether it says the same when it is asked again.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from msgspec import Struct

from watchkeeper.evals.judging.consulting import Consulting, cost_of
from watchkeeper.evals.judging.pairwise import BETTER, Side, compared
from watchkeeper.evals.scorers.marking import Undecided
from watchkeeper.evals.scoring import Judge, Verdict

AT_ONCE = 8
REASONS_MAX = 10


class Pair(Struct, frozen=True, kw_only=True):
    """Two answers to one question."""

    question: str
    one: str
    other: str
    criterion: str = BETTER


class PositionBias(Struct, frozen=True, kw_only=True):
    """What became of pairs that were shown in both orders."""

    pairs: int
    measured: int
    """Pairs with a verdict in both orders; the rates are of these."""
    consistent: int
    """The same answer won in both orders, or neither did."""
    first_both_times: int
    """Whatever stood first won."""
    second_both_times: int
    consistency: float | None
    """Share of the measured pairs; None where none was measured."""
    reasons: dict[str, int] = {}
    """Why pairs were not measured: the commonest, with how often."""
    cost_nusd: int | None = None
    """None where some of it is not known."""


class Consistency(Struct, frozen=True, kw_only=True):
    """What became of questions that were asked several times."""

    samples: int
    measured: int
    """Questions with a verdict each time; the rates are of these."""
    steady: int
    """The verdict was the same every time."""
    agreement: float | None
    """Mean share, over the measured questions, of pairs of verdicts that are the same; None where there is none."""
    reasons: dict[str, int] = {}
    cost_nusd: int | None = None


async def probe_position(pairs: Sequence[Pair], judge: Judge, name: str, *, at_once: int = AT_ONCE) -> PositionBias:
    """Have each pair compared in both orders.

    Args:
        pairs: A sample, best of close pairs: the order sways most where little else does.
        judge: How it is asked.
        name: As in `Scorer.judge`.
        at_once: How many pairs at a time.
    """
    room = asyncio.Semaphore(at_once)
    counts, reasons = Counter[str](), Counter[str]()
    verdicts: list[Verdict] = []

    async def one(pair: Pair) -> None:
        consulting = Consulting(judge, name)
        async with room:
            try:
                ahead, behind = await compared(consulting, pair.criterion, pair.question, pair.one, pair.other)
                counts[_outcome(ahead[0], behind[0])] += 1
            except Undecided as reason:
                reasons[str(reason)] += 1
            finally:
                verdicts.extend(consulting.verdicts)

    await asyncio.gather(*(one(pair) for pair in pairs))
    measured = counts.total()
    return PositionBias(
        pairs=len(pairs),
        measured=measured,
        consistent=counts["consistent"],
        first_both_times=counts["first"],
        second_both_times=counts["second"],
        consistency=counts["consistent"] / measured if measured else None,
        reasons=dict(reasons.most_common(REASONS_MAX)),
        cost_nusd=cost_of(verdicts),
    )


async def probe_consistency(
    kind: str,
    key: str,
    samples: Sequence[Mapping[str, Any]],
    judge: Judge,
    name: str,
    *,
    repeats: int = 3,
    at_once: int = AT_ONCE,
) -> Consistency:
    """Ask the same several times.

    Args:
        kind: What is asked, such as `rubric`.
        key: Of the answer, whose value is compared: `label`.
        samples: The variables of each question.
        judge: How it is asked.
        name: As in `Scorer.judge`.
        repeats: How often; 2 at least.
        at_once: How many questions at a time.
    """
    room = asyncio.Semaphore(at_once)
    reasons = Counter[str]()
    verdicts: list[Verdict] = []
    agreements: list[float] = []

    async def one(variables: Mapping[str, Any]) -> None:
        async with room:
            found = [await judge.ask(kind, name, variables, repeat=number) for number in range(repeats)]
        verdicts.extend(found)
        problem = next((_problem(verdict, key) for verdict in found if _problem(verdict, key)), "")
        if problem:
            reasons[problem] += 1
        else:
            agreements.append(_alike([verdict.content[key] for verdict in found]))

    await asyncio.gather(*(one(variables) for variables in samples))
    return Consistency(
        samples=len(samples),
        measured=len(agreements),
        steady=sum(alike == 1.0 for alike in agreements),
        agreement=sum(agreements) / len(agreements) if agreements else None,
        reasons=dict(reasons.most_common(REASONS_MAX)),
        cost_nusd=cost_of(verdicts),
    )


def _outcome(ahead: Side, behind: Side) -> str:
    """`this` ahead and `other` behind is the first slot, twice."""
    match ahead, behind:
        case "this", "other":
            return "first"
        case "other", "this":
            return "second"
        case _:
            return "consistent" if ahead == behind else "wavering"


def _alike(values: Sequence[Any]) -> float:
    pairs = list(combinations(values, 2))
    return sum(bool(one == other) for one, other in pairs) / len(pairs)


def _problem(verdict: Verdict, key: str) -> str:
    return verdict.error or ("" if key in verdict.content else f"the judge's answer has no `{key}`")
