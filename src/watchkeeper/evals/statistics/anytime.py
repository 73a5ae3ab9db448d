"""Quality in production, looked at whenever somebody likes: scores of sampled answers, as they come.

Nothing here is another formula: `releases.sequential` has the ones that hold at every look at once. Scores between 0
and 1 count by what they lack to 1, since good answers are the rule and its mixture is made for rare failures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchkeeper.releases.sequential import Interval, Sums, difference_of_shares, evidence_above


@dataclass(frozen=True, slots=True)
class Fall:
    """Whether quality has fallen."""

    drop: Interval
    """Earlier less now; it holds the true one at all looks, with probability 1 - alpha."""
    is_proven: bool


def shortfalls(scores: Iterable[Sequence[float]]) -> Sums:
    """Add up what scores lack to 1.

    Args:
        scores: Between 0 and 1, those of one person (or session, or whatever is independent) together.
    """
    units = [(len(unit), sum(1 - score for score in unit)) for unit in scores if unit]
    return Sums(
        units=len(units),
        count=sum(count for count, _ in units),
        total=sum(total for _, total in units),
        squared_totals=sum(total**2 for _, total in units),
        squared_counts=float(sum(count**2 for count, _ in units)),
        cross=sum(count * total for count, total in units),
    )


def fallen(earlier: Sums, now: Sums, alpha: float) -> Fall:
    """Compare scores of now with earlier ones, which may grow as well; both as `shortfalls`."""
    drop = difference_of_shares(earlier, now, alpha)
    return Fall(drop, is_proven=drop.low > 0)


def evidence_below(observed: Sums, least: float) -> float:
    """Return how strongly scores speak against a mean of `least` or more.

    It is an e-process: whoever looks after every answer, and raises an alarm once it is 1/alpha, is wrong in at most
    alpha of all cases (J. Ville, "Étude critique de la notion de collectif", 1939).

    Args:
        observed: As `shortfalls`.
        least: What quality should be; below 1.
    """
    return evidence_above(observed, 1 - least)
