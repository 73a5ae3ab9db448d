"""A note, itself on the spool, of records that could not be kept."""

from msgspec import Struct


class Loss(Struct, array_like=True, frozen=True, gc=False):
    """Written once there is room again, so that what was received can be told from what was stored."""

    reason: str
    records: int
    first_ns: int
    """Unix time of the first loss."""
    last_ns: int
