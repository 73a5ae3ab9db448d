"""What replaying a group's own history came to."""

from msgspec import Struct

from watchkeeper.evals.drift.levels import Window
from watchkeeper.evals.drift.readings import Group


class Measured(Struct, frozen=True, kw_only=True):
    """What replaying a stretch of history came to."""

    group: Group
    window: Window
    looks: int
    """Windows with enough calls."""
    left_out: int
    """Windows with too few."""
    alarms: int
    """Stretches of looks in a row in which a signal was told; each counts once."""
    by_signal: dict[str, int]
    a_month: float | None
    """Alarms per thirty days of looks; None where there was none to look at."""
    suspected: int
    """Readings beyond the level at which two in a row are told."""
