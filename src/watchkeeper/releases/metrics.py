"""What the arms of a rollout are compared by."""

from dataclasses import dataclass
from typing import Literal, get_args

MetricName = Literal["errors", "parse_failures", "latency", "cost", "feedback"]
"""errors: calls that failed. parse_failures: calls whose output did not fit the release's schema, also after repair.
latency: answers that took longer than 95 % of the standing release's did before. cost: nano-dollars of an answer.
feedback: score that people and programs gave it."""
METRICS: tuple[MetricName, ...] = get_args(MetricName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How one figure is compared."""

    is_share: bool
    """Values are 0 or 1: compared exactly. Otherwise a mean, compared in the limit of many observations."""
    more_is_worse: bool = True
    margin: float
    """By how much a candidate may be worse and still pass, in the measure below."""
    measure: Literal["points", "of the mean", "of the spread"]
    """points: a difference of shares. of the mean, of the spread: of the standing release's mean, or the standard
    deviation of its values."""
    weight: int
    """Its part of the error budget, beside those of the other metrics: the larger, the sooner it is known."""
    least: int
    """Observations in each arm below which nothing is decided by it."""
    ends_at_once: bool = False
    """A worse candidate is taken back also where it is better in something else."""
    must_be_proven: bool = True
    """A wider share waits until it is known to be no worse; otherwise it waits only while it is known to be worse."""


METRIC: dict[MetricName, Metric] = {
    "errors": Metric(is_share=True, margin=0.01, measure="points", weight=3, least=30, ends_at_once=True),
    "parse_failures": Metric(is_share=True, margin=0.01, measure="points", weight=2, least=30, ends_at_once=True),
    "latency": Metric(is_share=True, margin=0.05, measure="points", weight=1, least=30),
    "cost": Metric(is_share=False, margin=0.1, measure="of the mean", weight=1, least=100),
    "feedback": Metric(
        is_share=False,
        more_is_worse=False,
        margin=0.2,
        measure="of the spread",
        weight=1,
        least=100,
        must_be_proven=False,
    ),
}
