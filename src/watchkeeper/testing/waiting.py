"""Waiting for something that another process or thread will make true."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_EVERY_S = 0.005
PATIENCE_S = 10.0
"""Far longer than anything here takes, so that a slow machine does not fail a test."""


def wait_until(look: Callable[[], T | None], *, within_s: float = PATIENCE_S, every_s: float = LOOK_EVERY_S) -> T:
    """Look again and again until something true is found, and return it.

    Raises:
        TimeoutError: it was not in time; the message holds what was found last.
    """
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {found!r} after {within_s:g} s")
        time.sleep(every_s)
    return found


async def eventually(look: Callable[[], T | None], *, within_s: float = PATIENCE_S, every_s: float = LOOK_EVERY_S) -> T:
    """Do as `wait_until`, and let the loop run meanwhile."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {found!r} after {within_s:g} s")
        await asyncio.sleep(every_s)
    return found
