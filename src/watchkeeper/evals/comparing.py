"""One metric under two arms: the difference, its bounds, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, expm1, isfinite, log, log1p

import numpy as np
from msgspec.structs import replace

from watchkeeper.evals.decision import Comparison, Verdict
from watchkeeper.evals.pairing import Pairs
from watchkeeper.evals.points import RELATIVE
from watchkeeper.evals.statistics.bootstrap import lower_of_mean, upper_of_mean
from watchkeeper.evals.statistics.bounds import lower_bound, probability_below, upper_bound
from watchkeeper.evals.statistics.clusters import Clusters, lower_by_t, negated
from watchkeeper.evals.statistics.correction import Corrected
from watchkeeper.evals.statistics.exact import at_most_after_none, by_signs, mcnemar
from watchkeeper.evals.statistics.multiplicity import holm
from watchkeeper.evals.statistics.power import fewest_for_margin, stretch

CASES_MAX = 10_000_000
"""More than this, and no number of cases is named."""
ALMOST = 1e-12
LOG_MAX = log(1e6)
"""Of a ratio: a single case bounds nothing, and no bound is said to be further out."""
CLUSTER_FACTOR = 2.0
CLUSTERS_LEAST = 10
"""Fewer clusters of several cases say too little of the next one, whatever they show."""


def compare(pairs: Pairs, margin: float, alpha: float) -> Comparison:
    """Compare two arms.

    Args:
        pairs: Of one metric.
        margin: How much worse the candidate may be: a difference of shares or scores; of latency and cost, a share.
        alpha: Of each one-sided bound.
    """
    if pairs.metric in RELATIVE:
        return _compare_ratios(pairs, margin, alpha)
    values = pairs.differences
    found = bounds_of(values, alpha)
    return _concluded(
        Comparison(
            metric=pairs.metric,
            candidate=pairs.candidate.whole.mean,
            baseline=pairs.baseline.whole.mean,
            difference=values.mean,
            lower=found.lower,
            upper=found.upper,
            margin=margin,
            p_worse=found.p_worse,
            p_better=found.p_better,
            verdict="cannot tell",
            method=found.method,
            cases=values.cases,
            clusters=values.count,
        ),
        alpha,
        values,
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a difference of shares or scores may truly lie from 0."""

    lower: float
    upper: float
    p_worse: float
    p_better: float
    method: str

    def is_worse(self, alpha: float) -> bool:
        """Tell whether it lies below 0 beyond doubt."""
        return self.upper < 0 and self.p_worse <= alpha


def bounds_of(differences: Clusters, alpha: float) -> Bounds:
    """Return the one-sided bounds of a difference of shares or scores, and the probabilities that go with them."""
    if _is_plain(differences):
        losses, gains = int((differences.sums < 0).sum()), int((differences.sums > 0).sum())
        p_worse, p_better = mcnemar(losses, gains), mcnemar(gains, losses)
        method = "McNemar's exact test, with the bounds that go with it"
    else:
        p_worse, p_better = by_signs(differences)
        method = "Dirichlet bounds and a test of signs"
    unseen, extreme = worst_unseen(differences), max(1.0, _most(differences))
    lower, upper = lower_bound(differences, alpha, least=-unseen), upper_bound(differences, alpha, most=unseen)
    if differences.count < differences.cases:
        method = (
            f"the wider of Student's t and Dirichlet bounds, and a test of signs, over {differences.count:,} clusters"
        )
        lower = max(min(lower, lower_by_t(differences, alpha)), -extreme)
        upper = min(max(upper, -lower_by_t(negated(differences), alpha)), extreme)
    return Bounds(lower=lower, upper=upper, p_worse=p_worse, p_better=p_better, method=method)


def worst_unseen(differences: Clusters) -> float:
    """Return how far from 0 the difference of a case or cluster may be that the run has not met.

    A case may be lost whole. Of a cluster of several cases, twice the most that was seen of any, and one case at least:
    that all of it is lost at once can only be ruled out by as many clusters as it would take cases, however large they
    are.
    """
    most = _most(differences)
    if differences.count == differences.cases:
        return max(1.0, most)
    return max(most, min(1.0, max(CLUSTER_FACTOR * most, differences.count / differences.cases)))


def compare_corrected(pairs: Pairs, corrected: Corrected, margin: float, alpha: float) -> Comparison:
    """Compare two arms by what people said of some of the answers, and by what the judge said of all."""
    values, worst = corrected.values, corrected.worst
    return _concluded(
        Comparison(
            metric=pairs.metric,
            candidate=corrected.candidate,
            baseline=corrected.baseline,
            difference=values.mean,
            lower=lower_bound(values, alpha, least=values.mean - worst),
            upper=upper_bound(values, alpha, most=values.mean + worst),
            margin=margin,
            p_worse=probability_below(negated(values), 0.0, least=-values.mean - worst),
            p_better=probability_below(values, 0.0, least=values.mean - worst),
            verdict="cannot tell",
            method=f"prediction-powered, the judge's marks weighted by {corrected.trust:.2f}",
            cases=values.cases,
            clusters=values.count,
            labels=corrected.labels,
            note=f"The judge's marks alone say {100 * pairs.differences.mean:+.1f} points.",
        ),
        alpha,
        values,
    )


