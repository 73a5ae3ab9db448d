"""How seldom drift may be told by mistake, and what each look may spend of that.

The promise is a rate: at most so many false alarms per feature in thirty days, one by default. It is spent evenly: each
look at each group has its share, so that the expected number of false alarms is the sum of the shares, whatever the
dependence between looks. Within a look, the tests of all signals share its level by Benjamini and Hochberg's procedure
(J. R. Stat. Soc. B 57, 1995), which where nothing has changed is wrong in at most that share of looks.
"""

from dataclasses import dataclass
from typing import Literal

Window = Literal["hour", "day"]

LOOKS_A_MONTH: dict[Window, int] = {"hour": 720, "day": 30}
RATE = 1.0
"""False alarms per feature and thirty days."""
STRICTER = 10.0
"""A single look must be so much surer than each of two in a row."""
TWICE_MAX = 0.02
"""Level of each of two looks in a row, at most: they share a reference, so that a chance can repeat itself."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Of one look at one group."""

    once: float
    """From which one look alone suffices."""
    twice: float
    """From which the same in the look before, or in the next, is asked for."""


def levels(window: Window, *, groups: int = 1, rate: float = RATE) -> Levels:
    """Return the levels of a look.

    Half of the rate is for either window; half of that for what one look alone shows, half for two in a row.

    Args:
        window: How long it is, and so how often there is one.
        groups: How many groups of the feature are looked at.
        rate: False alarms per feature and thirty days.
    """
    once = rate / 4 / LOOKS_A_MONTH[window] / max(1, groups)
    return Levels(once=once, twice=min(STRICTER * once, max(TWICE_MAX / max(1, groups), once)))
