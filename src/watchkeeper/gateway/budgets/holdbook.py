"""The book of holds: what calls under way have set aside, in a file that outlives the process.

Each life of a worker has a file of its own, mapped into memory: a hold costs no system call, and a killed worker's
holds can be read by the keeper. A loss of power may lose the book; the leases are in the ledger all the same.
"""

import mmap
import os
from collections import deque
from pathlib import Path

import msgspec

from watchkeeper.gateway.tab import NO_SLOT
from watchkeeper.money.leases import Held

SLOT_BYTES = 4_096
SLOTS = 8_192
"""Calls that are held at a time; the holds of further ones are in the leases only. The first slot tells who writes."""
_LENGTH = 2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, int, tuple[tuple[str, int], ...]]).decode
_decode_header = msgspec.msgpack.Decoder(dict[str, int]).decode


class HoldBook:
    """One life's."""

    def __init__(self, path: Path) -> None:
        """Make the file.

        Raises:
            OSError: it cannot be made.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        size = (1 + SLOTS) * SLOT_BYTES
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._write(0, _encode({"pid": os.getpid()}))
        self._free = list(range(SLOTS, 0, -1))
        self._leaving: deque[tuple[int, int]] = deque()

    def enter(self, call_id: str, at_ns: int, accounts: list[tuple[str, int]]) -> int:
        """Write a hold down; return its slot, or `NO_SLOT` when there is no room for it."""
        entry = _encode((call_id, at_ns, accounts))
        if not self._free or len(entry) > SLOT_BYTES - _LENGTH:
            return NO_SLOT
        slot = self._free.pop()
        self._write(slot, entry)
        return slot

    def leave(self, slot: int, record: int) -> None:
        """Note that a call's record has been handed over as the `record`-th; the hold stays until that is written."""
        self._leaving.append((slot, record))

    def forget_written(self, records: int) -> None:
        """Take out the holds of calls whose records have been written: all up to this one."""
        leaving = self._leaving
        while leaving and leaving[0][1] <= records:
            slot, _ = leaving.popleft()
            start = slot * SLOT_BYTES
            self._map[start : start + _LENGTH] = b"\0\0"
            self._free.append(slot)

    @property
    def is_empty(self) -> bool:
        """No call is held."""
        return len(self._free) == SLOTS

    def close(self) -> None:
        """Let go of the file; an empty book is deleted, as there is nothing to be read in it."""
        is_empty = self.is_empty
        self._map.close()
        if is_empty:
            self.path.unlink(missing_ok=True)

    def _write(self, slot: int, entry: bytes) -> None:
        start = slot * SLOT_BYTES
        end = start + _LENGTH + len(entry)
        self._map[start + _LENGTH : end] = entry
        # The length last: a hold that is half written is none.
        self._map[start : start + _LENGTH] = len(entry).to_bytes(_LENGTH, "little")


def read_holds(path: Path) -> tuple[int, list[Held]]:
    """Return the process that wrote a book, and the holds in it; what cannot be read is left out.

    Raises:
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    pid = 0
    found: list[Held] = []
    for start in range(0, len(content) - SLOT_BYTES + 1, SLOT_BYTES):
        length = int.from_bytes(content[start : start + _LENGTH], "little")
        entry = content[start + _LENGTH : start + _LENGTH + length]
        if not length:
            continue
        try:
            if not start:
                pid = _decode_header(entry).get("pid", 0)
            else:
                found.append(Held(*_decode(entry)))
        except msgspec.MsgspecError:
            continue
    return pid, found
