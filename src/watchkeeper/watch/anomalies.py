"""Hours that cost more than such hours do: a robust seasonal baseline of hourly cost.

Each full hour is compared with hours like it: the same hour of the week, its neighbours, over the last eight weeks. The
middle of those is their median, their spread the median absolute deviation (MAD); neither is moved by the few odd hours
that any history has. Everything here is pure: figures in, judgements out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HISTORY = timedelta(weeks=8)
"""How far back hours are compared with."""
HOUR_OF_DAY_FROM = timedelta(days=3)
"""A younger series is not judged: there is nothing to compare with."""
HOUR_OF_WEEK_FROM = timedelta(days=21)
"""A younger series is compared with the same hours of all days."""
POOL_MIN = 18
"""Fewer hours of the same place in the week, and those of all working days, or of all days off, are taken instead."""
LEAST = 6
"""Fewer hours in a pool are no baseline."""

BUCKETS = 3
CONFIRMED_BY = 2
"""Of the last `BUCKETS` hours so many must stand out: one alone is often a batch that ran at another time."""
RELATIVE_GATE = 0.25
ABSOLUTE_GATE_USD = 1.0
"""An hour must cost so much more than its baseline, by both, or it is not worth a word."""

CONSISTENCY = 0.6745
"""The MAD of a normal distribution in standard deviations (NIST Engineering Statistics Handbook 1.3.5.17)."""
MAD_FLOOR = 0.02
"""Of the logarithm: two per cent of the cost. Over half of the values may be equal, and the MAD is 0 then."""
CENTS_PER_USD = 100.0

ORDINARY_EXCEEDS = 500
"""Of so many ordinary hours one exceeds its limit by chance."""
_LIMITS = {
    6: 11.39, 9: 7.61, 12: 5.48, 15: 4.91, 18: 4.38, 24: 3.94, 36: 3.54, 48: 3.36, 72: 3.19, 120: 3.05, 168: 3.01,
    400: 2.93,
}  # fmt: skip
"""By hours in the baseline."""


class Basis(Enum):
    """What an hour was compared with."""

    NONE = "too little history"
    HOUR_OF_DAY = "the same hours of other days"
    KIND_OF_DAY = "the same hours of other days of this kind"
    HOUR_OF_WEEK = "the same hours of other weeks"


@dataclass(frozen=True, slots=True)
class CostSeries:
    """What one feature, or everything, cost in consecutive full hours."""

    name: str
    """A feature; empty for everything."""
    until: datetime
    """End of the last hour, with a zone."""
    usd: Floats
    """By hour, oldest first; an hour without calls is 0."""
    is_excluded: Flags
    """Hours that are no baseline: a drill ran in them."""
    age: timedelta
    """Since its first call; it may be longer than the series."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One hour against its baseline."""

    start: datetime
    usd: float
    baseline_usd: float
    """Median of the hours it was compared with."""
    score: float
    """In robust standard deviations; infinite where the baseline does not vary at all."""
    limit: float
    """The score from which an hour of this baseline stands out."""
    compared_with: int
    """Hours in the baseline."""
    basis: Basis
    stands_out: bool
    """By its score and by both gates."""


def limit_for(compared_with: int) -> float:
    """Return the score that one ordinary hour in `ORDINARY_EXCEEDS` exceeds by chance, for a baseline of so many hours.

    One limit for all, the well-known 3.5 (B. Iglewicz, D. Hoaglin, "How to Detect and Handle Outliers", 1993), would be
    exceeded by 1.1% of ordinary hours with 12 hours of baseline and by 0.03% with 168, because median and MAD of few
    values are uncertain themselves. These limits were found by simulation of normal values (4 million draws for each
    size) and are interpolated over 1/n; a test draws them again. What that comes to, with two of three hours, is
    measured in docs/alerts.md.
    """
    sizes = np.array(sorted(_LIMITS, reverse=True), dtype=np.float64)
    return float(np.interp(1 / max(compared_with, 1), 1 / sizes, [_LIMITS[int(size)] for size in sizes]))


