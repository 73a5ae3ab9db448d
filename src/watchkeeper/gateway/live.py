"""Which release each feature serves in each environment, as the keeper tells the workers.

A change names the moment from which it holds, a moment ahead: workers have it before, and all change over at once.
"""

import msgspec
from msgspec import Struct

from watchkeeper.releases.standing import Rollout


class Standing(Struct, frozen=True, array_like=True):
    """What holds from a moment on."""

    since_ns: int
    """Unix time."""
    release: str
    """Empty where the feature has been taken off."""
    rollout: Rollout | None = None


class Live(Struct, frozen=True, array_like=True):
    """What every feature serves everywhere."""

    version: int
    """Grows with every change: how many rows the history has."""
    standings: dict[str, tuple[Standing, ...]]
    """By `feature@environment`; the oldest first."""

    def standing(self, name: str, at_ns: int) -> Standing | None:
        """Return what holds for `feature@environment` at a Unix time; None where nothing was ever promoted."""
        found = None
        for standing in self.standings.get(name, ()):
            if standing.since_ns > at_ns:
                break
            found = standing
        return found


NOTHING_LIVE = Live(0, {})


def encode(live: Live) -> bytes:
    """Write in the form `decode` reads."""
    return msgspec.msgpack.encode(live)


def decode(data: bytes) -> Live:
    """Read what `encode` has written. Raises msgspec.ValidationError."""
    return msgspec.msgpack.decode(data, type=Live)
