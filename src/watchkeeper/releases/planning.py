"""How a rollout is planned when little is said of it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from watchkeeper.releases.judging import Guard, Plan, Step, Widening
from watchkeeper.releases.metrics import METRIC, METRICS, MetricName

SHARES = (0.05, 0.2, 0.5, 1.0)
"""Of a canary's steps."""
BAKE_S = 1_800.0
LEAST_CALLS = 200
SHADOW_SHARE = 0.1
ARMS_MAX = 5
"""Releases that are tried in one A/B test."""
STEPS_MAX = 20
"""Each takes its part of the error budget."""


class PlanUnreadable(ValueError):
    """What was asked for is no plan; the message says why."""


def canary_plan(
    shares: Sequence[float] = (),
    *,
    first: float | None = None,
    guards: Mapping[MetricName, float | None] | None = None,
    bake_s: float | None = None,
    least_calls: int | None = None,
    widening: Widening = "proven",
) -> Plan:
    """Plan a canary.

    Args:
        shares: Of its steps; `SHARES` without any.
        first: The first share, of the steps of `SHARES` that are larger.
        guards: By metric, how much worse the candidate may be, None for the metric's own margin; every metric without
            any.
        bake_s: How long a step takes at least; `BAKE_S` unless told otherwise.
        least_calls: What the candidate must have been called in a step; `LEAST_CALLS` unless told otherwise.
        widening: When a step is passed.

    Raises:
        PlanUnreadable: the shares do not grow, or a share is none.
    """
    if not shares:
        shares = SHARES if first is None else (first, *(share for share in SHARES if share > first))
    grows = all(smaller < larger for smaller, larger in pairwise(shares))
    if not grows or not 0 < shares[0] < 1 or shares[-1] > 1 or len(shares) > STEPS_MAX:
        raise PlanUnreadable(
            f"the steps must grow, from a share above 0% and below 100%, to at most 100%, and be {STEPS_MAX} at most"
        )
    baked = BAKE_S if bake_s is None else bake_s
    called = LEAST_CALLS if least_calls is None else least_calls
    return Plan(guards_of(guards), tuple(Step(share, baked, called) for share in shares), widening=widening)


def ab_plan(share: float, goal: MetricName, *, guards: Mapping[MetricName, float | None] | None = None) -> Plan:
    """Plan an A/B test of arms that have so large a share together.

    Raises:
        PlanUnreadable: nothing is left for the release that stands, or the goal is a guard as well.
    """
    if not 0 < share < 1:
        raise PlanUnreadable("the arms together must leave a share to the release that stands: below 100%")
    if guards and goal in guards:
        raise PlanUnreadable(f"`{goal}` is what the test is about, and no guard of it as well")
    return Plan(tuple(guard for guard in guards_of(guards) if guard.metric != goal), (Step(share, 0, 0),), goal=goal)


def shadow_plan(share: float = SHADOW_SHARE) -> Plan:
    """Plan a shadow: a share is copied, and nothing is decided."""
    return Plan((), (Step(share, 0, 0),))


def guards_of(named: Mapping[MetricName, float | None] | None) -> tuple[Guard, ...]:
    """Return the guards that are named, with their own margins where none is said; all of them where none is named."""
    chosen = named or dict.fromkeys(METRICS)
    return tuple(
        Guard(metric, METRIC[metric].margin if margin is None else margin) for metric, margin in chosen.items()
    )
