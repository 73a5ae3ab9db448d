"""The types of scorers that need no model, by name; what each needs is loaded when the first of it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from watchkeeper.config.problems import did_you_mean
from watchkeeper.evals.scorers.marking import Marking, MarkingLater, refused
from watchkeeper.evals.scoring import Scores, ScoresLater
from watchkeeper.evals.suite import Scorer


@dataclass(frozen=True, slots=True)
class Kind:
    """One type."""

    meaning: str
    """What passes, in one line."""
    maker: str
    """`MODULE:FUNCTION`, which takes a scorer and gives what looks at answers."""
    threshold: float = 1.0
    """Where the scorer has none."""
    is_later: bool = False
    """Whether another process is asked."""


KINDS: Mapping[str, Kind] = {
    "equals": Kind("the answer is the value, as text or as JSON", "watchkeeper.evals.scorers.texts:equals"),
    "contains": Kind("the answer holds a text", "watchkeeper.evals.scorers.texts:contains"),
    "contains_any": Kind("the answer holds one of several texts", "watchkeeper.evals.scorers.texts:contains_any"),
    "contains_all": Kind("the answer holds several texts", "watchkeeper.evals.scorers.texts:contains_all"),
    "starts_with": Kind("the answer begins with a text", "watchkeeper.evals.scorers.texts:starts_with"),
    "ends_with": Kind("the answer ends with a text", "watchkeeper.evals.scorers.texts:ends_with"),
    "regex": Kind("the answer matches a pattern", "watchkeeper.evals.scorers.texts:regex"),
    "numeric": Kind("the number in the answer is near the value", "watchkeeper.evals.scorers.numbers:numeric"),
    "json": Kind("the answer is JSON, and fits a schema", "watchkeeper.evals.scorers.json_fit:json"),
    "json_path": Kind("what stands at a path of the JSON is right", "watchkeeper.evals.scorers.json_paths:json_path"),
    "sql": Kind("the answer is SQL, over allowed tables", "watchkeeper.evals.scorers.sql:sql"),
    "xml": Kind("the answer is XML, with certain elements", "watchkeeper.evals.scorers.xml:xml"),
    "levenshtein": Kind("few letters would have to be edited", "watchkeeper.evals.scorers.overlap:levenshtein", 0.8),
    "rouge": Kind(
        "the words of the reference are there (ROUGE-1, -2, -L)", "watchkeeper.evals.scorers.overlap:rouge", 0.75
    ),
    "bleu": Kind("the phrases of the references are there (BLEU)", "watchkeeper.evals.scorers.overlap:bleu", 0.5),
    "gleu": Kind("the phrases of the reference are there (GLEU)", "watchkeeper.evals.scorers.overlap:gleu", 0.5),
    "meteor": Kind(
        "words and stems of the reference are there (METEOR)", "watchkeeper.evals.scorers.overlap:meteor", 0.5
    ),
    "similar": Kind("the answer means what the reference means", "watchkeeper.evals.scorers.similarity:similar", 0.75),
    "latency": Kind("the answer came within a time", "watchkeeper.evals.scorers.limits:latency"),
    "cost": Kind("the answer cost no more than an amount", "watchkeeper.evals.scorers.limits:cost"),
    "tokens": Kind("the answer has so many tokens", "watchkeeper.evals.scorers.limits:tokens"),
    "words": Kind("the answer has so many words", "watchkeeper.evals.scorers.limits:words"),
    "perplexity": Kind("the model was sure of its words", "watchkeeper.evals.scorers.limits:perplexity"),
    "refusal": Kind("the answer is a refusal", "watchkeeper.evals.scorers.refusals:refusal"),
    "finish": Kind("the answer ended for a certain reason", "watchkeeper.evals.scorers.labels:finish"),
    "language": Kind("the answer is in a language", "watchkeeper.evals.scorers.languages:language"),
    "classification": Kind("the answer is the right label", "watchkeeper.evals.scorers.labels:classification"),
    "tool_calls": Kind(
        "the answer asks for the right tools with the right arguments", "watchkeeper.evals.scorers.tools:tool_calls"
    ),
    "trajectory": Kind("the tools were asked for in the right order", "watchkeeper.evals.scorers.tools:trajectory"),
    "python": Kind(
        "a function or expression in Python says so", "watchkeeper.evals.scorers.python:python", 0.5, is_later=True
    ),
}
TYPES: Mapping[str, str] = {name: kind.meaning for name, kind in KINDS.items()}
"""What each type lets pass, in one line."""
KNOWN: tuple[str, ...] = tuple(KINDS)
"""The types of this table; there may be others elsewhere."""
RUNS_CODE: frozenset[str] = frozenset({"python"})
"""Types that run code of the suite's author on this machine, with the rights of this process."""


def build(scorer: Scorer) -> Scores | ScoresLater:
    """Make a scorer ready. Raises ScorerRefused, which names what is wrong with it, and what was meant."""
    kind = KINDS.get(scorer.type)
    if kind is None:
        raise refused(scorer, f"has no type that there is: `{scorer.type}`{did_you_mean(scorer.type, KNOWN)}")
    if scorer.judge:
        raise refused(scorer, "needs no judge; leave `judge` out.")
    if not 0 <= scorer.weight < float("inf"):
        raise refused(scorer, f"cannot have the weight {scorer.weight:g}; it is 0 or more.")
    if scorer.threshold is not None and not 0 <= scorer.threshold <= 1:
        raise refused(
            scorer,
            f"cannot have the threshold {scorer.threshold:g}; it is a score between 0 and 1. A limit is its `value`.",
        )
    module, _, name = kind.maker.partition(":")
    make: Callable[[Scorer], Any] = getattr(import_module(module), name)
    marking = MarkingLater if kind.is_later else Marking
    return marking(scorer, make(scorer), kind.threshold)
