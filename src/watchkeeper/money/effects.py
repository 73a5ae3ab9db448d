"""Why the cost of one period differs from that of another: price, volume, mix and efficiency, without a remainder.

The cost of a period is the sum over its groups i (models, or any other dimension) of

    N * s_i * u_i * p_i        N   calls in all
                               s_i share of the calls that are of group i
                               u_i tokens of one call of group i
                               p_i cost of one of its tokens

and the four effects change one factor after the other, from the first period (0) to the second (1):

    price       (p1_i - p0_i) * N0 * s0_i * u0_i     the same work at the new prices: Laspeyres, sum (p1 - p0) * q0
    volume      (N1 - N0) * s0_i * u0_i * p1_i       more or fewer calls, distributed as before
    mix         N1 * (s1_i - s0_i) * u0_i * p1_i     calls that moved between groups
    efficiency  N1 * s1_i * (u1_i - u0_i) * p1_i     tokens that one call takes

They telescope: in each group they add up to the difference of its costs, so nothing is left over. (Price-volume-mix
analysis as the FinOps Framework's unit economics asks for it; the order of the factors is a convention, and this one
prices what changed at the second period's prices.) Where a group has no calls in one of the periods, its price and its
tokens of a call are taken to be those of the other: a model that is new is mix, not price. Where a whole period has no
calls, all of the difference is volume. A group whose tokens are 0 in a period in which it costs something, as with a
fee for each request, is measured in calls instead of tokens in both periods.

Amounts are fractions until the end, and are then rounded to nano-dollars within each group by the largest remainder, so
that the rounded parts add up, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TypeVar

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What one group used and cost in one period: its priced calls."""

    calls: int = 0
    tokens: int = 0
    """Input and output."""
    nusd: int = 0


NOTHING = Used()


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Parts of a difference in nano-dollars."""

    price: int = 0
    volume: int = 0
    mix: int = 0
    efficiency: int = 0

    @property
    def difference(self) -> int:
        """The cost of the second period less that of the first."""
        return self.price + self.volume + self.mix + self.efficiency


def added(parts: Iterable[Effects]) -> Effects:
    """Add up the effects of several groups."""
    listed = list(parts)
    return Effects(
        price=sum(part.price for part in listed),
        volume=sum(part.volume for part in listed),
        mix=sum(part.mix for part in listed),
        efficiency=sum(part.efficiency for part in listed),
    )


def effects(first: Mapping[Name, Used], second: Mapping[Name, Used]) -> dict[Name, Effects]:
    """Explain for each group of either period why its cost differs.

    Raises:
        ValueError: a group costs something, or used tokens, without a call.
    """
    for used in (*first.values(), *second.values()):
        if used.calls < 0 or (not used.calls and (used.tokens or used.nusd)):
            raise ValueError("a group without calls can have used and cost nothing")
    totals = sum(used.calls for used in first.values()), sum(used.calls for used in second.values())
    names = dict.fromkeys([*first, *second])
    return {name: _of_group(first.get(name, NOTHING), second.get(name, NOTHING), totals) for name in names}


def _of_group(before: Used, after: Used, totals: tuple[int, int]) -> Effects:
    calls_0, calls_1 = totals
    is_counted = all(used.tokens or not used.nusd for used in (before, after))
    p0, u0 = _rates(before, is_counted=is_counted)
    p1, u1 = _rates(after, is_counted=is_counted)
    p0, p1 = _either(p0, p1)
    u0, u1 = _either(u0, u1)
    s0, s1 = _either(_share(before.calls, calls_0), _share(after.calls, calls_1))
    return _rounded(
        (p1 - p0) * calls_0 * s0 * u0,
        (calls_1 - calls_0) * s0 * u0 * p1,
        calls_1 * (s1 - s0) * u0 * p1,
        calls_1 * s1 * (u1 - u0) * p1,
    )


def _rates(used: Used, *, is_counted: bool) -> tuple[Fraction | None, Fraction | None]:
    """Cost of one token and tokens of one call; None where there is nothing to divide by."""
    units = used.tokens if is_counted else used.calls
    return _share(used.nusd, units), _share(units, used.calls)


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def _either(before: Fraction | None, after: Fraction | None) -> tuple[Fraction, Fraction]:
    """What one period lacks is as in the other."""
    known = before if before is not None else after
    if known is None:
        return Fraction(), Fraction()
    return (known if before is None else before), (known if after is None else after)


def _rounded(*parts: Fraction) -> Effects:
    """Round so that the whole, which is an integer, is kept: what is cut off goes to the parts that lost most of it."""
    whole = sum(parts)
    assert whole.denominator == 1
    floors = [floor(part) for part in parts]
    by_loss = sorted(range(len(parts)), key=lambda place: floors[place] - parts[place])
    for place in by_loss[: int(whole) - sum(floors)]:
        floors[place] += 1
    price, volume, mix, efficiency = floors
    return Effects(price=price, volume=volume, mix=mix, efficiency=efficiency)
