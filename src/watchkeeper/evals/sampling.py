"""Draws answers for people to label, each with a known probability: what is said of a few then stands for all."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

RANDOM_SHARE = 0.1
"""So much of a sample goes by chance alone, whatever seems worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Something that may be drawn."""

    id: str
    stratum: str = ""
    """The sample is shared out evenly between the strata, as far as each has units."""
    interest: float = 1.0
    """How much it is worth a look beside others of its stratum; above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A unit of the sample."""

    unit: Unit
    probability: float
    """With which it was to be drawn: above 0 and at most 1. It stands for `1 / probability` units."""


def probabilities(units: Sequence[Unit], count: int, *, random_share: float = RANDOM_SHARE) -> list[float]:
    """Return the probability with which each unit belongs to a sample of `count`.

    They sum to `count`, or to the number of units where there are no more; each is above 0, and at least
    `random_share * count / len(units)`.

    Raises:
        ValueError: no count above 0, an interest that is not above 0, or a share that is not between 0 and 1.
    """
    if count < 1 or not 0 < random_share <= 1 or any(not 0 < unit.interest < float("inf") for unit in units):
        raise ValueError("a sample needs a count, a random share up to 1, and interests above 0")
    if count >= len(units):
        return [1.0] * len(units)
    totals: dict[str, float] = {}
    for unit in units:
        totals[unit.stratum] = totals.get(unit.stratum, 0.0) + unit.interest
    measures = [
        random_share / len(units) + (1 - random_share) * unit.interest / totals[unit.stratum] / len(totals)
        for unit in units
    ]
    return _filled(measures, count)


def draw(units: Sequence[Unit], count: int, dice: random.Random, *, random_share: float = RANDOM_SHARE) -> list[Drawn]:
    """Draw `count` units, or all where there are no more, in the order of a lottery.

    Systematic sampling with unequal probabilities (Madow 1949, Ann. Math. Statist. 20:333) over the units, stratum by
    stratum and shuffled within each: a stratum has the share that is expected of it, rounded up or down. Because the
    sample comes in random order, its beginning is a sample, too, for whoever stops early.

    Raises:
        ValueError: as `probabilities`.
    """
    chances = probabilities(units, count, random_share=random_share)
    order = list(range(len(units)))
    dice.shuffle(order)
    order.sort(key=lambda place: units[place].stratum)
    reached = list(accumulate(chances[place] for place in order))
    if count < len(units):
        reached[-1] = float(count)  # the sum, without what rounding has done to it
    start, found = dice.random(), list[Drawn]()
    for place, below in zip(order, reached, strict=True):
        if start + len(found) < below:
            found.append(Drawn(unit=units[place], probability=chances[place]))
    dice.shuffle(found)
    return found


def estimated_mean(said: Iterable[tuple[float, float]], population: int) -> float:
    """Return the mean over all units as a sample tells it, without bias.

    Args:
        said: Of each unit of the sample, its value and the probability with which it was to be drawn.
        population: How many units it was drawn from.

    Source: Horvitz and Thompson 1952, J. Am. Stat. Assoc. 47:663.
    """
    return sum(value / probability for value, probability in said) / population


def _filled(measures: Sequence[float], count: int) -> list[float]:
    """Scale measures up until they sum to `count`, none above 1: what one cannot take goes to the others."""
    left, amount = sum(measures), float(count)
    scales: dict[int, float] = {}
    for place in sorted(range(len(measures)), key=lambda place: -measures[place]):
        if measures[place] * amount / left < 1:
            break
        scales[place] = 1.0
        left, amount = left - measures[place], amount - 1
    return [scales.get(place, measure * amount / left) for place, measure in enumerate(measures)]
