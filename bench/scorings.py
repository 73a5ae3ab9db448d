"""How many answers scorers that need no model mark in a second, on one core."""

import json
import time
from collections.abc import Iterator

from bench.figure import Figure, Settings, Target, median
from watchkeeper.evals.outcome import Answer
from watchkeeper.evals.scorers.marking import Marking
from watchkeeper.evals.scorers.table import build
from watchkeeper.evals.scoring import Question
from watchkeeper.evals.suite import Case, Scorer

AT_LEAST_PER_S = 5_000
CASES = 2_000
"""Each with an answer and a reference of its own, as in a run."""
SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "items": {"type": "array", "items": {"type": "string"}}},
    "required": ["total", "items"],
}
MIX = (
    Scorer(type="contains", value="delivered", options={"ignore_case": True}),
    Scorer(type="regex", value=r"\border \d{4,8}\b"),
    Scorer(type="json", value=SCHEMA, options={"within": True}),
    Scorer(type="numeric", options={"absolute": 0.01}),
    Scorer(type="levenshtein", value="Your order was delivered to the address that you gave."),
    Scorer(type="equals", value="Your order was delivered."),
)
SENTENCES = "Your order 1234567 was delivered to the address that you gave, and the courier left it at the door. " * 8


def measure(settings: Settings) -> list[Figure]:
    """Mark the same cases with six types in turn, several times over."""
    scorers = [build(scorer) for scorer in MIX]
    questions = [(scorer, list(_questions(scorer))) for scorer in MIX]
    per_s = []
    by_type: dict[str, list[float]] = {scorer.type: [] for scorer in MIX}
    for _ in range(settings.pick(5, 1) + 1):
        spent_s = 0.0
        for built, (scorer, asked) in zip(scorers, questions, strict=True):
            assert isinstance(built, Marking)
            started = time.process_time()
            for question in asked:
                built.mark(question)
            took_s = time.process_time() - started
            by_type[scorer.type].append(len(asked) / took_s)
            spent_s += took_s
        per_s.append(len(MIX) * CASES / spent_s)
    slowest = min(by_type, key=lambda name: median(by_type[name]))
    return [
        Figure(
            name="scorings without a model, one core",
            value=median(per_s[1:]),
            unit="/s",
            target=Target("at least", AT_LEAST_PER_S),
            note=f"{', '.join(by_type)} in equal parts, answers of 0.9 KB; the slowest, {slowest}, "
            f"{median(by_type[slowest][1:]):,.0f}/s.",
            samples={"per_s": per_s[1:], **{name: rates[1:] for name, rates in by_type.items()}},
        )
    ]


def _questions(scorer: Scorer) -> Iterator[Question]:
    for number in range(CASES):
        total = number * 1.25
        text = f"{SENTENCES}\n```json\n{json.dumps({'total': total, 'items': ['a', 'b']})}\n```\nIn all: {total:,.2f}"
        value = total if scorer.value is None else scorer.value
        yield Question(case=Case(id=str(number), reference=total), answer=Answer(text=text), value=value)
