"""Grades an output by the assertions of its test, and puts what they say together as promptfoo does."""

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import islice
from typing import Any

from watchkeeper.evals.promptfoo.assertions.asking import GraderFailed
from watchkeeper.evals.promptfoo.assertions.loaded import SCHEME
from watchkeeper.evals.promptfoo.assertions.preparing import NEGATION, ScriptOfValueFailed, prepared
from watchkeeper.evals.promptfoo.assertions.scoring import scored
from watchkeeper.evals.promptfoo.assertions.subject import NO_TOKENS, Finding, Instruments, Undecided
from watchkeeper.evals.promptfoo.assertions.table import BY_PEOPLE, ELSEWHERE, OF_ROWS, REDTEAM, rule, types
from watchkeeper.evals.promptfoo.model import Assertion, Grading, GradingContext, ProviderOutput, Tokens
from watchkeeper.evals.promptfoo.nunjucks import TemplateFailed
from watchkeeper.evals.promptfoo.values import fixed, number

AT_ONCE = 3
"""Assertions of one output that wait for a model at the same time."""
SET = "assert-set"


async def grade(
    assertions: Sequence[Assertion], output: ProviderOutput, context: GradingContext, instruments: Instruments
) -> Grading:
    """Return what all assertions together say of an output.

    A test passes if none of them fails; with a threshold, if the mean of their scores by weight reaches it. One of
    weight 0 is counted and decides nothing. `Grading.unmeasured` says why nobody knows, where one cannot be decided.
    Those that compare outputs of a row (`rows.compare`) and those by people are left out.
    """
    if not assertions:
        return Grading(passed=True, score=1.0, reason="there are no assertions")
    total = _Total(compat=context.compat, threshold=context.test.threshold)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(assertion: Assertion) -> Finding | None:
        async with room:
            return await _found(assertion, output, context, instruments)

    members = [_members(assertion) for assertion in assertions]
    flat = await asyncio.gather(*(one(each) for group in members for each in group), return_exceptions=True)
    for problem in flat:
        if isinstance(problem, Undecided):
            return Grading(passed=False, score=0.0, reason=str(problem), unmeasured=str(problem))
    left = iter(flat)
    for assertion, group in zip(assertions, members, strict=True):
        results = [_sound(each) for each in islice(left, len(group))]
        if assertion.get("type") == SET:
            total.add(
                _of_set(assertion, results, context, instruments), assertion, _metric(assertion, context, instruments)
            )
        elif results[0] is not None:
            total.add(results[0], assertion, _metric(assertion, context, instruments))
    grading = total.grading()
    if context.test.scoring:
        return await asyncio.to_thread(scored, grading, context, instruments)
    return grading


def _sound(found: Finding | BaseException | None) -> Finding | None:
    if isinstance(found, BaseException):
        raise found
    return found


def _members(assertion: Assertion) -> Sequence[Assertion]:
    if assertion.get("type") != SET:
        return [assertion]
    members = assertion.get("assert")
    return members if isinstance(members, list) else []


def problem_of(assertion: Assertion) -> str:
    """Return what is wrong with the form of an assertion, for which promptfoo refuses the file; empty for nothing."""
    if assertion.get("type") != SET:
        return ""
    members = assertion.get("assert")
    if not isinstance(members, list):
        return "an `assert-set` needs `assert`, a list of assertions"
    if any(isinstance(each, Mapping) and each.get("type") == SET for each in members):
        return "an `assert-set` cannot stand in another one"
    return ""


def base_type(assertion: Assertion) -> str:
    """Return an assertion's type without `not-`."""
    return str(assertion.get("type") or "").removeprefix(NEGATION)


async def _found(
    assertion: Assertion, output: ProviderOutput, context: GradingContext, instruments: Instruments
) -> Finding | None:
    """What one assertion says; None for what is not decided by one output. Raises Undecided."""
    kind = str(assertion.get("type") or "")
    if kind.startswith("select-") or kind in OF_ROWS or base_type(assertion) in BY_PEOPLE:
        return None
    if base_type(assertion).startswith(REDTEAM):
        raise Undecided(f"`{kind}` is graded by promptfoo's own service, which is not asked from here")
    decide = rule(base_type(assertion), context.compat)
    if decide is None and kind:
        raise Undecided(f"the assertion type `{kind}` is unknown{_meant(kind, context.compat)}")
    try:
        if _waits(assertion):
            subject = await asyncio.to_thread(prepared, assertion, output, context, instruments)
        else:
            subject = prepared(assertion, output, context, instruments)
        assert decide is not None
        if inspect.iscoroutinefunction(decide) or not _waits(assertion):
            given = decide(subject)
        else:
            given = await asyncio.to_thread(decide, subject)
        found: Finding = await given if inspect.isawaitable(given) else given
    except (ScriptOfValueFailed, GraderFailed) as failed:
        found = Finding(passed=False, score=0.0, reason=str(failed))
    return replace(found, passed=True) if assertion.get("weight") == 0 else found