def corrected_for_number(comparisons: Sequence[Comparison], alpha: float) -> tuple[Comparison, ...]:
    """Leave `worse` only where it stands after the correction for how many metrics could have been it."""
    chances = holm([one.p_worse for one in comparisons])
    return tuple(
        replace(
            one,
            corrected_p=chance,
            verdict="cannot tell",
            note=_joined(one.note, f"It would be worse if it were the only metric; it is one of {len(comparisons)}."),
        )
        if one.verdict == "worse" and chance > alpha
        else replace(one, corrected_p=chance)
        for one, chance in zip(comparisons, chances, strict=True)
    )


def _compare_ratios(pairs: Pairs, margin: float, alpha: float) -> Comparison:
    """Compare logarithms: how many times as long answers take is alike for short and long ones."""
    values = pairs.differences
    beyond = Clusters(values.sums - log1p(margin) * values.weights, values.weights, values.cases)
    lower = expm1(max(lower_of_mean(values, alpha), -LOG_MAX))
    upper = expm1(min(upper_of_mean(values, alpha), LOG_MAX))
    p_worse, p_better = by_signs(beyond)[1], by_signs(values)[0]
    verdict: Verdict = "cannot tell"
    if upper < 0 and p_better <= alpha:
        verdict = "better"
    elif upper < margin:
        verdict = "not worse"
    elif lower > margin and p_worse <= alpha:
        verdict = "worse"
    return Comparison(
        metric=pairs.metric,
        candidate=exp(pairs.candidate.whole.mean),
        baseline=exp(pairs.baseline.whole.mean),
        difference=expm1(min(max(values.mean, -LOG_MAX), LOG_MAX)),
        lower=lower,
        upper=upper,
        margin=margin,
        p_worse=p_worse,
        p_better=p_better,
        verdict=verdict,
        method="logarithms of ratios: the wider of Student's t and the bootstrap (BCa)",
        cases=values.cases,
        clusters=values.count,
        is_relative=True,
    )


def _concluded(found: Comparison, alpha: float, values: Clusters) -> Comparison:
    """Add the verdict, and what it takes to have one."""
    verdict = _verdict(found, alpha, values)
    note = found.note
    if verdict == "not worse" and found.upper < 0:
        note = _joined(note, "It is lower beyond doubt, by less than the margin.")
    if verdict == "worse":
        is_beyond = found.upper <= -found.margin
        note = _joined(note, "Beyond the margin." if is_beyond else "Whether by more than the margin is not known.")
    detectable = (found.upper - found.difference) * stretch(alpha)
    return replace(
        found,
        verdict=verdict,
        note=note,
        # A share cannot fall by more than all of it.
        detectable=detectable if detectable < 1 else None,
        cases_needed=_cases_needed(found, alpha) if verdict == "cannot tell" else None,
    )


def _verdict(found: Comparison, alpha: float, values: Clusters) -> Verdict:
    """What the bounds say.

    With so few cases that even a run without any loss could not rule the margin out, nothing is "not worse": a few
    gains would otherwise do what the number of cases cannot.
    """
    if found.lower > 0 and found.p_better <= alpha:
        return "better"
    if found.lower > -found.margin and _are_enough(values, found.margin, alpha):
        return "not worse"
    return "worse" if found.upper < 0 and found.p_worse <= alpha else "cannot tell"


def _are_enough(values: Clusters, margin: float, alpha: float) -> bool:
    """Whether a run without any loss would rule the margin out; of unequal weights, the larger ones count."""
    telling = float(values.weights.sum()) ** 2 / float((values.weights**2).sum())
    alike = values.cases / values.count
    if alike > 1 and values.count < CLUSTERS_LEAST:
        return False
    return at_most_after_none(telling, alpha) / alike < margin


def _cases_needed(found: Comparison, alpha: float) -> int | None:
    """Bounds close in with the square root of the number of cases; so many that four of five runs would tell."""
    needed = [
        found.cases * (reach * stretch(alpha) / gap) ** 2
        for reach, gap in (
            (found.difference - found.lower, found.difference + found.margin),
            (found.upper - found.difference, -found.difference),
        )
        if gap > ALMOST
    ]
    if not needed or not all(map(isfinite, needed)):
        return None
    count = max(min(needed), fewest_for_margin(found.margin, alpha), found.cases + 1.0)
    return ceil(count) if count <= CASES_MAX else None


def _most(differences: Clusters) -> float:
    return float(np.abs(differences.sums / differences.weights).max())


def _is_plain(values: Clusters) -> bool:
    """Whether each case counts alike, by itself, and was won, lost or neither."""
    is_alike = values.count == values.cases and float(np.ptp(values.weights)) < ALMOST
    return is_alike and bool(np.isin(values.sums, (-1.0, 0.0, 1.0)).all())


def _joined(first: str, second: str) -> str:
    return f"{first} {second}".strip()
