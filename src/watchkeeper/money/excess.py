"""What the ledger believes a worker to hold, and the worker does not: found when it says Hello again.

A line that breaks loses messages: an answer whose grant the worker never had, or what it gave back. The table of
leases is then too high. Just after a Hello it may be higher for another reason: what calls have drawn is on its way
through the spool. So the difference is kept until all that was written down before the Hello is booked; what is left of
it then was lost on the line.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

SLACK_NS = 2_000_000_000
"""Calls that ended so shortly after the Hello count as before it: too little is taken back rather than too much."""


@dataclass(slots=True)
class Excess:
    """Of one worker's life."""

    said_ns: int
    """Unix time of its Hello."""
    beyond: dict[str, int] = field(default_factory=dict[str, int])
    """By account: what the table had more than the worker said."""
    booked: Counter[str] = field(default_factory=Counter[str])
    """By account: what calls drew that ended before the Hello and were booked since."""

    def compare(self, table: Mapping[str, int], said: Mapping[str, int]) -> None:
        """Note the difference."""
        self.beyond = {key: amount - said.get(key, 0) for key, amount in table.items() if amount > said.get(key, 0)}

    def book(self, key: str, drawn: int, ended_ns: int) -> None:
        """Note that a call's charge has been booked."""
        if ended_ns <= self.said_ns + SLACK_NS:
            self.booked[key] += drawn

    def is_settled(self, taken_in_ns: int) -> bool:
        """Tell whether all that was written down before the Hello is booked.

        Args:
            taken_in_ns: All that was on the worker's spool at this Unix time is booked.
        """
        return taken_in_ns > self.said_ns + SLACK_NS

    @property
    def lost(self) -> dict[str, int]:
        """What was lost on the line, by account; once it is settled."""
        left = {key: amount - self.booked[key] for key, amount in self.beyond.items()}
        return {key: amount for key, amount in left.items() if amount > 0}
