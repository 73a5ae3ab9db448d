"""A rollout: which of several releases a caller gets, and for how long it stays so."""

from typing import Literal

from msgspec import Struct

from watchkeeper.releases.assigning import position

RolloutKind = Literal["canary", "ab", "shadow"]
Sticky = Literal["subject", "session", "call"]


class Arm(Struct, frozen=True, forbid_unknown_fields=True):
    """A release that is tried."""

    release: str
    share: float
    """Of the units, between 0 and 1."""


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """Releases that are tried beside the one that stands; the units on no arm get that one."""

    id: str
    kind: RolloutKind
    arms: tuple[Arm, ...]
    sticky: Sticky = "subject"
    """What keeps its arm. A call without a subject is assigned by its session, one without either by its id."""

    def arm_of(self, unit: str) -> str:
        """Return the release that a unit is assigned to; empty for the one that stands."""
        place = position(self.id, unit)
        for arm in self.arms:
            if place < arm.share:
                return arm.release
            place -= arm.share
        return ""

    def unit(self, subject: str, session: str) -> str:
        """Return what keeps its arm, of a call of a person in a session; empty where each call has its own."""
        match self.sticky:
            case "subject":
                return subject or session
            case "session":
                return session or subject
            case "call":
                return ""
