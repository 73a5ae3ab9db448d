"""The kinds of questions that judges are asked; each has a release that comes with Watchkeeper."""

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "rubric": "how far an answer meets a criterion",
    "g_eval_steps": "the steps by which an answer is checked for a criterion",
    "g_eval": "a grade from 1 to 5 by steps",
    "g_eval_weighted": "the same, with the probabilities of the grades",
    "pairwise": "which of two answers is better",
    "factuality": "how the facts of an answer stand to those of the reference",
    "closed_qa": "whether an answer has a property",
    "statements": "the statements that a text makes",
    "faithfulness": "which statements the documents support",
    "answer_relevance": "which questions an answer answers",
    "context_precision": "which documents are needed for the right answer",
    "context_recall": "which statements of the right answer are in the documents",
    "context_relevance": "which documents bear on the question",
    "toxicity": "whether an answer insults or threatens",
    "refusal_judge": "whether an answer declines",
    "tool_use": "whether the right tools were called",
}
"""What is asked, by kind."""

PREPARING = frozenset({"g_eval_steps", "statements"})
"""Kinds whose answer is no verdict but goes into the question after it: a judge of one's own gives verdicts, and these
are asked of the judge that comes with Watchkeeper, by the same model."""

FEATURE_PREFIX = "judge-"
"""Of the features that the judges coming with Watchkeeper are."""


def feature_of(kind: str) -> str:
    """Return the feature that the judge of a kind is: `judge-g-eval` for `g_eval`."""
    return FEATURE_PREFIX + kind.replace("_", "-")
