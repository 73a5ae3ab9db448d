"""From values to places: round axis ends, tick positions, and labels of time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_ROUND_STEPS = (1, 2, 2.5, 5, 10)
_TIME_STEPS_S = (10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)


def ticks(largest: float, *, most: int = 4, whole: bool = False) -> tuple[float, ...]:
    """Return round values from 0 up to the first that is not below `largest`, at most `most` + 1 of them.

    Args:
        largest: The largest value to show; 0 or less gives the axis 0 to 1.
        most: How many steps there may be.
        whole: Whether a step may not be a fraction (for things that are counted).
    """
    if largest <= 0:
        return (0, 1)
    rough = largest / most
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(magnitude * step for step in _ROUND_STEPS if magnitude * step >= rough * (1 - 1e-9))
    if whole:
        step = max(1.0, math.ceil(step))
    return tuple(step * position for position in range(math.ceil(largest / step - 1e-9) + 1))


@dataclass(frozen=True, slots=True)
class TimeTick:
    """A labelled instant on a time axis."""

    place: float
    """0 at the axis' start, 1 at its end."""
    at: datetime
    label: str
    """In UTC."""
    is_day: bool
    """Whether it labels a whole UTC day, so that it must not be moved into another zone."""


def time_ticks(since: datetime, until: datetime, *, most: int = 6) -> Iterator[TimeTick]:
    """Yield at most `most` round instants (UTC) inside a window, oldest first."""
    length_s = (until - since).total_seconds()
    step_s = next(
        (step for step in _TIME_STEPS_S if length_s / step <= most), math.ceil(length_s / most / 86_400) * 86_400
    )
    midnight = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = math.ceil((since - midnight).total_seconds() / step_s)
    for position in range(first, first + most + 1):
        at = midnight + timedelta(seconds=position * step_s)
        place = (at - since).total_seconds() / length_s
        if place > 1:
            return
        is_day = step_s >= 86_400
        label = f"{at:%b} {at.day}" if is_day else f"{at:%H:%M:%S}" if step_s < 60 else f"{at:%H:%M}"
        yield TimeTick(place=place, at=at, label=label, is_day=is_day)
