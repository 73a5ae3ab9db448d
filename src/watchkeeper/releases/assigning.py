"""Which release of a rollout a caller gets: always the same one, as long as the shares stay."""

from hashlib import blake2b

_SPAN = float(1 << 53)
"""As many places as a float below 1 can tell apart evenly."""


def position(rollout_id: str, unit: str) -> float:
    """Return the unit's place in [0, 1): even over units, independent between rollouts, the same on every host.

    A unit is on an arm when its place is below the arm's share, so that widening the share only adds units.
    """
    digest = blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8, key=rollout_id.encode()[:64]).digest()
    return (int.from_bytes(digest, "big") >> 11) / _SPAN
