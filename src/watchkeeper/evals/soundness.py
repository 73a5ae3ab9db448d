"""What a suite must hold, wherever it came from, so that its figures mean what they say."""

from collections import Counter
from collections.abc import Iterator
from math import isfinite

from watchkeeper.evals.suite import CASES_MAX, REPEATS_MAX, Case, Gate, Scorer, Suite

ID_LETTERS_MAX = 400
NAME_LETTERS_MAX = 200
WEIGHT_MAX = 1e6
RATIO_MAX = 100.0
"""Of latency and cost: a hundred times as much more."""


def unsound(suite: Suite) -> Iterator[str]:
    """Say in whole sentences what is wrong with a suite; nothing where all is well.

    An id that two cases have, or a weight that is below 0 or no number, would let cases disappear from what is counted.
    """
    for what, name in (("feature", suite.feature), ("name", suite.name)):
        if not 0 < len(name) <= NAME_LETTERS_MAX:
            yield f"Its {what} must have 1 to {NAME_LETTERS_MAX} letters."
    if not 1 <= len(suite.cases) <= CASES_MAX:
        yield f"It has {len(suite.cases):,} cases; 1 to {CASES_MAX:,} are taken."
    if not 1 <= suite.repeats <= REPEATS_MAX:
        yield f"`repeats` must be a whole number from 1 to {REPEATS_MAX}."
    for name, times in Counter(case.id for case in suite.cases).items():
        if times > 1:
            yield f"`{name[:60]}` is the id of {times} cases."
    if suite.cases and not any(case.weight > 0 for case in suite.cases):
        yield "No case has a weight above 0, so nothing would be counted."
    for scorer in suite.scorers:
        yield from _of_scorer(scorer, "")
    for case in suite.cases:
        yield from _of_case(case)
    yield from _of_gate(suite.gate)


def _of_case(case: Case) -> Iterator[str]:
    where = f"The case `{case.id[:60]}`: "
    if not 0 < len(case.id) <= ID_LETTERS_MAX:
        yield f"{where}its id must have 1 to {ID_LETTERS_MAX} letters."
    if not 0 <= case.weight <= WEIGHT_MAX:
        yield f"{where}its weight must be between 0 and {WEIGHT_MAX:,.0f}."
    if case.threshold is not None and not isfinite(case.threshold):
        yield f"{where}its threshold must be a number."
    for scorer in case.scorers:
        yield from _of_scorer(scorer, where)


def _of_scorer(scorer: Scorer, where: str) -> Iterator[str]:
    if not 0 <= scorer.weight <= WEIGHT_MAX:
        yield f"{where}The weight of the scorer `{scorer.title[:60]}` must be between 0 and {WEIGHT_MAX:,.0f}."
    if scorer.threshold is not None and not isfinite(scorer.threshold):
        yield f"{where}The threshold of the scorer `{scorer.title[:60]}` must be a number."


def _of_gate(gate: Gate) -> Iterator[str]:
    for name, value, low, high in (
        ("margin", gate.margin, 0.0, 1.0),
        ("alpha", gate.alpha, 0.0001, 0.5),
        ("unmeasured", gate.unmeasured, 0.0, 1.0),
        ("min_pass", gate.min_pass, 0.0, 1.0),
        ("latency", gate.latency, 0.0, RATIO_MAX),
        ("cost", gate.cost, 0.0, RATIO_MAX),
    ):
        if value is not None and not low <= value <= high:
            yield f"The gate's `{name}` must be between {low:g} and {high:g}, or per cent, such as `5%`."
