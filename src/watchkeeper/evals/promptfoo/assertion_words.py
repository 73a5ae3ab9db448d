"""Assertions in one line of text, as tables of tests have them: `[not-]TYPE[(THRESHOLD)][:VALUE]`."""

import re
from typing import Any

from watchkeeper.evals.promptfoo.scripts import JAVASCRIPT_FILES

BASE_TYPES = (
    "agent-rubric",
    "answer-relevance",
    "bleu",
    "classifier",
    "contains",
    "contains-all",
    "contains-any",
    "contains-html",
    "contains-json",
    "contains-sql",
    "contains-xml",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "cost",
    "equals",
    "factuality",
    "finish-reason",
    "g-eval",
    "gleu",
    "guardrails",
    "icontains",
    "icontains-all",
    "icontains-any",
    "is-html",
    "is-json",
    "is-refusal",
    "is-sql",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call",
    "is-xml",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "meteor",
    "model-graded-closedqa",
    "model-graded-factuality",
    "moderation",
    "perplexity",
    "perplexity-score",
    "pi",
    "python",
    "regex",
    "rouge-n",
    "ruby",
    "search-rubric",
    "similar",
    "similar:cosine",
    "similar:dot",
    "similar:euclidean",
    "skill-used",
    "starts-with",
    "tool-call-f1",
    "trace-error-spans",
    "trace-span-count",
    "trace-span-duration",
    "trajectory:goal-success",
    "trajectory:step-count",
    "trajectory:tool-args-match",
    "trajectory:tool-sequence",
    "trajectory:tool-used",
    "webhook",
    "word-count",
)
SPECIAL_TYPES = ("assert-set", "select-best", "max-score", "human")

SIMILAR_THRESHOLD = 0.8
OTHER_THRESHOLD = 0.75
"""What a table gives every other type that has a threshold, latency and cost included."""

_LISTS = frozenset({"contains-all", "contains-any", "icontains-all", "icontains-any"})
_RAW = frozenset({"contains-json", "is-json"})
_WITH_THRESHOLD = frozenset(
    {
        "answer-relevance",
        "classifier",
        "context-faithfulness",
        "context-recall",
        "context-relevance",
        "cost",
        "latency",
        "levenshtein",
        "perplexity-score",
        "perplexity",
        "rouge-n",
        "similar",
        "starts-with",
    }
)
_WRITTEN = re.compile(rf"(not-)?({'|'.join(map(re.escape, BASE_TYPES))})(?:\((\d+(?:\.\d+)?)\))?(?::([\s\S]*))?")


def read_assertion(text: str) -> dict[str, Any]:
    """Read one; what is none of the known types is a text that the output must equal."""
    if text.startswith("file://") and text.endswith(JAVASCRIPT_FILES):
        return {"type": "javascript", "value": text}
    for prefix in ("javascript:", "fn:", "eval:"):
        if text.startswith(prefix):
            return {"type": "javascript", "value": text.removeprefix(prefix).strip()}
    for prefix in ("grade:", "llm-rubric:"):
        if text.startswith(prefix):
            return {"type": "llm-rubric", "value": text.removeprefix(prefix)}
    if text.startswith("python:"):
        return {"type": "python", "value": text.removeprefix("python:").strip()}
    if text.startswith("file://") and (text.endswith(".py") or ".py:" in text):
        return {"type": "python", "value": text.removeprefix("file://").strip()}
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return {"type": "equals", "value": text}
    negation, kind, threshold, value = found.groups()
    made: dict[str, Any] = {"type": (negation or "") + kind}
    if kind in _LISTS:
        made["value"] = [part.strip() for part in value.split(",")] if value else value
    elif kind in _RAW:
        made["value"] = value
    else:
        made["value"] = value.strip() if value is not None else None
    if kind in _WITH_THRESHOLD:
        default = SIMILAR_THRESHOLD if kind == "similar" else OTHER_THRESHOLD
        made["threshold"] = float(threshold) if threshold else default
    return {key: item for key, item in made.items() if item is not None}
