"""Writes what came of a row in promptfoo's words: one entry of `results` in its files."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.evals.promptfoo.documents import write_json
from watchkeeper.evals.promptfoo.files import IMAGES, SCHEME, SOUNDS, VIDEOS
from watchkeeper.evals.promptfoo.model import Grading, Prompt, ProviderOutput, Tokens
from watchkeeper.evals.promptfoo.plan import Row

Record = dict[str, Any]

WHOLE = "promptfoo"
"""Title of the mark that decides; its detail holds the result in promptfoo's words. Those of assertions only count."""

NONE, ASSERT, ERROR = 0, 1, 2
"""`failureReason`: it passed, an assertion failed, or something went wrong before."""

_NAMESPACE = uuid.UUID("5f0c1f1e-6b7e-5a3f-9a55-0e5d6f6f7a01")


def prompt_id(prompt: Prompt) -> str:
    """Return a prompt's `promptId`: the SHA-256 of its label."""
    return hashlib.sha256((prompt.label or prompt.raw).encode()).hexdigest()


def dollars(nusd: int | None) -> float:
    """Write an amount as promptfoo does: in dollars, 0 where nobody knows. Only for its files; nothing is added up."""
    return (nusd or 0) / NUSD_PER_USD


def token_usage(tokens: Tokens) -> dict[str, int]:
    """Write token counts."""
    return {
        "total": tokens.total,
        "prompt": tokens.prompt,
        "completion": tokens.completion,
        **({"cached": tokens.cached} if tokens.cached else {}),
        **({"numRequests": tokens.requests} if tokens.requests else {}),
    }


def begun(row: Row, prompt: str, variables: Mapping[str, Any], run: str) -> Record:
    """Write what is known of a row before it is answered; it is an error until more is."""
    provider, column = row.column.provider, row.column
    return {
        "cost": 0,
        "id": str(uuid.uuid5(_NAMESPACE, f"{run}:{row.test_index}:{column.index}")),
        "latencyMs": 0,
        "namedScores": {},
        "prompt": {
            "raw": prompt,
            "label": row.prompt.label,
            **({"config": dict(row.prompt.config)} if row.prompt.config else {}),
        },
        "promptId": prompt_id(row.prompt),
        "promptIdx": column.index,
        "provider": {"id": provider.id, "label": provider.label},
        "score": 0,
        "success": False,
        "testCase": {**row.test.as_json(), "vars": dict(variables)},
        "testIdx": row.test_index,
        "vars": dict(variables),
        "metadata": dict(row.test.metadata),
        "failureReason": ERROR,
    }


def failed(record: Record, error: str) -> Record:
    """Write that a row came to nothing."""
    return {**record, "error": error, "success": False, "score": 0, "failureReason": ERROR}


def answered(record: Record, row: Row, output: ProviderOutput) -> Record:
    """Write what the provider said."""
    response: dict[str, Any] = {"tokenUsage": token_usage(output.tokens), "cached": output.is_cached}
    if output.error:
        response["error"] = output.error
    if output.output is not None:
        response["output"] = output.output
    optional: dict[str, Any] = {
        "raw": output.raw,
        "cost": None if output.cost_nusd is None else dollars(output.cost_nusd),
        "logProbs": None if output.logprobs is None else list(output.logprobs),
        "finishReason": output.finish_reason or None,
        "isRefusal": output.is_refusal,
        "guardrails": output.guardrails,
        "metadata": dict(output.metadata),
    }
    response |= {key: value for key, value in optional.items() if value is not None}
    session = output.metadata.get("sessionId") or row.test.variables.get("sessionId")
    return {
        **record,
        "cost": dollars(output.cost_nusd),
        "latencyMs": round(output.latency_ms or 0),
        "response": response,
        "metadata": {
            **row.test.metadata,
            **output.metadata,
            "_promptfooFileMetadata": _files(row.test.variables),
            **({"sessionId": session} if isinstance(session, str) and session.strip() else {}),
        },
        "failureReason": NONE,
    }


def graded(record: Record, grading: Grading) -> Record:
    """Write what the assertions said."""
    return {
        **record,
        **({} if grading.passed else {"error": grading.reason}),
        "success": grading.passed,
        "score": grading.score,
        "namedScores": dict(grading.named_scores),
        "failureReason": NONE if grading.passed else ASSERT,
        "gradingResult": {
            "pass": grading.passed,
            "score": grading.score,
            "reason": grading.reason,
            "namedScores": dict(grading.named_scores),
            "tokensUsed": {"total": 0, "prompt": 0, "completion": 0, **token_usage(grading.tokens)},
            "componentResults": [dict(component) for component in grading.components],
        },
    }


def output_text(record: Record) -> str:
    """Return what a row's cell shows: the output, else the error."""
    output = (record.get("response") or {}).get("output")
    if isinstance(output, dict | list):
        return write_json(output)
    shown = "" if output in (None, "", False) else str(output)
    return shown or str(record.get("error") or "")


def _files(variables: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in variables.items():
        if isinstance(value, str) and value.startswith(SCHEME):
            extension = value.rpartition(".")[2]
            dotted = f".{extension.lower()}"
            kinds = {"image": IMAGES, "video": VIDEOS, "audio": SOUNDS}
            kind = next((kind for kind, endings in kinds.items() if dotted in endings), None)
            if kind:
                found[name] = {"path": value, "type": kind, "format": extension}
    return found
