"""Compares the outputs of a row, one column with the others: `select-best` and `max-score`."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchkeeper.evals.promptfoo.assertions import prompts
from watchkeeper.evals.promptfoo.assertions.asking import GraderFailed, ask, own_prompt, parsed_or_text
from watchkeeper.evals.promptfoo.assertions.preparing import prepared
from watchkeeper.evals.promptfoo.assertions.subject import Finding, Instruments, Undecided, require
from watchkeeper.evals.promptfoo.assertions.table import OF_ROWS
from watchkeeper.evals.promptfoo.grading import component
from watchkeeper.evals.promptfoo.model import Assertion, Grading, GradingContext, ProviderOutput
from watchkeeper.evals.promptfoo.values import number, output_text, truth

COMPARED_MAX = 10
"""A grader answers with one digit."""


async def compare(
    assertion: Assertion,
    outputs: Sequence[ProviderOutput],
    gradings: Sequence[Grading],
    context: GradingContext,
    instruments: Instruments,
) -> list[Grading]:
    """Return the gradings of a row's outputs with what one comparing assertion says of each, in their order.

    The winner keeps its grading; the others fail with a score of 0. Call it once all outputs of the row are graded;
    those without an answer are left out by the caller.
    """
    try:
        if assertion["type"] == "select-best":
            found = await _best(assertion, outputs, context, instruments)
        else:
            found = _highest(assertion, gradings)
    except Undecided as problem:
        return [replace(each, passed=False, reason=str(problem), unmeasured=str(problem)) for each in gradings]
    return [_with(grading, each, assertion) for grading, each in zip(gradings, found, strict=True)]


def _with(grading: Grading, found: Finding, assertion: Assertion) -> Grading:
    """A lost comparison fails the output with a score of 0; a won one changes nothing."""
    changed = replace(
        grading,
        components=(*grading.components, component(found, assertion)),
        tokens=grading.tokens + found.tokens,
    )
    if found.passed:
        return changed
    return replace(changed, passed=False, score=found.score, reason=found.reason)


async def _best(
    assertion: Assertion, outputs: Sequence[ProviderOutput], context: GradingContext, instruments: Instruments
) -> list[Finding]:
    subject = prepared(assertion, outputs[0], context, instruments)
    criterion = assertion.get("value")
    if not isinstance(criterion, str):
        raise Undecided("`select-best` takes a text: the criterion")
    is_many = 2 <= len(outputs) <= COMPARED_MAX
    require(is_many, f"`select-best` compares 2 to {COMPARED_MAX} outputs, not {len(outputs)}")
    variables = {"criteria": criterion, "outputs": [parsed_or_text(output_text(each.output)) for each in outputs]}
    try:
        said = await ask(subject, prompts.BEST, variables, own_prompt(subject))
    except GraderFailed as failed:
        return [Finding(passed=False, score=0.0, reason=str(failed)) for _ in outputs]
    digit = re.search(r"\d", said.text)
    if digit is None or int(digit[0]) >= len(outputs):
        reason = f"the grader chose none of the outputs: {said.text[:200]}"
        return [Finding(passed=False, score=0.0, reason=reason, tokens=said.tokens) for _ in outputs]
    return [_outcome(at == int(digit[0]), f"another output is better: {criterion}") for at in range(len(outputs))]


def _outcome(won: bool, reason: str) -> Finding:
    return Finding(passed=won, score=float(won), reason="it is the best of its row" if won else reason)


def _highest(assertion: Assertion, gradings: Sequence[Grading]) -> list[Finding]:
    """The output with the highest mean (or sum) of its other assertions' scores wins; of equal ones the first."""
    require(len(gradings) >= 2, "`max-score` compares at least two outputs")
    options: Mapping[str, Any] = value if isinstance(value := assertion.get("value"), dict) else {}
    points = [_points(grading, options) for grading in gradings]
    highest = max(points)
    least = options.get("threshold")
    is_enough = least is None or highest >= number(least)
    winner = points.index(highest) if is_enough else -1
    reason = f"another output has {highest:.3f}" if is_enough else f"no output reaches {number(least):g}"
    return [_outcome(at == winner, f"it has {each:.3f}; {reason}") for at, each in enumerate(points)]


def _points(grading: Grading, options: Mapping[str, Any]) -> float:
    weights: Mapping[str, Any] = options.get("weights") or {}
    counted = [
        (number(part.get("score") or 0.0), number(weights.get(part["assertion"].get("type"), 1.0)))
        for part in grading.components
        if truth(part.get("assertion")) and part["assertion"].get("type") not in OF_ROWS
    ]
    require(counted, "`max-score` needs another assertion whose scores it compares")
    total = math.fsum(score * weight for score, weight in counted)
    weight = math.fsum(weight for _, weight in counted)
    return total if options.get("method") == "sum" else total / weight if weight > 0 else 0.0
