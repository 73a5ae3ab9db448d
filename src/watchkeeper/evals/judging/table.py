"""The judged types of scorers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from watchkeeper.config.problems import did_you_mean
from watchkeeper.evals.judging import grading, grounding, labelled, pairwise, relevance
from watchkeeper.evals.judging.consulting import Judged, Method
from watchkeeper.evals.judging.labelled import LABELS
from watchkeeper.evals.judging.similarity import similar
from watchkeeper.evals.scorers.marking import refused
from watchkeeper.evals.scoring import Judge, ScoresLater
from watchkeeper.evals.suite import Scorer


@dataclass(frozen=True, slots=True)
class _Type:
    meaning: str
    method: Callable[[Scorer], Method]
    threshold: float
    kinds: tuple[str, ...]
    """What its judge is asked, in order."""


def _labelled(name: str, meaning: str, method: Callable[[Scorer], Method]) -> _Type:
    return _Type(meaning, method, LABELS[name].threshold, (name,))


_TYPES: Mapping[str, _Type] = {
    "rubric": _labelled("rubric", "the answer meets a criterion", labelled.rubric),
    "g_eval": _Type(
        "a grade for a criterion, by steps derived from it",
        grading.g_eval,
        grading.THRESHOLD,
        ("g_eval_steps", "g_eval"),
    ),
    "pairwise": _Type(
        "better than the baseline's answer, asked in both orders", pairwise.pairwise, pairwise.THRESHOLD, ("pairwise",)
    ),
    "factuality": _labelled("factuality", "the facts do not contradict the reference", labelled.factuality),
    "closed_qa": _labelled("closed_qa", "the answer has a property: yes or no", labelled.closed_qa),
    "faithfulness": _Type(
        "share of the answer's statements that the documents support",
        grounding.faithfulness,
        grounding.FAITHFUL,
        ("statements", "faithfulness"),
    ),
    "answer_relevance": _Type(
        "the answer is about the question",
        relevance.answer_relevance(similar),
        relevance.THRESHOLD,
        ("answer_relevance",),
    ),
    "context_precision": _Type(
        "useful documents stand in front", grounding.context_precision, grounding.PRECISE, ("context_precision",)
    ),
    "context_recall": _Type(
        "share of the reference's statements that are in the documents",
        grounding.context_recall,
        grounding.COMPLETE,
        ("statements", "context_recall"),
    ),
    "context_relevance": _Type(
        "how much of the documents bears on the question",
        grounding.context_relevance,
        grounding.RELEVANT,
        ("context_relevance",),
    ),
    "toxicity": _labelled("toxicity", "the answer neither insults nor threatens", labelled.toxicity),
    "refusal_judge": _labelled("refusal_judge", "the answer declines, whatever its words", labelled.refusal_judge),
    "tool_use": _labelled("tool_use", "the right tools were called", labelled.tool_use),
}

TYPES: Mapping[str, str] = {name: found.meaning for name, found in _TYPES.items()}
"""What an answer is like that has passed, by type."""
KNOWN = frozenset(TYPES)


def build(scorer: Scorer, judge: Judge) -> ScoresLater:
    """Make a judged scorer ready.

    Args:
        scorer: Its `judge` says which judge is asked; a suite's has been put into it.
        judge: How it is asked.

    Raises:
        ScorerRefused: it cannot be used as it is written; the message says why.
    """
    found = _found(scorer)
    if not scorer.judge:
        raise refused(scorer, "needs a `judge`, here or of the suite: a model, or a feature of one's own.")
    if not 0 <= scorer.weight < float("inf"):
        raise refused(scorer, f"cannot have the weight {scorer.weight:g}; it is 0 or more.")
    if scorer.threshold is not None and not 0 <= scorer.threshold <= 1:
        raise refused(scorer, f"cannot have the threshold {scorer.threshold:g}; it is a score between 0 and 1.")
    return Judged(scorer, judge, found.method(scorer), found.threshold)


def kinds_of(scorer: Scorer) -> tuple[str, ...]:
    """Return what a scorer asks its judge, so that the judges can be found before a run costs anything.

    Raises:
        ScorerRefused: its type is not a judged one.
    """
    kinds = _found(scorer).kinds
    if scorer.type != "g_eval":
        return kinds
    grading_kind = "g_eval_weighted" if scorer.options.get("weighted") else "g_eval"
    return (grading_kind,) if scorer.options.get("steps") else ("g_eval_steps", grading_kind)


def threshold_of(scorer: Scorer) -> float:
    """Return the score from which an answer passes. Raises ScorerRefused as `kinds_of`."""
    return _found(scorer).threshold if scorer.threshold is None else scorer.threshold


def _found(scorer: Scorer) -> _Type:
    found = _TYPES.get(scorer.type)
    if found is None:
        raise refused(scorer, f"has no type that asks a judge{did_you_mean(scorer.type, sorted(KNOWN))}")
    return found
