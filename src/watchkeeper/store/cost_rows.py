"""What the questions about cost are asked with and answered with: frozen rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Named = Literal[
    "feature",
    "tenant",
    "subject",
    "key",
    "model",
    "provider",
    "release",
    "environment",
    "tag",
    "session",
    "route",
    "status",
]
"""What a call can be named by. `model` is that of its last attempt, as sent upstream, as is `provider`."""

Step = Literal["hour", "day", "week", "month"]
"""Stretches of local time. A week begins on Monday."""

Dimension = Named | Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CostScope:
    """Which calls are meant."""

    since: datetime
    """Inclusive."""
    until: datetime
    """Exclusive."""
    where: tuple[tuple[Named, str], ...] = ()
    """Of several values for one dimension, one must hold; of several dimensions, all. An empty value means that a call
    has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What a number of calls used and cost."""

    calls: int
    input_tokens: int
    """All input, cached or not; of the calls whose tokens were counted."""
    output_tokens: int
    cached_tokens: int
    """The part of the input that was read from a provider's prompt cache."""
    uncounted_calls: int
    """Calls whose tokens nobody counted."""
    cost_nusd: int | None
    """Of the priced calls, corrections applied; None when none of them is priced."""
    estimated_nusd: int
    """The part of it that is estimated."""
    disputed_nusd: int
    """The part of it that the upstream's bill contradicts."""
    estimated_calls: int
    unpriced_calls: int
    """Calls that are missing from the cost."""
    priced_tokens: int
    """Input and output of the priced calls."""

    @property
    def measured_nusd(self) -> int:
        """The part of the cost that is neither estimated nor disputed."""
        return (self.cost_nusd or 0) - self.estimated_nusd - self.disputed_nusd

    @property
    def priced_calls(self) -> int:
        """Calls that are in the cost."""
        return self.calls - self.unpriced_calls


NO_SPEND = Spend(
    calls=0,
    input_tokens=0,
    output_tokens=0,
    cached_tokens=0,
    uncounted_calls=0,
    cost_nusd=0,
    estimated_nusd=0,
    disputed_nusd=0,
    estimated_calls=0,
    unpriced_calls=0,
    priced_tokens=0,
)
"""No calls at all, which cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostGroup:
    """The calls that share a name in each of the dimensions asked for."""

    names: tuple[str, ...]
    """In the order of the dimensions. An hour is ISO 8601 with its offset; a day, week or month is its first day."""
    spend: Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAnswer:
    """Groups of calls, dearest first."""

    by: tuple[Dimension, ...]
    total: Spend
    """Of all calls, each counted once."""
    groups: tuple[CostGroup, ...]
    other: Spend | None
    """The sum of the groups that are not listed; None when all are. By tag, a call is in a group for each of its
    tags."""
    other_groups: int
