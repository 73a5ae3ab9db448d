"""Builds a report out of a stream of outcomes: what it keeps of each case is a few numbers, and some cases whole."""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from msgspec import structs

from watchkeeper.core.money import COST_STATUSES
from watchkeeper.evals.decision import Decision
from watchkeeper.evals.outcome import Answer, Mark, Outcome, ToolCall
from watchkeeper.evals.reports.report import (
    STANDINGS,
    ArmFigures,
    ArmRow,
    Counts,
    Report,
    Row,
    ScorerFigures,
    Standing,
    Tally,
)
from watchkeeper.evals.run import ArmHead, RunHead
from watchkeeper.evals.suite import Case

ROWS_MAX = 300
"""Cases that a report holds with their answers; further ones are counted."""
TEXT_MAX = 10_000
"""Characters of an answer, an error or a reason in such a row; the files of data have them whole."""
MARKS_MAX = 50
"""Marks in such a row."""
MODELS_MAX = 20
SCORERS_MAX = 200
"""Different titles in one arm; marks of further ones are in the outcomes, and not summed up."""


@dataclass(slots=True)
class _ScorerSum:
    statuses: Counter[str] = field(default_factory=Counter[str])
    score: float = 0.0
    scored: int = 0


@dataclass(slots=True)
class _ArmSum:
    head: ArmHead
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])
    scorers: dict[str, _ScorerSum] = field(default_factory=dict[str, _ScorerSum])
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    reused: int = 0
    priced_nusd: int = 0
    unpriced: int = 0
    weakest: int = 0
    tokens: list[int | None] = field(default_factory=lambda: [0, 0])
    models: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, outcome: Outcome) -> None:
        self.tallies.setdefault(outcome.case, Tally()).add(outcome.status)
        for mark in outcome.marks:
            self._add_mark(mark)
        self._add_answer(outcome.answer)

    def _add_mark(self, mark: Mark) -> None:
        if mark.scorer not in self.scorers and len(self.scorers) >= SCORERS_MAX:
            return
        total = self.scorers.setdefault(mark.scorer, _ScorerSum())
        total.statuses[mark.status] += 1
        if mark.score is not None and mark.status != "unmeasured":
            total.score += mark.score
            total.scored += 1

    def _add_answer(self, answer: Answer) -> None:
        if answer.model and len(self.models) < MODELS_MAX:
            self.models[f"{answer.model} ({answer.fingerprint})" if answer.fingerprint else answer.model] = None
        if answer.reused:
            self.reused += 1
            return
        if not answer.call:
            return
        if answer.latency_ms is not None:
            self.latencies.append(answer.latency_ms)
        if answer.cost_nusd is None:
            self.unpriced += 1
        else:
            self.priced_nusd += answer.cost_nusd
            self.weakest = max(self.weakest, COST_STATUSES.index(answer.cost_status))
        for place, count in enumerate((answer.input_tokens, answer.output_tokens)):
            known = self.tokens[place]
            self.tokens[place] = None if known is None or count is None else known + count

    def figures(self) -> ArmFigures:
        latencies = sorted(self.latencies)
        return ArmFigures(
            head=self.head,
            cases=_counted(tally.standing for tally in self.tallies.values()),
            outcomes=sum(tally.repeats for tally in self.tallies.values()),
            reused=self.reused,
            scorers=tuple(_scorer_figures(scorer, total) for scorer, total in self.scorers.items()),
            cost_nusd=None if self.unpriced else self.priced_nusd,
            priced_nusd=self.priced_nusd,
            cost_status="unpriced" if self.unpriced else COST_STATUSES[self.weakest],
            unpriced=self.unpriced,
            latency_p50_ms=_quantile(latencies, 0.5),
            latency_p95_ms=_quantile(latencies, 0.95),
            input_tokens=self.tokens[0],
            output_tokens=self.tokens[1],
            models=tuple(self.models),
        )


