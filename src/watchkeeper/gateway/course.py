"""The course a call takes: which targets may answer it, in which order, and what was decided on the way.

What is recorded of it is what `watchkeeper route why` prints.
"""

from typing import Any

import msgspec
from msgspec import Struct

from watchkeeper.gateway.plan import PreparedTarget

_write = msgspec.json.Encoder().encode


class Candidate(Struct, frozen=True, gc=False, omit_defaults=True):
    """A target that was considered."""

    target: str
    score: float | None = None
    """What the strategy compares: milliseconds, US dollars, or a share. None where the order decides."""
    excluded: str = ""
    """Why it was not tried; empty when nothing spoke against it."""


class Decision(Struct, frozen=True, gc=False, omit_defaults=True):
    """What was done about an attempt's failure."""

    after: int
    """Number of the attempt; 0 where none was made."""
    failure: str
    then: str
    """`retry`, `fallback`, `trim`, `summarise`, `continue`, `restart`, `fail`."""
    why: str = ""


class Course(Struct, eq=False):
    """Of one call."""

    targets: tuple[PreparedTarget, ...]
    """In the order in which they are tried."""
    strategy: str = "order"
    tier: str = ""
    rule: int | None = None
    """Number of the rule that picked the tier, from 1."""
    scores: dict[str, float] = {}
    exclusions: dict[str, str] = {}
    """By name of the target."""
    decisions: list[Decision] = []

    def exclude(self, target: str, why: str) -> None:
        """Note why a target is not tried."""
        self.exclusions[target] = why

    def decide(self, decision: Decision) -> None:
        """Note what is done about a failure."""
        self.decisions.append(decision)

    @property
    def is_plain(self) -> bool:
        """There was one target to choose from, and it was simply asked."""
        return len(self.targets) == 1 and not (self.exclusions or self.decisions or self.tier or self.rule)

    def recorded(self) -> bytes:
        """Write it down (JSON)."""
        names = list(dict.fromkeys([*(target.name for target in self.targets), *self.exclusions]))
        written: dict[str, Any] = {
            "strategy": self.strategy,
            "candidates": [Candidate(name, self.scores.get(name), self.exclusions.get(name, "")) for name in names],
        }
        if self.tier:
            written["tier"] = self.tier
        if self.rule is not None:
            written["rule"] = self.rule
        if self.decisions:
            written["decisions"] = self.decisions
        return _write(written)
