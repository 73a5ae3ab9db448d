"""Leaves a failing target alone, and lets it come back with care. All workers of a host share what they know.

The state of every target lies in one small file that each worker maps into its memory. A healthy target costs one look
at one number; whatever changes is changed under the file's lock, so that exactly one call tries a target that is open.
"""

import contextlib
import fcntl
import mmap
import os
import random
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

from watchkeeper.gateway.snapshot import BreakerSettings

SLOTS = 1024
"""Targets that are shared; further ones are known to their own worker only."""
_FIELDS = 16
_BYTES = 8
_KEY, _TROUBLE, _SCORE, _OPEN_UNTIL, _REOPENINGS, _TRIAL_UNTIL, _RAMP_FROM, _COOL_UNTIL, _OPENED = range(9)
"""A slot's numbers. trouble: 0 where nothing is to be looked at. open_until: 0 where it is closed."""

TRIAL_S = 120.0
"""How long one call may take to try an open target before another one may."""
MADE_UP_BY_SUCCESS = 0.5
"""Of one failure. A target that fails more than every third call opens in the end."""
SMALLEST_SHARE = 0.05
"""Of the calls, at the beginning of the ramp."""
WhyNot = Literal["", "open", "on_trial", "ramp", "rate_limited"]


class Gate(NamedTuple):
    """Whether a call may try a target now."""

    why_not: WhyNot = ""
    """Empty when it may. ramp: another target should take it, if there is one."""
    again_in_s: float = 0.0
    is_trial: bool = False
    """This call tells whether the target is back."""


PASS = Gate()


class BreakerTable:
    """Where the state of targets lies."""

    def __init__(self, path: Path | None = None, roll: Callable[[], float] = random.random) -> None:
        """Use a file that other workers map too; without one, keep the state in this process alone.

        Args:
            roll: Gives a number from 0 to 1.
        """
        self._roll = roll
        size = SLOTS * _FIELDS * _BYTES
        self._descriptor = -1
        if path is None:
            self._numbers = memoryview(bytearray(size)).cast("d")
        else:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            with self._locked():
                if os.fstat(self._descriptor).st_size != size:
                    os.ftruncate(self._descriptor, size)
            self._numbers = memoryview(mmap.mmap(self._descriptor, size)).cast("d")

    def of(self, target: str) -> "Breaker":
        """Find or make the slot of a target."""
        key = float(int.from_bytes(blake2b(target.encode(), digest_size=6).digest()) + 1)
        with self._locked():
            for step in range(SLOTS):
                at = (int(key) + step) % SLOTS * _FIELDS
                if self._numbers[at] in (0.0, key):
                    self._numbers[at] = key
                    return Breaker(self._numbers, at, self._locked, self._roll)
        return Breaker(memoryview(bytearray(_FIELDS * _BYTES)).cast("d"), 0, self._locked, self._roll)

    def clear(self) -> None:
        """Forget the state of every target."""
        with self._locked():
            for slot in range(0, len(self._numbers), _FIELDS):
                for field in range(_TROUBLE, _FIELDS):
                    self._numbers[slot + field] = 0.0

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._descriptor < 0:
            yield
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)


