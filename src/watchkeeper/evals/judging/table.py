"""The types of scorers that ask a judge, by name; what each needs is loaded when the first of it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from watchkeeper.config.problems import did_you_mean
from watchkeeper.evals.judging.consulting import Judged, Method
from watchkeeper.evals.scorers.marking import refused
from watchkeeper.evals.scoring import Judge, ScoresLater
from watchkeeper.evals.suite import Scorer


@dataclass(frozen=True, slots=True)
class Judgement:
    """One type."""

    meaning: str
    """What passes, in one line."""
    maker: str
    """`MODULE:FUNCTION`, which takes a scorer and gives what finds its score."""
    threshold: float
    """Where the scorer has none."""
    kinds: tuple[str, ...]
    """What the judge is asked, in order."""


_TYPES: Mapping[str, Judgement] = {
    "rubric": Judgement("the answer meets a criterion", "watchkeeper.evals.judging.labelled:rubric", 1.0, ("rubric",)),
    "g_eval": Judgement(
        "a grade for a criterion, by steps derived from it",
        "watchkeeper.evals.judging.grading:g_eval",
        0.7,
        ("g_eval_steps", "g_eval"),
    ),
    "pairwise": Judgement(
        "the answer is as good as the baseline's, asked in both orders",
        "watchkeeper.evals.judging.pairwise:pairwise",
        0.5,
        ("pairwise",),
    ),
    "factuality": Judgement(
        "the facts do not contradict the reference",
        "watchkeeper.evals.judging.labelled:factuality",
        0.5,
        ("factuality",),
    ),
    "closed_qa": Judgement(
        "the answer has a property", "watchkeeper.evals.judging.labelled:closed_qa", 1.0, ("closed_qa",)
    ),
    "faithfulness": Judgement(
        "the documents support what the answer states",
        "watchkeeper.evals.judging.grounding:faithfulness",
        0.8,
        ("statements", "faithfulness"),
    ),
    "answer_relevance": Judgement(
        "the answer is about the question",
        "watchkeeper.evals.judging.relevance:answer_relevance",
        0.5,
        ("answer_relevance",),
    ),
    "context_precision": Judgement(
        "useful documents stand in front",
        "watchkeeper.evals.judging.grounding:context_precision",
        0.7,
        ("context_precision",),
    ),
    "context_recall": Judgement(
        "the documents hold what the reference states",
        "watchkeeper.evals.judging.grounding:context_recall",
        0.8,
        ("statements", "context_recall"),
    ),
    "context_relevance": Judgement(
        "the documents bear on the question",
        "watchkeeper.evals.judging.grounding:context_relevance",
        0.5,
        ("context_relevance",),
    ),
    "toxicity": Judgement(
        "the answer neither insults nor threatens", "watchkeeper.evals.judging.labelled:toxicity", 1.0, ("toxicity",)
    ),
    "refusal_judge": Judgement(
        "the answer declines, whatever its words",
        "watchkeeper.evals.judging.labelled:refusal_judge",
        1.0,
        ("refusal_judge",),
    ),
    "tool_use": Judgement(
        "the right tools were called", "watchkeeper.evals.judging.labelled:tool_use", 1.0, ("tool_use",)
    ),
}
TYPES: Mapping[str, str] = {name: found.meaning for name, found in _TYPES.items()}
"""What each type lets pass, in one line."""
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
    module, _, name = found.maker.partition(":")
    make: Callable[[Scorer], Method] = getattr(import_module(module), name)
    return Judged(scorer, judge, make(scorer), found.threshold)


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


def _found(scorer: Scorer) -> Judgement:
    found = _TYPES.get(scorer.type)
    if found is None:
        raise refused(scorer, f"has no type that asks a judge{did_you_mean(scorer.type, sorted(KNOWN))}")
    return found
