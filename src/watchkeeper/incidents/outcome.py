"""What came of an attempt to deliver a message, and when the next is made."""

import random
from collections.abc import Callable
from dataclasses import dataclass

ATTEMPTS_MAX = 18
"""After so many a message is given up."""
FIRST_WAIT_S = 10.0
"""Upper end of the first wait; it doubles with each attempt."""
WAIT_MAX_S = 6 * 3600.0
RETRY_AFTER_MAX_S = 24 * 3600.0
"""A receiver may ask for a longer wait than ours, but not for a longer one than this."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""

    answer: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The receiver does not have it, as far as is known; it is tried again."""

    answer: str
    retry_after_s: float = 0.0
    """How long the receiver asked to be left alone."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver wants nothing more at this address."""

    answer: str


Outcome = Delivered | Failed | Gone


def wait_s(attempts: int, failed: Failed, *, uniform: Callable[[float, float], float] = random.uniform) -> float | None:
    """Return how long to wait before the next attempt; None when the message is given up.

    Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): a
    random time between nothing and a limit that doubles up to `WAIT_MAX_S`, so that messages that failed together do
    not come back together. A receiver's `retry-after` is the least that is waited, up to `RETRY_AFTER_MAX_S`.

    Args:
        attempts: Made so far, this one included.
        failed: What came of it.
        uniform: Where the random time comes from.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    waited = uniform(0.0, min(WAIT_MAX_S, FIRST_WAIT_S * 2 ** (attempts - 1)))
    return max(waited, min(failed.retry_after_s, RETRY_AFTER_MAX_S))
