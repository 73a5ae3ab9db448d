"""Which of our scorers an assertion is, where there is one that says the same."""

from collections.abc import Mapping
from typing import Any

from watchkeeper.evals.promptfoo.errors import CaseFailed
from watchkeeper.evals.promptfoo.model import Assertion

_SAME: Mapping[str, tuple[str, dict[str, Any]]] = {
    "equals": ("equals", {}),
    "contains": ("contains", {}),
    "icontains": ("contains", {"ignore_case": True}),
    "contains-any": ("contains_any", {}),
    "icontains-any": ("contains_any", {"ignore_case": True}),
    "contains-all": ("contains_all", {}),
    "icontains-all": ("contains_all", {"ignore_case": True}),
    "starts-with": ("starts_with", {}),
    "regex": ("regex", {}),
    "is-json": ("json", {}),
    "contains-json": ("json", {"within": True}),
    "is-xml": ("xml", {}),
    "contains-xml": ("xml", {"within": True}),
    "is-sql": ("sql", {"dialect": "mysql"}),
    "contains-sql": ("sql", {"dialect": "mysql", "within": True}),
    "bleu": ("bleu", {}),
    "gleu": ("gleu", {}),
    "meteor": ("meteor", {}),
    "rouge-n": ("rouge", {"variant": "1"}),
    "similar": ("similar", {}),
    "similar:cosine": ("similar", {}),
    "is-refusal": ("refusal", {}),
    "finish-reason": ("finish", {}),
    "word-count": ("words", {}),
    "llm-rubric": ("rubric", {}),
    "factuality": ("factuality", {}),
    "model-graded-factuality": ("factuality", {}),
    "model-graded-closedqa": ("closed_qa", {}),
    "g-eval": ("g_eval", {}),
    "answer-relevance": ("answer_relevance", {}),
    "context-faithfulness": ("faithfulness", {}),
    "context-recall": ("context_recall", {}),
    "context-relevance": ("context_relevance", {}),
}
_LISTS = frozenset({"contains-any", "icontains-any", "contains-all", "icontains-all"})
_AS_VALUE = {"latency": "latency", "cost": "cost", "perplexity": "perplexity"}
"""Types whose threshold is a limit; with us, a scorer's value."""
_EDITS = 5
_NO_THRESHOLD = frozenset({"equals", "contains", "contains_any", "contains_all", "starts_with", "regex", "json", "xml"})
_CHANGED = ("transform", "contextTransform", "rubricPrompt", "config", "normalizeUnicode")
"""Keys of an assertion that change what it says, and that our scorers do not have."""


def scorer_of(assertion: Assertion) -> dict[str, Any]:
    """Return a scorer as a suite's file has it.

    Raises:
        CaseFailed: no scorer says the same; the message says why.
    """
    kind = str(assertion.get("type", ""))
    base = kind.removeprefix("not-")
    for key in _CHANGED:
        if assertion.get(key) is not None:
            raise CaseFailed(f"`{kind}` has `{key}`, which scorers do not have")
    value = assertion.get("value")
    if isinstance(value, str) and value.startswith("file://"):
        raise CaseFailed(f"`{kind}` takes its value from {value}")
    scorer = _written(base, kind, assertion)
    if kind != base:
        scorer["not"] = True
    if assertion.get("weight") is not None:
        scorer["weight"] = assertion["weight"]
    if metric := assertion.get("metric"):
        scorer["name"] = str(metric)
    return scorer


def _written(base: str, kind: str, assertion: Assertion) -> dict[str, Any]:
    value, threshold = assertion.get("value"), assertion.get("threshold")
    if base == "levenshtein":
        edits = _EDITS if threshold is None else threshold
        return {"type": "levenshtein", "value": value, "options": {"max_distance": int(edits)}}
    if base in _AS_VALUE:
        if threshold is None:
            raise CaseFailed(f"`{kind}` has no threshold")
        return {"type": _AS_VALUE[base], "value": str(threshold) if base == "cost" else threshold}
    if base not in _SAME:
        raise CaseFailed(f"there is no scorer like `{kind}`")
    own, options = _SAME[base]
    scorer: dict[str, Any] = {"type": own}
    if isinstance(value, dict) and base.endswith("-sql"):
        raise CaseFailed(f"`{kind}` with settings of its own: write `dialect` and `allowed_tables` by hand")
    if base in _LISTS and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if value is not None:
        scorer["value"] = value
    if threshold is not None and own not in _NO_THRESHOLD:
        scorer["threshold"] = threshold
    return {**scorer, "options": dict(options)} if options else scorer
