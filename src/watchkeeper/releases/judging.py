"""From the figures of two arms to what is done about them. Pure: figures in, findings and a decision out.

The error budget of a rollout is what it may cost to be wrong: with probability 1 - `Plan.budget` no interval of any of
its metrics, at any look, ever misses the true difference. It is split by the union bound, which needs nothing to be
independent: over candidates, over metrics by their weights, and over tests. Each step is a test of its own, with the
calls since it began: the shares of the arms differ between steps, and figures added up over several of them would
compare the hours of one with the hours of another (E. Simpson, "The interpretation of interaction in contingency
tables", J. R. Stat. Soc. B, 1951). A test gets half of what the ones before have left, so that the budget holds however
many there are, and the first, in which harm is found, has most of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Literal

from msgspec import Struct

from watchkeeper.releases.metrics import METRIC, Metric, MetricName
from watchkeeper.releases.sequential import Interval, Sums, difference_of_means, difference_of_shares

BUDGET = 0.05
QUIET_S = 600.0
"""An arm that the other one lets expect calls of, and that has none for so long, is not served or not recorded."""
EXPECTED_LEAST = 15.0
"""Units or observations expected of an arm from which on none at all is no chance: its probability is below 1 in a
million."""

_NAMES: dict[MetricName, str] = {
    "parse_failures": "parse failures",
    "latency": "slow answers",
    "feedback": "feedback below the best",
}
"""In sentences, where it is another one."""

Verdict = Literal["worse", "no_worse", "better", "unknown", "missing"]
"""worse: surely worse, and by more than the margin as far as one can tell. no_worse: surely not worse than the margin.
better: surely better. missing: the other arm lets expect figures, and there are none. unknown: none of it, so far."""
Action = Literal["continue", "widen", "succeed", "pause", "roll_back"]
Widening = Literal["proven", "unrefuted"]
"""When a step is passed: every metric that asks for it is known to be no worse, or none is known to be worse."""


class Guard(Struct, frozen=True):
    """A metric that a candidate must not worsen, and by how much it may."""

    metric: MetricName
    margin: float


class Step(Struct, frozen=True):
    """A share of the units, and what must be seen of it before the next."""

    share: float
    bake_s: float
    least_calls: int
    """Of the candidate."""


class Plan(Struct, frozen=True):
    """How a rollout is judged; it stays as it is from the start."""

    guards: tuple[Guard, ...]
    steps: tuple[Step, ...]
    """Of a canary, smallest first; the last may be everything, and is not judged then. Of others, one."""
    goal: MetricName | None = None
    """What an A/B test is about."""
    widening: Widening = "proven"
    budget: float = BUDGET


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """What is known of one arm since its step began: calls of clients, shadows and replays left out."""

    release: str
    calls: int = 0
    """That ended well or with an error that a release can be the reason of."""
    units: int = 0
    recent_units: int = 0
    """Within the last `QUIET_S`."""
    sums: Mapping[MetricName, Sums] = field(default_factory=dict[MetricName, Sums])


class Finding(Struct, frozen=True, kw_only=True):
    """One metric of one candidate against the standing release."""

    metric: MetricName
    release: str
    verdict: Verdict
    baseline: float | None
    """Mean of the standing release; None where nothing was observed."""
    candidate: float | None
    baseline_count: int
    candidate_count: int
    harm: float
    """By how much the candidate is worse, in the metric's unit; below 0 it is better."""
    harm_low: float | None
    """None where nothing bounds it."""
    harm_high: float | None
    margin: float
    """In the metric's unit."""
    alpha: float
    """Probability that the true harm is ever outside of the interval."""
    needed: int | None
    """Observations of the candidate after which it would be known to be no worse, if figures stay as they are; None
    where no number of them would do."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, and why."""

    action: Action
    reason: str
    """One sentence or more, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a rollout stands."""

    step: int
    """From 0."""
    step_age_s: float
    shares: tuple[float, ...]
    """Of the candidates, in the order of the arms; the standing release has the rest."""
    is_paused: bool = False
    awaits: str = ""
    """Why it is not widened whatever the figures say, in a sentence; empty where nothing keeps it."""


def compare(
    plan: Plan, baseline: ArmFigures, candidates: Sequence[ArmFigures], *, test: int = 1
) -> tuple[Finding, ...]:
    """Compare each candidate with the standing release, by the goal and by every guard, in this order.

    Args:
        plan: As it was started.
        baseline: The standing release's figures since the test began.
        candidates: Theirs.
        test: How often figures have begun anew, this time included.
    """
    margins = {guard.metric: guard.margin for guard in plan.guards}
    asked: dict[MetricName, float] = ({plan.goal: 0.0} if plan.goal else {}) | margins
    unit = plan.budget / 2**test / len(candidates) / max(sum(METRIC[name].weight for name in asked), 1)
    return tuple(
        _find(name, margin, baseline, candidate, unit * METRIC[name].weight)
        for candidate in candidates
        for name, margin in asked.items()
    )