def _waits(assertion: Assertion) -> bool:
    """Tell whether deciding an assertion waits for another process, or may take long."""
    value = assertion.get("value")
    names_file = isinstance(value, str) and value.startswith(SCHEME)
    return names_file or bool(assertion.get("transform")) or base_type(assertion) in ELSEWHERE


def _meant(kind: str, compat: str) -> str:
    near = get_close_matches(kind.removeprefix(NEGATION), sorted(types(compat)), 1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _metric(assertion: Assertion, context: GradingContext, instruments: Instruments) -> str:
    metric = str(assertion.get("metric") or "")
    if context.compat == "0.118":
        return metric
    try:
        return instruments.renderer.render(metric, context.variables)
    except TemplateFailed:
        return metric


def _of_set(
    assertion: Assertion, found: Sequence[Finding | None], context: GradingContext, instruments: Instruments
) -> Finding:
    threshold = assertion.get("threshold")
    total = _Total(compat=context.compat, threshold=None if threshold is None else number(threshold))
    for member, each in zip(_members(assertion), found, strict=True):
        if each is not None:
            total.add(each, member, _metric(member, context, instruments))
    grading = total.grading()
    return Finding(
        passed=grading.passed,
        score=grading.score,
        reason=grading.reason,
        named_scores=grading.named_scores,
        named_weights=grading.named_weights,
        components=grading.components,
        tokens=grading.tokens,
        metadata={"assertionSet": {key: item for key, item in assertion.items() if key != "assert"}},
    )


@dataclass(slots=True, kw_only=True)
class _Total:
    """The sum of what assertions say."""

    compat: str
    threshold: float | None
    points: float = 0.0
    weight: float = 0.0
    failure: str = ""
    """Of the last one that failed."""
    is_blocked: bool = False
    named: dict[str, float] = field(default_factory=dict[str, float])
    weights: dict[str, float] = field(default_factory=dict[str, float])
    components: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    tokens: Tokens = NO_TOKENS

    def add(self, found: Finding, assertion: Assertion, metric: str) -> None:
        """Count a finding with the assertion's weight (1), its score under its metric too."""
        weight = 1.0 if assertion.get("weight") is None else number(assertion["weight"])
        self.points += found.score * weight
        self.weight += weight
        self.tokens += found.tokens
        self._name(metric, found.score, weight)
        for name, score in found.named_scores.items():
            if name != metric:
                self._name(name, score, found.named_weights.get(name, 1.0) * weight)
        if not found.passed:
            self.failure = found.reason or "an assertion failed"
            purpose = (assertion.get("config") or {}).get("purpose")
            self.is_blocked = self.is_blocked or (assertion.get("type") == "guardrails" and purpose == "redteam")
        own = component(found, assertion)
        self.components.append(own)
        self.components.extend(
            {**part, "assertion": part.get("assertion") or own.get("assertion")} for part in found.components
        )

    def _name(self, metric: str, score: float, weight: float) -> None:
        if not metric:
            return
        is_old = self.compat == "0.118"
        self.named[metric] = self.named.get(metric, 0.0) + (score if is_old else score * weight)
        self.weights[metric] = self.weights.get(metric, 0.0) + weight

    def grading(self) -> Grading:
        """Return the whole."""
        score = self.points / self.weight if self.weight > 0 else 0.0
        passed, reason = not self.failure, self.failure or "all assertions passed"
        is_old = self.compat == "0.118"
        if self.threshold is not None and self.threshold == self.threshold and (self.threshold != 0 or not is_old):
            passed = score >= self.threshold
            reason = (
                f"the score {fixed(score, 2)} {'reaches' if passed else 'is below'} the threshold {self.threshold:g}"
            )
        if self.is_blocked:
            passed, reason = True, "a guardrail blocked it, as it should"
        named = (
            self.named
            if is_old
            else {
                name: value / self.weights[name] if self.weights[name] > 0 else 0.0
                for name, value in self.named.items()
            }
        )
        return Grading(
            passed=passed,
            score=score,
            reason=reason,
            named_scores=named,
            named_weights={} if is_old else self.weights,
            components=tuple(self.components),
            tokens=self.tokens,
        )


def component(found: Finding, assertion: Assertion) -> dict[str, Any]:
    """Return what one assertion says, as promptfoo writes it."""
    made: dict[str, Any] = {
        "pass": found.passed,
        "score": found.score,
        "reason": found.reason,
        "assertion": dict(found.assertion or assertion) if assertion.get("type") != SET else None,
    }
    if found.named_scores:
        made["namedScores"] = dict(found.named_scores)
    if found.metadata:
        made["metadata"] = dict(found.metadata)
    if found.tokens != Tokens():
        made["tokensUsed"] = tokens_json(found.tokens)
    return {key: value for key, value in made.items() if value is not None}


def tokens_json(tokens: Tokens) -> dict[str, int]:
    """Return a use of tokens as promptfoo writes it."""
    return {
        "total": tokens.total,
        "prompt": tokens.prompt,
        "completion": tokens.completion,
        "cached": tokens.cached,
        "numRequests": tokens.requests,
    }