def build(
    run: RunHead,
    outcomes: Callable[[], Iterable[Outcome]],
    decision: Decision | None,
    cases: Mapping[str, Case],
    *,
    rows_max: int = ROWS_MAX,
) -> Report:
    """Put a report together; reads the outcomes twice.

    Args:
        run: Whose arms say the order of columns, the candidate first.
        outcomes: Give every outcome, in any order, each time the same ones; one of an arm that the run does not name
            is a column of its own.
        decision: What follows from them; None where nothing was decided.
        cases: By id; a case that the suite no longer has may be missing.
        rows_max: So many cases are kept with their answers, the weightiest.
    """
    sums = {arm.name: _ArmSum(arm) for arm in run.arms}
    for outcome in outcomes():
        sums.setdefault(outcome.arm, _ArmSum(ArmHead(name=outcome.arm))).add(outcome)
    head = structs.replace(run, arms=tuple(one.head for one in sums.values()))
    order = _Order(sums, run, decision)
    asked = order.cases()
    kept = asked[:rows_max]
    shown = _shown(outcomes(), frozenset(kept))
    return Report(
        head=head,
        decision=decision,
        cases=cases,
        outcomes=outcomes,
        counts=_counted(order.standing(case) for case in asked),
        arms=tuple(one.figures() for one in sums.values()),
        tallies={arm: one.tallies for arm, one in sums.items()},
        rows=tuple(order.row(case, shown) for case in kept),
        left_out=_counted(order.standing(case) for case in islice(asked, rows_max, None)),
    )


class _Order:
    """Which cases come first."""

    def __init__(self, sums: Mapping[str, _ArmSum], run: RunHead, decision: Decision | None) -> None:
        self._sums = sums
        self._baseline = run.baseline
        self._breaches = frozenset(breach.case for breach in decision.breaches) if decision is not None else frozenset()

    def cases(self) -> list[str]:
        found = dict.fromkeys(case for one in self._sums.values() for case in one.tallies)
        return sorted(found, key=self._place)

    def standing(self, case: str) -> Standing:
        """How it stands under the first arm that was asked it."""
        return next(one.tallies[case].standing for one in self._sums.values() if case in one.tallies)

    def row(self, case: str, shown: Mapping[tuple[str, str], Outcome]) -> Row:
        return Row(
            case=case,
            standing=self.standing(case),
            is_new=self._is_new(case),
            is_breach=case in self._breaches,
            arms=tuple(
                ArmRow(
                    arm=arm,
                    standing=tally.standing,
                    tally=tally,
                    shown=shown[case, arm],
                )
                for arm, one in self._sums.items()
                if (tally := one.tallies.get(case)) is not None
            ),
        )

    def _is_new(self, case: str) -> bool:
        before = self._sums[self._baseline].tallies.get(case) if self._baseline in self._sums else None
        return before is not None and before.standing == "passed" and self.standing(case) != "passed"

    def _place(self, case: str) -> tuple[int, bool, bool, str]:
        return (
            STANDINGS.index(self.standing(case)),
            case not in self._breaches,
            not self._is_new(case),
            case,
        )


_TELLING = {"failed": 0, "unmeasured": 1, "passed": 2}


def _shown(outcomes: Iterable[Outcome], kept: frozenset[str]) -> dict[tuple[str, str], Outcome]:
    """Keep the most telling outcome of each of these cases under each arm."""
    found: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes:
        if outcome.case not in kept:
            continue
        known = found.get((outcome.case, outcome.arm))
        if known is None or _telling(outcome) < _telling(known):
            found[outcome.case, outcome.arm] = _cut(outcome)
    return found


def _telling(outcome: Outcome) -> tuple[int, int]:
    return _TELLING[outcome.status], outcome.repeat


def _cut(outcome: Outcome) -> Outcome:
    answer = outcome.answer
    return structs.replace(
        outcome,
        reason=_cut_text(outcome.reason),
        marks=tuple(
            structs.replace(mark, scorer=_cut_text(mark.scorer), reason=_cut_text(mark.reason), detail={})
            for mark in outcome.marks[:MARKS_MAX]
        ),
        answer=structs.replace(
            answer,
            text=_cut_text(answer.text),
            error=_cut_text(answer.error),
            refusal=_cut_text(answer.refusal),
            tool_calls=tuple(
                ToolCall(_cut_text(call.name), _cut_text(call.arguments)) for call in answer.tool_calls[:MARKS_MAX]
            ),
            logprobs=(),
        ),
    )


def _cut_text(text: str) -> str:
    if len(text) <= TEXT_MAX:
        return text
    return f"{text[:TEXT_MAX]}\n[{len(text) - TEXT_MAX:,} further characters are left out]"


def _counted(standings: Iterable[Standing]) -> Counts:
    counts = Counter(standings)
    return Counts(**{standing: counts[standing] for standing in STANDINGS})


def _scorer_figures(scorer: str, total: _ScorerSum) -> ScorerFigures:
    return ScorerFigures(
        scorer=scorer,
        passed=total.statuses["passed"],
        failed=total.statuses["failed"],
        unmeasured=total.statuses["unmeasured"],
        score=total.score / total.scored if total.scored else None,
    )


def _quantile(ordered: list[float], share: float) -> float | None:
    """The smallest value that at least this share does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