def decide(plan: Plan, situation: Situation, arms: Sequence[ArmFigures], findings: Sequence[Finding]) -> Decision:
    """Decide about a canary.

    Args:
        plan: As it was started.
        situation: Where it stands.
        arms: The standing release's, then the candidate's.
        findings: Of `compare`, for the same arms.
    """
    step = plan.steps[situation.step]
    if (found := _harm(findings)) is not None:
        return found
    if situation.is_paused:
        return Decision("continue", "It is paused: it is only watched for harm.")
    if (found := _gap(arms, situation, findings)) is not None:
        return found
    if (found := _wait(step, situation, arms[1])) is not None:
        return found
    if plan.widening == "proven" and (open_ := [one for one in findings if _is_open(one)]):
        return Decision("continue", "Not yet known to be no worse: " + "; ".join(map(_still_needed, open_)) + ".")
    following = plan.steps[situation.step + 1 :]
    if not following:
        return Decision("continue", "It has passed its last step. Conclude it, or leave it as it is.")
    passed = "known to be no worse than the margins allow" if plan.widening == "proven" else "not known to be worse"
    if following[0].share >= 1:
        return Decision("succeed", f"The candidate is {passed}, and takes over.")
    return Decision("widen", f"The candidate is {passed}; it goes on with {_percent(following[0].share)}.")


def decide_test(plan: Plan, situation: Situation, arms: Sequence[ArmFigures], findings: Sequence[Finding]) -> Decision:
    """Decide about an A/B test, which somebody else concludes: it ends by itself only where a guard is broken.

    Args:
        plan: Its one step has the share of all candidates together.
        situation: Where it stands.
        arms: The standing release's, then the candidates'.
        findings: Of `compare`, for the same arms.
    """
    guards = [one for one in findings if one.metric != plan.goal]
    if (found := _harm(guards)) is not None:
        return found
    if not situation.is_paused and (found := _gap(arms, situation, findings)) is not None:
        return found
    goals = [one for one in findings if one.metric == plan.goal]
    decided = [one for one in goals if one.verdict in ("worse", "better", "no_worse")]
    if goals and len(decided) == len(goals):
        return Decision("continue", "It is decided. Conclude it with the winner.")
    return Decision("continue", "It is not decided yet.")


def _find(name: MetricName, margin: float, baseline: ArmFigures, candidate: ArmFigures, alpha: float) -> Finding:
    metric, first, second = METRIC[name], baseline.sums.get(name, Sums()), candidate.sums.get(name, Sums())
    found = difference_of_shares if metric.is_share else difference_of_means
    harm = found(first, second, alpha) if first.count and second.count else Interval(-inf, 0.0, inf)
    allowed = margin if metric.is_share else margin * first.mean
    return Finding(
        metric=name,
        release=candidate.release,
        verdict=_verdict(metric, harm, allowed, (baseline, candidate), (first, second)),
        baseline=first.mean if first.count else None,
        candidate=second.mean if second.count else None,
        baseline_count=first.count,
        candidate_count=second.count,
        harm=harm.estimate,
        harm_low=harm.low if harm.low > -inf else None,
        harm_high=harm.high if harm.high < inf else None,
        margin=allowed,
        alpha=alpha,
        needed=_needed(metric, harm, allowed, second.count),
    )


def _verdict(
    metric: Metric, harm: Interval, allowed: float, arms: tuple[ArmFigures, ArmFigures], sums: tuple[Sums, Sums]
) -> Verdict:
    (baseline, candidate), (first, second) = arms, sums
    for mine, mine_calls, other, other_calls in (
        (second, candidate.calls, first, baseline.calls),
        (first, baseline.calls, second, candidate.calls),
    ):
        if not mine.count and other_calls and mine_calls * other.count / other_calls >= EXPECTED_LEAST:
            return "missing"
    if min(first.count, second.count) < metric.least:
        return "unknown"
    if harm.high < 0:
        return "better"
    if harm.high <= allowed:
        return "no_worse"
    return "worse" if harm.low > 0 and harm.estimate > allowed else "unknown"


def _needed(metric: Metric, harm: Interval, allowed: float, count: int) -> int | None:
    """Intervals become narrower with the square root of what was observed."""
    if harm.high == inf or harm.estimate >= allowed:
        return None
    reach = (harm.high - harm.estimate) / (allowed - harm.estimate)
    return max(metric.least, ceil(count * reach**2))


