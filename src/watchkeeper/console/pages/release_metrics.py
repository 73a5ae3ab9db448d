"""A release against another one in the same window: each figure of both, their difference, and how sure it is.

Intervals hold 95 of 100 times, for one look: a rollout, which looks again and again, has wider ones of its own. Of
shares: R. G. Newcombe, "Interval estimation for the difference between independent proportions", Stat. Med. 17, 1998,
method 10. Of means: the normal approximation (Welch), which wants some dozens of calls on either side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from watchkeeper.console import figures
from watchkeeper.store.feedback import ReleaseFeedback
from watchkeeper.store.release_figures import ReleaseFigures
from watchkeeper.watch.outputs import wilson

Z = 1.96
SHOWN_NUSD = 1_000
"""The last decimal of a column of amounts."""
LEAST = 30
"""Calls on either side, fewer of which give no interval of a mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLine:
    """One figure."""

    name: str
    this: str
    other: str
    """Of the other release; a dash where there is none."""
    difference: str
    interval: str
    """Of the difference; empty where it is not known."""
    verdict: str
    """`better` or `worse` where the interval leaves no doubt."""
    note: str = ""


def feedback_lines(
    said: Sequence[ReleaseFeedback], *, environment: str, this: str, other: str
) -> tuple[MetricLine, ...]:
    """Compare what was said of two releases, by the name of what was asked; names without a score have no line."""
    known = {(one.release, one.name): one for one in said if one.environment == environment and one.scored}
    names = sorted({name for release, name in known if release in (this, other)})
    return tuple(_scored(name, known.get((this, name)), known.get((other, name))) for name in names)


def metric_lines(this: ReleaseFigures | None, other: ReleaseFigures | None) -> tuple[MetricLine, ...]:
    """Compare two releases; either may have had no calls."""
    lines = [
        _share("Errors", _part(this, "errors", "calls"), _part(other, "errors", "calls")),
        _share("Outputs failed", _part(this, "failed_outputs", "checked_outputs"),
               _part(other, "failed_outputs", "checked_outputs")),
        _share("Outputs repaired", _part(this, "repaired_outputs", "checked_outputs"),
               _part(other, "repaired_outputs", "checked_outputs")),
        _took("Latency p50", this.duration_p50_ms if this else None, other.duration_p50_ms if other else None),
        _took("Latency p95", this.duration_p95_ms if this else None, other.duration_p95_ms if other else None),
        _cost(this, other),
    ]  # fmt: skip
    calls = MetricLine(
        name="Calls",
        this=figures.count(this.calls if this else 0),
        other=figures.count(other.calls if other else 0),
        difference="",
        interval="",
        verdict="",
    )
    return (calls, *(line for line in lines if line.this != figures.NOTHING or line.other != figures.NOTHING))


def difference_of_shares(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float]:
    """Return the interval of `one` less `other`, each a part and its whole, neither whole 0."""
    (part, whole), (part_other, whole_other) = one, other
    share, share_other = part / whole, part_other / whole_other
    (low, high), (low_other, high_other) = wilson(part, whole, Z), wilson(part_other, whole_other, Z)
    difference = share - share_other
    return (
        difference - sqrt((share - low) ** 2 + (high_other - share_other) ** 2),
        difference + sqrt((high - share) ** 2 + (share_other - low_other) ** 2),
    )


def _part(one: ReleaseFigures | None, part: str, whole: str) -> tuple[int, int]:
    return (getattr(one, part), getattr(one, whole)) if one is not None else (0, 0)


def _share(name: str, this: tuple[int, int], other: tuple[int, int]) -> MetricLine:
    difference = interval = verdict = ""
    if this[1] and other[1]:
        low, high = difference_of_shares(this, other)
        difference = _points(this[0] / this[1] - other[0] / other[1])
        interval, verdict = f"{_points(low)} to {_points(high)}", _verdict(low, high)
    return MetricLine(
        name=name,
        this=figures.share(*this),
        other=figures.share(*other),
        difference=difference,
        interval=interval,
        verdict=verdict,
        note=f"{figures.count(this[0])} of {figures.count(this[1])}" if this[1] else "",
    )


def _took(name: str, this: float | None, other: float | None) -> MetricLine:
    return MetricLine(
        name=name,
        this=figures.duration(this),
        other=figures.duration(other),
        difference=f"{100 * (this - other) / other:+.0f} %".replace("-", "−") if this is not None and other else "",
        interval="",
        verdict="",
    )


def _cost(this: ReleaseFigures | None, other: ReleaseFigures | None) -> MetricLine:
    mine, theirs = _mean(this), _mean(other)
    difference = interval = verdict = ""
    if mine is not None and theirs is not None:
        between, spread = mine[0] - theirs[0], sqrt(mine[1] + theirs[1])
        difference = _signed(between)
        if min(this.priced_calls if this else 0, other.priced_calls if other else 0) >= LEAST:
            low, high = between - Z * spread, between + Z * spread
            interval = f"{_signed(low)} to {_signed(high)}"
            verdict = _verdict(low, high)
    unpriced = this.calls - this.priced_calls if this else 0
    notes = [f"{figures.count(unpriced)} calls unpriced" if unpriced else ""]
    notes.append("estimated in part" if this is not None and this.estimated_calls else "")
    return MetricLine(
        name="Cost a call, $",
        this=figures.column_amount(round(mine[0])) if mine else "unpriced" if this else figures.NOTHING,
        other=figures.column_amount(round(theirs[0])) if theirs else "unpriced" if other else figures.NOTHING,
        difference=difference,
        interval=interval,
        verdict=verdict,
        note=", ".join(filter(None, notes)),
    )


def _scored(name: str, this: ReleaseFeedback | None, other: ReleaseFeedback | None) -> MetricLine:
    difference = interval = verdict = ""
    mine, theirs = (one.score_mean if one else None for one in (this, other))
    if this and other and mine is not None and theirs is not None:
        difference = _score(mine - theirs, "+.3f")
        if min(this.scored, other.scored) >= LEAST:
            spread = sqrt(sum((one.score_deviation or 0.0) ** 2 / one.scored for one in (this, other)))
            low, high = mine - theirs - Z * spread, mine - theirs + Z * spread
            interval = f"{_score(low, '+.3f')} to {_score(high, '+.3f')}"
            verdict = _verdict(-high, -low)
    return MetricLine(
        name=f"Feedback: {name}" if name else "Feedback",
        this=_score(mine, ".3f"),
        other=_score(theirs, ".3f"),
        difference=difference,
        interval=interval,
        verdict=verdict,
        note=f"{figures.count(this.scored)} scores" if this else "",
    )


def _score(value: float | None, form: str) -> str:
    return figures.NOTHING if value is None else format(value, form).replace("-", "−")


def _mean(one: ReleaseFigures | None) -> tuple[float, float] | None:
    """The mean cost of a priced call and the variance of that mean, in nano-dollars: to compare, not to bill."""
    if one is None or one.cost_nusd is None or not one.priced_calls:
        return None
    mean = one.cost_nusd / one.priced_calls
    return mean, max(0.0, one.cost_squares / one.priced_calls - mean * mean) / one.priced_calls


def _signed(nusd: float) -> str:
    """A difference for a column; one that no decimal of it shows is none."""
    return figures.signed_amount(round(nusd)) if abs(nusd) >= SHOWN_NUSD else "±0"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}".replace("-", "−") + " points"


def _verdict(low: float, high: float) -> str:
    return "worse" if low > 0 else "better" if high < 0 else ""