class Breaker:
    """One target's. Times are seconds of the host's monotonic clock."""

    __slots__ = ("_at", "_locked", "_numbers", "_roll")

    def __init__(
        self,
        numbers: "memoryview[float]",
        at: int,
        locked: Callable[[], contextlib.AbstractContextManager[None]],
        roll: Callable[[], float],
    ) -> None:
        self._roll = roll
        self._numbers = numbers
        self._at = at
        self._locked = locked

    @property
    def is_troubled(self) -> bool:
        """There is something to be looked at; where there is not, every call may try the target."""
        return self._numbers[self._at + _TROUBLE] != 0.0

    def gate(self, now: float, settings: BreakerSettings) -> Gate:
        """Tell whether a call may try the target; a trial is granted to one call and must be reported on."""
        numbers, at = self._numbers, self._at
        cool_until, open_until = numbers[at + _COOL_UNTIL], numbers[at + _OPEN_UNTIL]
        if cool_until > now:
            return Gate("rate_limited", cool_until - now)
        if not open_until:
            return self._ramp_gate(now, settings)
        if open_until > now:
            return Gate("open", open_until - now)
        with self._locked():
            trial_until = numbers[at + _TRIAL_UNTIL]
            if trial_until > now:
                return Gate("on_trial", 1.0)
            numbers[at + _TRIAL_UNTIL] = now + TRIAL_S
        return Gate(is_trial=True)

    def succeeded(self, now: float, *, is_trial: bool) -> None:
        """The target has answered."""
        numbers, at = self._numbers, self._at
        with self._locked():
            if numbers[at + _OPEN_UNTIL]:
                if is_trial:
                    numbers[at + _OPEN_UNTIL] = numbers[at + _TRIAL_UNTIL] = numbers[at + _SCORE] = 0.0
                    numbers[at + _RAMP_FROM] = now
            else:
                numbers[at + _SCORE] = max(0.0, numbers[at + _SCORE] - MADE_UP_BY_SUCCESS)
            self._see_trouble(now)

    def failed(self, now: float, settings: BreakerSettings, *, is_trial: bool) -> None:
        """The target has failed. Calls that were under way when it opened change nothing."""
        numbers, at = self._numbers, self._at
        with self._locked():
            numbers[at + _TROUBLE] = 1.0
            if numbers[at + _OPEN_UNTIL]:
                if is_trial:
                    self._open(now, settings)
                return
            numbers[at + _SCORE] += 1.0
            if numbers[at + _RAMP_FROM] or numbers[at + _SCORE] >= settings.failures:
                self._open(now, settings)

    def gave_up(self, *, is_trial: bool) -> None:
        """The call ended without saying anything about the target."""
        if is_trial:
            with self._locked():
                self._numbers[self._at + _TRIAL_UNTIL] = 0.0

    def cool(self, until: float) -> None:
        """The target has asked to be left alone until then."""
        numbers, at = self._numbers, self._at
        with self._locked():
            numbers[at + _TROUBLE] = 1.0
            numbers[at + _COOL_UNTIL] = max(until, numbers[at + _COOL_UNTIL])

    def state(self, now: float) -> dict[str, float | str]:
        """Describe it, for people."""
        numbers, at = self._numbers, self._at
        open_until, cool_until = numbers[at + _OPEN_UNTIL], numbers[at + _COOL_UNTIL]
        if open_until:
            word = "on_trial" if numbers[at + _TRIAL_UNTIL] > now else "open"
        elif cool_until > now:
            word = "rate_limited"
        else:
            word = "ramp" if numbers[at + _RAMP_FROM] else "closed"
        return {
            "state": word,
            "failures": numbers[at + _SCORE],
            "again_in_s": max(0.0, max(open_until, cool_until) - now),
            "opened": numbers[at + _OPENED],
        }

    def _ramp_gate(self, now: float, settings: BreakerSettings) -> Gate:
        numbers, at = self._numbers, self._at
        ramp_from = numbers[at + _RAMP_FROM]
        if not ramp_from:
            if numbers[at + _COOL_UNTIL]:
                with self._locked():
                    self._see_trouble(now)
            return PASS
        grown = (now - ramp_from) / settings.ramp_s if settings.ramp_s else 1.0
        if grown >= 1.0:
            with self._locked():
                numbers[at + _RAMP_FROM] = numbers[at + _REOPENINGS] = 0.0
                self._see_trouble(now)
            return PASS
        return PASS if self._roll() < max(SMALLEST_SHARE, grown) else Gate("ramp")

    def _open(self, now: float, settings: BreakerSettings) -> None:
        numbers, at = self._numbers, self._at
        open_s = min(settings.open_max_s, settings.open_s * 2 ** min(numbers[at + _REOPENINGS], 20))
        # Up to a tenth longer, so that the hosts of a fleet do not come back in step.
        numbers[at + _OPEN_UNTIL] = now + open_s * (1.0 + 0.1 * self._roll())
        numbers[at + _REOPENINGS] += 1
        numbers[at + _OPENED] += 1
        numbers[at + _SCORE] = numbers[at + _TRIAL_UNTIL] = numbers[at + _RAMP_FROM] = 0.0

    def _see_trouble(self, now: float) -> None:
        numbers, at = self._numbers, self._at
        if numbers[at + _COOL_UNTIL] <= now:
            numbers[at + _COOL_UNTIL] = 0.0
        fields = (_SCORE, _OPEN_UNTIL, _RAMP_FROM, _COOL_UNTIL)
        numbers[at + _TROUBLE] = float(any(numbers[at + field] for field in fields))