def _harm(findings: Sequence[Finding]) -> Decision | None:
    """What a known harm comes to: the candidate is taken back, or a person weighs it against what is better."""
    worse = [one for one in findings if one.verdict == "worse"]
    better = [one for one in findings if one.verdict == "better"]
    if not worse:
        return None
    said = "The candidate is worse: " + "; ".join(map(in_words, worse)) + "."
    if better and not any(METRIC[one.metric].ends_at_once for one in worse):
        gained = "; ".join(map(in_words, better))
        return Decision("pause", f"{said} And it is better: {gained}. Somebody must weigh the one against the other.")
    return Decision("roll_back", said)


def _gap(arms: Sequence[ArmFigures], situation: Situation, findings: Sequence[Finding]) -> Decision | None:
    """Whether something is not there that the rest lets expect."""
    shares = (1 - sum(situation.shares), *situation.shares)
    for place, arm in enumerate(arms):
        ratio = shares[place] / (1 - shares[place])
        for since, units in (
            ("since the step began", [one.units for one in arms]),
            (f"for {QUIET_S / 60:g} minutes", [one.recent_units for one in arms]),
        ):
            expected = ratio * (sum(units) - units[place])
            if not units[place] and expected >= EXPECTED_LEAST and situation.step_age_s >= QUIET_S:
                lacking = f"while {expected:,.0f} were to be expected of {_percent(shares[place])}"
                return Decision("pause", f"{arm.release} has had no calls {since}, {lacking}.")
    missing = [one for one in findings if one.verdict == "missing"]
    if missing:
        named = "; ".join(f"{one.metric} of {_silent(one, arms[0].release)}" for one in missing)
        return Decision(
            "pause", f"Figures are missing that the other arm has: {named}. Nothing is decided without them."
        )
    return None


def _silent(finding: Finding, standing: str) -> str:
    return finding.release if finding.candidate_count == 0 else standing


def _wait(step: Step, situation: Situation, candidate: ArmFigures) -> Decision | None:
    """What the step asks for beside the figures and is not there yet."""
    if situation.awaits:
        return Decision("continue", situation.awaits)
    if (left_s := step.bake_s - situation.step_age_s) > 0:
        return Decision("continue", f"The step bakes for {_span(left_s)} more.")
    if candidate.calls < step.least_calls:
        of = f"{candidate.calls:,} of the {step.least_calls:,} calls"
        return Decision("continue", f"The candidate has had {of} that the step asks for.")
    if not candidate.recent_units:
        return Decision("continue", f"The candidate has had no calls for {QUIET_S / 60:g} minutes; more are awaited.")
    return None


def _is_open(finding: Finding) -> bool:
    """Whether a wider share must wait for it."""
    is_passed = finding.verdict in ("no_worse", "better")
    is_observed = finding.baseline_count or finding.candidate_count
    return METRIC[finding.metric].must_be_proven and bool(is_observed) and not is_passed


def in_words(finding: Finding) -> str:
    """Say one finding: `errors 4.1% against 2%, worse by 0.9 to 3.4 points (1,200 and 22,800 observations)`."""
    name = _NAMES.get(finding.metric, finding.metric)
    if finding.baseline is None or finding.candidate is None:
        return f"{name} not compared: one arm has no figures"
    means = f"{_amount(finding.metric, finding.candidate)} against {_amount(finding.metric, finding.baseline)}"
    counts = f"{finding.candidate_count:,} and {finding.baseline_count:,} observations"
    return f"{name} {means}, {_reach(finding)} ({counts})"


def _reach(finding: Finding) -> str:
    """Say how far the interval reaches, on the side on which it lies."""
    if finding.harm_low is None or finding.harm_high is None:
        return "by an unknown amount"
    is_better = finding.harm_high < 0
    ends = sorted((-finding.harm_low, -finding.harm_high)) if is_better else (finding.harm_low, finding.harm_high)
    if METRIC[finding.metric].is_share:
        low, high = (f"{100 * end:.3g}" for end in ends)
        return f"{'better' if is_better else 'worse'} by {low} to {high} points"
    low, high = (_amount(finding.metric, end) for end in ends)
    return f"{'better' if is_better else 'worse'} by {low} to {high}"


def _still_needed(finding: Finding) -> str:
    name = _NAMES.get(finding.metric, finding.metric)
    if finding.needed is None or finding.needed <= finding.candidate_count:
        return f"{name} (as it stands it lies beyond or close to the margin)"
    return f"{name} (about {finding.needed - finding.candidate_count:,} more of the candidate's calls)"


def _amount(metric: MetricName, value: float) -> str:
    match metric:
        case "errors" | "parse_failures" | "latency" | "feedback":
            return _percent(value)
        case "cost":
            return f"{value / 1e9:.7f} USD"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _span(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:,.0f} seconds"
