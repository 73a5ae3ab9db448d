"""The `context` that functions of assertions are given."""

from typing import Any

from watchkeeper.evals.promptfoo.assertions.subject import Subject
from watchkeeper.evals.promptfoo.model import Assertion, GradingContext, ProviderOutput

NUSD_PER_USD = 1_000_000_000


def view(subject: Subject) -> dict[str, Any]:
    """Return the context of an assertion, as JSON."""
    return context_view(subject.assertion, subject.answer, subject.context)


def context_view(assertion: Assertion, answer: ProviderOutput, context: GradingContext) -> dict[str, Any]:
    """Return `prompt`, `vars`, `test`, `logProbs`, `provider`, `providerResponse`, `config`, `metadata` and `trace`."""
    given: dict[str, Any] = {
        "prompt": context.prompt,
        "vars": dict(context.variables),
        "test": context.test.as_json(),
        "provider": {
            "id": context.provider.id,
            "label": context.provider.label,
            "config": dict(context.provider.config),
        },
        "providerResponse": response_view(answer),
        "metadata": dict(answer.metadata),
    }
    if answer.logprobs is not None:
        given["logProbs"] = list(answer.logprobs)
    if assertion.get("config"):
        given["config"] = assertion["config"]
    if context.trace is not None:
        given["trace"] = dict(context.trace)
    return given


def response_view(answer: ProviderOutput) -> dict[str, Any]:
    """Return an answer as promptfoo has it."""
    given: dict[str, Any] = {
        "output": answer.output,
        "raw": answer.raw,
        "cached": answer.is_cached,
        "cost": None if answer.cost_nusd is None else answer.cost_nusd / NUSD_PER_USD,
        "latencyMs": answer.latency_ms,
        "error": answer.error or None,
        "finishReason": answer.finish_reason or None,
        "guardrails": None if answer.guardrails is None else dict(answer.guardrails),
        "isRefusal": answer.is_refusal,
        "metadata": dict(answer.metadata),
        "tokenUsage": {
            "total": answer.tokens.total,
            "prompt": answer.tokens.prompt,
            "completion": answer.tokens.completion,
            "cached": answer.tokens.cached,
            "numRequests": answer.tokens.requests,
        },
    }
    return {key: value for key, value in given.items() if value is not None}
