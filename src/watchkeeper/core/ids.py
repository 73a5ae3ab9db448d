"""Call ids: 26 characters that sort by time and say when they were made.

A ULID (github.com/ulid/spec): 48 bits of Unix milliseconds, then 80 bits that make it unique, in
Crockford's base 32. A store finds a call by its id without an index, because the id names its day.
"""

import secrets
from collections.abc import Callable
from typing import NewType

from watchkeeper.core.clock import Clock

CallId = NewType("CallId", str)

CALL_ID_LENGTH = 26
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_LOW_BITS = 20
_LOW = (1 << _LOW_BITS) - 1
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


class CallIds:
    """Makes the ids of one process; two processes never make the same one.

    The 80 unique bits are 40 random bits drawn once per process and a counter that starts at a
    random place, which is many times cheaper than 80 fresh random bits per call.
    """

    def __init__(self, clock: Clock, *, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._unix_ns = clock.unix_ns
        self._random = _encode(random_bits(40), 8)
        self._counter = random_bits(39)
        self._head_ms = -1
        self._head = ""
        """All but the last four letters."""

    def next(self) -> CallId:
        """Return a fresh id stamped with the present millisecond."""
        now_ms = self._unix_ns() // 1_000_000
        self._counter = counter = self._counter + 1
        low = counter & _LOW
        if now_ms != self._head_ms or not low:
            self._head_ms = now_ms
            self._head = _encode(now_ms, 10) + self._random + _encode(counter >> _LOW_BITS, 4)
        return CallId(self._head + _PAIRS[low >> 10] + _PAIRS[low & 1023])


def is_call_id(text: str) -> bool:
    """Tell whether a text has the form of a call id."""
    return len(text) == CALL_ID_LENGTH and text[0] in "01234567" and all(letter in _VALUES for letter in text)


def made_at_ms(call_id: CallId) -> int:
    """Return the Unix time in milliseconds that an id carries."""
    value = 0
    for letter in call_id[:10]:
        value = value * 32 + _VALUES[letter]
    return value


def _encode(value: int, length: int) -> str:
    """Write the low bits of a value in an even number of letters."""
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(5 * length - 10, -10, -10)])
