"""Figures of a run in sentences. A point is a hundredth of a share, or of a score between 0 and 1."""

from collections.abc import Sequence

from watchkeeper.evals.decision import Breach, Comparison, Flip, Missing
from watchkeeper.evals.points import COST, LATENCY, PASSED

NAMED_MAX = 5
"""Cases that a sentence names."""
_NAMES = {LATENCY: "latency", COST: "cost"}


def in_words(found: Comparison) -> str:
    """Say one comparison, with its verdict, its bounds, and what it rests on."""
    name = _NAMES.get(found.metric, found.metric)
    said = f"{name}: {found.verdict}. {_both(found)}, {_between(found)} ({_count(found)}); "
    said += f"the margin is {_amount(found.margin, found)}."
    if found.note:
        said += f" {found.note}"
    if found.verdict == "cannot tell":
        said += _still_needed(found)
    return said


def breaches_in_words(breaches: Sequence[Breach]) -> str:
    """Say which cases fail what must never fail."""
    named = ", ".join(
        f"{one.case} ({one.scorer}{f', {one.failed} of {one.repeats} times' if one.repeats > 1 else ''})"
        for one in breaches[:NAMED_MAX]
    )
    more = f" and {len(breaches) - NAMED_MAX:,} more" if len(breaches) > NAMED_MAX else ""
    return named + more


def flips_in_words(flips: Sequence[Flip]) -> str:
    """Say which cases used to pass and now fail."""
    named = ", ".join(
        f"{one.case} ({one.baseline_passed} of {one.baseline_repeats}, now {one.passed} of {one.repeats})"
        for one in flips[:NAMED_MAX]
    )
    more = f" and {len(flips) - NAMED_MAX:,} more" if len(flips) > NAMED_MAX else ""
    return f"Passed nearly always and now nearly never, which chance explains badly: {named}{more}."


def missing_in_words(missing: Missing) -> str:
    """Say how much was not measured, and why."""
    said = f"{percent(missing.candidate)} of the candidate's answers are unmeasured"
    if missing.baseline is not None:
        said += f", {percent(missing.baseline)} of the baseline's"
    said += f"; {percent(missing.allowed)} may be."
    if missing.reasons:
        said += " Why: " + "; ".join(f"{reason} ({count:,})" for reason, count in missing.reasons.items()) + "."
    return said


def percent(share: float) -> str:
    """Write a share: `91.5%`."""
    return f"{100 * share:.3g}%"


def points(difference: float) -> str:
    """Write the size of a difference: `1 point`, `4.5 points`."""
    figure = f"{100 * abs(difference):.2g}" if abs(difference) < 0.1 else f"{100 * abs(difference):.3g}"
    return f"{figure} point{'' if figure == '1' else 's'}"


def _both(found: Comparison) -> str:
    one, other = found.candidate, found.baseline
    if found.metric == PASSED:
        return f"{percent(one)} against {percent(other)}"
    if found.metric == LATENCY:
        return f"{one:,.0f} ms against {other:,.0f} ms"
    if found.metric == COST:
        return f"{one / 1e9:.3g} USD against {other / 1e9:.3g} USD"
    return f"{one:.3f} against {other:.3f}"


def _between(found: Comparison) -> str:
    low, high = _side(found.lower, found), _side(found.upper, found)
    return f"between {low} and {high}"


def _side(bound: float, found: Comparison) -> str:
    if abs(bound) < 5e-5:
        return "no difference"
    return f"{_amount(bound, found)} {'higher' if bound > 0 else 'lower'}"


def _amount(difference: float, found: Comparison) -> str:
    return percent(abs(difference)) if found.is_relative else points(difference)


def _count(found: Comparison) -> str:
    said = f"{found.cases:,} cases"
    if found.clusters < found.cases:
        said += f" in {found.clusters:,} clusters"
    return f"{said}, {found.labels:,} labels" if found.labels else said


def _still_needed(found: Comparison) -> str:
    said = ""
    if found.detectable is not None:
        said += f" A run like this one finds drops of {points(found.detectable)} or more."
    elif not found.is_relative:
        said += " A run like this one finds no drop, however large."
    if found.cases_needed is not None:
        said += f" About {found.cases_needed:,} cases would tell, if the difference is what it seems to be."
    return said