def judge(series: CostSeries, zone: ZoneInfo, *, absolute_gate_usd: float = ABSOLUTE_GATE_USD) -> tuple[Judgement, ...]:
    """Judge the last `BUCKETS` hours, oldest first, each against the hours before those.

    Costs are compared as log1p of cents, since what changes them multiplies them: with a log-normal series of sigma 0.6
    untransformed values give 4% of false alarms at a limit of 3.5. Only costs above the baseline stand out.

    Args:
        series: Full hours only.
        zone: In which hours and days are counted; an hour of the week is the same on both sides of a clock change.
        absolute_gate_usd: What an hour must cost above its baseline at the least.
    """
    count = len(series.usd)
    if series.age < HOUR_OF_DAY_FROM or count <= BUCKETS:
        return ()
    starts = [series.until - timedelta(hours=count - place) for place in range(count)]
    places = _places(starts, zone)
    is_known = ~series.is_excluded & (np.arange(count) < count - BUCKETS)
    is_known &= np.arange(count) >= count - BUCKETS - int(min(series.age, HISTORY) / timedelta(hours=1))
    logs = np.log1p(series.usd * CENTS_PER_USD)
    judged = []
    for index in range(count - BUCKETS, count):
        basis, pool = _pool(places, is_known, index, series.age)
        baseline = logs[pool]
        if len(baseline) < LEAST or series.is_excluded[index]:
            continue
        judged.append(_judged(starts[index], float(series.usd[index]), baseline, basis, absolute_gate_usd))
    return tuple(judged)


def is_confirmed(judged: Sequence[Judgement]) -> bool:
    """Tell whether enough of the last hours stand out, the latest among them or right before it."""
    return sum(one.stands_out for one in judged) >= CONFIRMED_BY


def is_over(judged: Sequence[Judgement]) -> bool:
    """Tell whether none of the last hours stands out."""
    return len(judged) == BUCKETS and not any(one.stands_out for one in judged)


def _judged(start: datetime, usd: float, baseline: Floats, basis: Basis, absolute_gate_usd: float) -> Judgement:
    middle = float(np.median(baseline))
    spread = float(np.median(np.abs(baseline - middle)))
    middle_usd = float(np.expm1(middle)) / CENTS_PER_USD
    # Below a dollar or so a cent more or less, in which nothing can be read, is more than two per cent.
    floor = max(MAD_FLOOR, 1 / (1 + middle_usd * CENTS_PER_USD))
    value = float(np.log1p(usd * CENTS_PER_USD))
    score = CONSISTENCY * (value - middle) / max(spread, floor)
    limit = limit_for(len(baseline))
    excess = usd - middle_usd
    passes_gates = excess >= RELATIVE_GATE * middle_usd and excess >= absolute_gate_usd
    # Where most hours cost nothing there is no spread to measure by; what happened before is no news then.
    is_new = spread > 0 or middle > 0 or value > float(baseline.max())
    return Judgement(
        start=start,
        usd=usd,
        baseline_usd=middle_usd,
        score=score,
        limit=limit,
        compared_with=len(baseline),
        basis=basis,
        stands_out=score > limit and passes_gates and is_new,
    )


def _places(starts: Sequence[datetime], zone: ZoneInfo) -> NDArray[np.int64]:
    """The hour of the week of each hour, on the clock of a zone: 0 is Monday, midnight."""
    local = [start.astimezone(zone) for start in starts]
    return np.array([at.weekday() * 24 + at.hour for at in local], dtype=np.int64)


def _pool(places: NDArray[np.int64], is_known: Flags, index: int, age: timedelta) -> tuple[Basis, Flags]:
    """Choose the hours to compare with: as much like this one as there are enough of."""
    week_apart = np.abs(places - places[index])
    is_near_in_week = np.minimum(week_apart, 168 - week_apart) <= 1
    day_apart = np.abs(places % 24 - places[index] % 24)
    is_near_in_day = np.minimum(day_apart, 24 - day_apart) <= 1
    if age >= HOUR_OF_WEEK_FROM:
        pool = is_known & is_near_in_week
        if np.count_nonzero(pool) >= POOL_MIN:
            return Basis.HOUR_OF_WEEK, pool
        is_off = places // 24 >= 5
        pool = is_known & is_near_in_day & (is_off == is_off[index])
        if np.count_nonzero(pool) >= POOL_MIN:
            return Basis.KIND_OF_DAY, pool
    return Basis.HOUR_OF_DAY, is_known & is_near_in_day
