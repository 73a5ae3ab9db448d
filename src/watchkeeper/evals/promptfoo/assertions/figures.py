"""Assertions on what is known of an answer beside its text: time, money, certainty, why it ended, who stopped it."""

import math

from watchkeeper.evals.promptfoo.assertions.refusals import is_refusal_text
from watchkeeper.evals.promptfoo.assertions.subject import (
    Finding,
    Subject,
    Undecided,
    newly_negated,
    plain_verdict,
    require,
    verdict,
)
from watchkeeper.evals.promptfoo.javascript import UNDEFINED
from watchkeeper.evals.promptfoo.values import trim

NUSD_PER_USD = 1_000_000_000


def latency(subject: Subject) -> Finding:
    """It took at most so many milliseconds. Undecided for an answer out of a cache."""
    require(subject.has_threshold, "`latency` takes a threshold in milliseconds")
    took = None if subject.answer.is_cached else subject.answer.latency_ms
    if took is None:
        raise Undecided("the answer was not asked for anew, so there is no latency; run it without the cache")
    limit = subject.threshold(0)
    return newly_negated(subject, took <= limit, f"it took {took:g} ms, above {limit:g}", f"it took {took:g} ms")


def cost(subject: Subject) -> Finding:
    """It cost at most so many US dollars. Undecided where nobody knows what it cost."""
    require(subject.has_threshold, "`cost` takes a threshold in US dollars")
    spent = subject.answer.cost_nusd
    if spent is None:
        raise Undecided("nobody knows what the answer cost; give its model a price (docs/prices.md)")
    limit = subject.threshold(0)
    amount = f"{spent / NUSD_PER_USD:.9f}".rstrip("0").rstrip(".")
    return newly_negated(
        subject, spent <= limit * NUSD_PER_USD, f"it cost ${amount}, above ${limit:g}", f"it cost ${amount}"
    )


def perplexity(subject: Subject) -> Finding:
    """The perplexity, exp(-mean of log probabilities), is at most the threshold; without one it passes."""
    value = _perplexity(subject)
    if not subject.has_threshold:
        return plain_verdict(True, "")
    limit = subject.threshold(0)
    return newly_negated(subject, value <= limit, f"its perplexity is {value:.2f}, above {limit:g}")


def perplexity_score(subject: Subject) -> Finding:
    """1 / (1 + perplexity) is at least the threshold; without one it passes."""
    score = 1 / (1 + _perplexity(subject))
    negated = subject.negated and not subject.is_old
    passed = not subject.has_threshold or (score >= subject.threshold(0)) != negated
    return Finding(passed=passed, score=1 - score if negated else score, reason=f"its perplexity score is {score:.4f}")


def _perplexity(subject: Subject) -> float:
    logprobs = subject.answer.logprobs
    if not logprobs:
        raise Undecided(
            f"`{subject.base}` needs log probabilities; ask for them (`logprobs: true`) of a model that gives them"
        )
    return math.exp(min(-sum(logprobs) / len(logprobs), 700.0))


def finish_reason(subject: Subject) -> Finding:
    """The model stopped for this reason: `stop`, `length`, `tool_calls`, `content_filter`; case does not matter."""
    wanted = subject.value
    if wanted is UNDEFINED or not isinstance(wanted, str):
        raise Undecided("`finish-reason` takes a text as its value")
    came = subject.answer.finish_reason
    reason = f"it ended with `{came}`, not `{wanted}`" if came else "nobody said why it ended"
    return newly_negated(subject, bool(came) and came.lower() == wanted.lower(), reason, f"it ended with `{came}`")


def is_refusal(subject: Subject) -> Finding:
    """The answer is empty, no text, or begins or goes on as refusals do."""
    if not isinstance(subject.output, str):
        passed = subject.is_old or not subject.negated
        return Finding(passed=passed, score=0.0, reason="there is no text, which counts as a refusal")
    if not trim(subject.output):
        return Finding(passed=not subject.negated, score=0.0, reason="it is empty, which counts as a refusal")
    return verdict(is_refusal_text(subject.output), subject, "it is no refusal", "it is a refusal")


def guardrails(subject: Subject) -> Finding:
    """The provider's own guardrails did not object. Without word of any it passes, in 0.118 with 0 points."""
    said = subject.answer.guardrails
    if said is None and subject.is_old:
        return Finding(passed=True, score=0.0, reason="no guardrail was applied")
    said = said or {}
    where = "the prompt" if said.get("flaggedInput") else "the answer" if said.get("flaggedOutput") else "the content"
    reason = str(said.get("reason") or f"a guardrail objects to {where}")
    return newly_negated(subject, not said.get("flagged"), reason, "no guardrail objects to it")
