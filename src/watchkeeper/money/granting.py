"""How much of what a worker asks for it is granted: decided on numbers alone, whoever keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from watchkeeper.money.leases import Account, Want

AMOUNT_MAX = 2**62
"""For more there is never room, whatever a limit says: sums must fit into the database's 64 bits."""
SPARE_SHARE = 4
"""Beyond what it needs, a worker gets at most its part of a quarter of the room."""
SPARE_LIMIT = 20
"""Nor more than a twentieth of the limit."""


@dataclass(slots=True)
class Standing:
    """An account while questions are decided; each grant is added to it."""

    limit: int
    used: int
    """Settled in the present window."""
    held: int
    """Leased to anybody, or in a hold that nobody has resolved."""
    resets_s: int

    @property
    def room(self) -> int:
        """What is neither used nor held; negative where more was spent than allowed."""
        return self.limit - self.used - self.held


NO_ACCOUNT = Standing(0, 0, 0, 0)
"""Of a rule that is not known: it has no room."""


class Decision(NamedTuple):
    """All wants are granted, or none; then only the account that has no room is named."""

    accounts: tuple[Account, ...]
    is_granted: bool


def grant(want: Want, standing: Standing, workers: int) -> int | None:
    """Return how much is granted: the need, and more while there is ample room; None where it does not fit.

    Who needs nothing only wants to know how the account stands, and is never refused.
    """
    room = min(standing.room, AMOUNT_MAX)
    if want.need > max(0, room):
        return None
    spare = min(room // (SPARE_SHARE * max(1, workers)), standing.limit // SPARE_LIMIT, room - want.need)
    return want.need + max(0, min(want.like - want.need, spare))


def decide(wants: Sequence[tuple[str, Want]], standings: Mapping[str, Standing], *, workers: int) -> Decision:
    """Decide one question; where it is granted, the standings hold the grants afterwards.

    Args:
        wants: Each with the key of its account; of two for one account the second sees the first.
        standings: By key.
        workers: How many share what is left.
    """
    granted: list[tuple[str, Standing, int, bool]] = []
    for key, want in wants:
        standing = standings.get(key, NO_ACCOUNT)
        amount = grant(want, standing, workers)
        if amount is None and want.must:
            for _, other, taken, _ in granted:
                other.held -= taken
            return Decision((_account(key, standing, 0, has_room=False),), is_granted=False)
        if amount:
            standing.held += amount
        granted.append((key, standing, amount or 0, amount is not None))
    return Decision(tuple([_account(key, at, amount, has_room=room) for key, at, amount, room in granted]), True)


def _account(key: str, at: Standing, granted: int, *, has_room: bool) -> Account:
    return Account(key, granted, at.limit, at.used, at.held, at.resets_s, has_room)
