"""What becomes of alpha where several things are looked at, or one thing several times."""

from collections.abc import Sequence


def holm(chances: Sequence[float]) -> list[float]:
    """Return each probability corrected for the number of them, in their order; below alpha where it stands.

    The chance that any of those is wrong that stand is at most alpha, however they hang together (S. Holm, Scand. J.
    Statist. 6, 1979).
    """
    count, corrected, highest = len(chances), [1.0] * len(chances), 0.0
    for place, index in enumerate(sorted(range(count), key=lambda index: chances[index])):
        highest = max(highest, min(1.0, chances[index] * (count - place)))
        corrected[index] = highest
    return corrected


def benjamini_hochberg(chances: Sequence[float]) -> list[float]:
    """Return each probability corrected so that of those below q, a share of q is expected to be wrong.

    Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57, 1995.
    """
    count, corrected, lowest = len(chances), [1.0] * len(chances), 1.0
    order = sorted(range(count), key=lambda index: chances[index])
    for place in range(count, 0, -1):
        index = order[place - 1]
        lowest = min(lowest, chances[index] * count / place)
        corrected[index] = lowest
    return corrected


def spent_on(attempt: int, alpha: float) -> float:
    """Return what is left of alpha for one attempt of the same comparison: half, a quarter, an eighth, ...

    Together they are alpha, however many attempts there are, and however somebody chooses when to stop. 0 stands for a
    comparison of which attempts are not counted: it has all of alpha.
    """
    return float(alpha / 2**attempt)
