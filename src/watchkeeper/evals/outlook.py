"""What a run will be able to show, before it is paid for."""

from math import ceil

from msgspec import Struct

from watchkeeper.evals.decision import Outlook
from watchkeeper.evals.statistics.power import (
    cases_for_margin,
    drop_found,
    fewest_for_margin,
    independent,
    with_repeats,
)
from watchkeeper.evals.suite import Gate
from watchkeeper.evals.wording import percent, points

ASSUMED_VARIANCE = 0.2
"""Where nothing is known: one case in five passes under one arm and fails under the other."""
ASSUMED_NOISE = 0.5
ASSUMED_LIKENESS = 0.5
"""Of differences within a cluster."""


class History(Struct, frozen=True, kw_only=True):
    """What earlier runs of a suite tell of the next one; None where they do not."""

    variance: float | None = None
    """Of the difference that one case shows between two arms, one answer each. Of the share that passes: the share of
    cases that pass under one arm only."""
    noise: float | None = None
    """Which part of it, from 0 to 1, shows between two runs of the same arm, too."""
    likeness: float | None = None
    """Correlation of differences within a cluster."""


def outlook(suite_cases: int, clusters: int, repeats: int, gate: Gate, *, history: History | None = None) -> Outlook:
    """Say what a run will be able to show.

    Args:
        suite_cases: That it asks.
        clusters: That they fall into; as many as cases where each is one of its own.
        repeats: How often each is asked, under each arm.
        gate: What is asked of the release.
        history: What is known of the suite.
    """
    known = history or History()
    single = ASSUMED_VARIANCE if known.variance is None else known.variance
    variance = with_repeats(single, ASSUMED_NOISE if known.noise is None else known.noise, repeats)
    likeness = ASSUMED_LIKENESS if known.likeness is None else known.likeness
    telling = independent(suite_cases, clusters, likeness)
    metrics = len(gate.primary) + (gate.latency is not None) + (gate.cost is not None)
    detectable = drop_found(telling, variance, gate.alpha / max(metrics, 1))
    needed = None
    if gate.margin > 0:
        alike = suite_cases / telling if telling else 1.0
        needed = ceil(cases_for_margin(gate.margin, variance, gate.alpha) * alike)
    return Outlook(
        cases=suite_cases,
        clusters=clusters,
        repeats=repeats,
        detectable=detectable,
        cases_needed=needed,
        variance=variance,
        is_assumed=known.variance is None,
        sentence=_sentence(suite_cases, clusters, repeats, detectable)
        + _margin_in_words(gate, needed, clusters)
        + _basis_in_words(single, known.variance is None),
    )


def _sentence(cases: int, clusters: int, repeats: int, detectable: float | None) -> str:
    asked = f"{cases:,} case{'s' if cases != 1 else ''}"
    if clusters < cases:
        asked += f" in {clusters:,} clusters"
    if repeats > 1:
        asked += f", each asked {repeats} times,"
    if detectable is None:
        return f"{asked} find no drop, however large"
    return f"{asked} find a drop of {points(detectable)} or more in four of five runs"


def _margin_in_words(gate: Gate, needed: int | None, clusters: int) -> str:
    if needed is None:
        return "; without a margin, only what is better passes"
    fewest = fewest_for_margin(gate.margin, gate.alpha)
    if clusters < fewest:
        return (
            f"; that nothing is worse by {points(gate.margin)} they cannot show even without a single loss: that takes"
            f" {fewest:,} at least, and about {needed:,} with ordinary changes"
        )
    return f"; to show that nothing is worse by {points(gate.margin)} takes about {needed:,}"


def _basis_in_words(variance: float, is_assumed: bool) -> str:
    if is_assumed:
        return f" (if {percent(variance)} of the cases change from one arm to the other, which is a guess)."
    return f" (with {percent(variance)} of the cases changing from one arm to the other, as they have)."
