"""What the arms of a rollout are compared by."""

from dataclasses import dataclass
from typing import Literal, get_args

MetricName = Literal["errors", "parse_failures", "latency", "cost", "feedback"]
"""errors: calls that failed. parse_failures: calls whose output did not fit the release's schema, also after repair.
latency: answers that took longer than 95 % of the standing release's did before. cost: nano-dollars of an answer.
feedback: how far the scores, which lie between 0 and 1, stay below 1. Of each, more is worse."""
METRICS: tuple[MetricName, ...] = get_args(MetricName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How one figure is compared."""

    is_share: bool
    """Values lie between 0 and 1: compared exactly. Otherwise a mean, compared in the limit of many observations."""
    margin: float
    """By how much a candidate may be worse and still pass: of a share a difference, of a mean a part of the standing
    release's."""
    weight: int
    """Its part of the error budget, beside those of the other metrics: the larger, the sooner it is known."""
    least: int
    """Observations in each arm below which nothing is decided by it."""
    ends_at_once: bool = False
    """A worse candidate is taken back also where it is better in something else."""
    must_be_proven: bool = True
    """A wider share waits until it is known to be no worse; otherwise it waits only while it is known to be worse."""


METRIC: dict[MetricName, Metric] = {
    "errors": Metric(is_share=True, margin=0.01, weight=3, least=30, ends_at_once=True),
    "parse_failures": Metric(is_share=True, margin=0.01, weight=2, least=30, ends_at_once=True),
    "latency": Metric(is_share=True, margin=0.05, weight=1, least=30),
    "cost": Metric(is_share=False, margin=0.1, weight=1, least=100),
    "feedback": Metric(is_share=True, margin=0.05, weight=1, least=30, must_be_proven=False),
}
