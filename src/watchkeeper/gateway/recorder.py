"""Hands finished calls to the spool."""

from typing import Protocol

import msgspec

from watchkeeper.core.call import Call
from watchkeeper.gateway.refusals import NotRecorded
from watchkeeper.gateway.snapshot import Durability
from watchkeeper.spool.segment import CALL_RECORD
from watchkeeper.spool.writer import SpoolError, SpoolWriter


class Recorder(Protocol):
    """Where finished calls go."""

    must_commit: bool
    """Whether a response may end only after `commit` has returned."""

    def append(self, call: Call) -> None:
        """Take a call; it is on disk within the commit interval, or counted as lost with a reason."""
        ...

    async def commit(self, call: Call) -> None:
        """Take a call and return once it is on disk.

        Raises:
            NotRecorded: it is not, and will not be.
        """
        ...


class SpoolRecorder:
    """Writes calls to this worker's spool."""

    def __init__(self, spool: SpoolWriter) -> None:
        self.must_commit = False
        self._spool = spool
        self._encode = msgspec.msgpack.Encoder().encode

    def follow(self, durability: Durability) -> None:
        """Take on the durability of a new snapshot; calls recorded from now on keep it."""
        self.must_commit = durability == "disk"

    def append(self, call: Call) -> None:
        """Take a call; see `Recorder.append`."""
        self._spool.append(CALL_RECORD, self._encode(call))

    async def commit(self, call: Call) -> None:
        """Take a call and return once it is on disk; see `Recorder.commit`."""
        try:
            await self._spool.commit(CALL_RECORD, self._encode(call))
        except SpoolError as error:
            raise NotRecorded(
                "The call was not recorded, and `durability: disk` promises a record before an answer. "
                "Nothing is wrong with the request; retry it once the operator has made room for the spool."
            ) from error


class NoRecorder:
    """Forgets every call; what the benchmark compares with."""

    must_commit = False

    def append(self, call: Call) -> None:
        """Forget the call."""

    async def commit(self, call: Call) -> None:
        """Forget the call."""
