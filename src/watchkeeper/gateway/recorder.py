"""Hands finished calls to the spool."""

import logging
from typing import Protocol

import msgspec

from watchkeeper.core.call import Call
from watchkeeper.core.feedback import FeedbackEvent
from watchkeeper.gateway.refusals import NotRecorded
from watchkeeper.gateway.snapshot import Durability
from watchkeeper.spool.segment import CALL_RECORD, FEEDBACK_RECORD
from watchkeeper.spool.writer import SpoolError, SpoolWriter

_UNWRITABLE = (UnicodeEncodeError, ValueError, OverflowError, TypeError)
"""What encoding a call could raise, should text that is no text have come so far."""

_log = logging.getLogger(__name__)


class Recorder(Protocol):
    """Where finished calls go."""

    must_commit: bool
    """Whether a response may end only after `commit` has returned."""

    def require_room(self) -> None:
        """See, before anything is paid for, that a call can be recorded as promised.

        Raises:
            NotRecorded: it cannot.
        """
        ...

    def append(self, call: Call) -> int | None:
        """Take a call; it is on disk within the commit interval, or counted as lost with a reason.

        Returns the number of its record among all that were taken; None when it is lost.
        """
        ...

    async def commit(self, call: Call) -> int | None:
        """Take a call and return the number of its record once it is on disk.

        Raises:
            NotRecorded: it is not, and will not be.
        """
        ...

    async def commit_feedback(self, event: FeedbackEvent) -> None:
        """Take feedback and return once it is on disk, whatever the durability of calls.

        Raises:
            NotRecorded: it is not, and will not be.
        """
        ...


class SpoolRecorder:
    """Writes calls to this worker's spool."""

    def __init__(self, spool: SpoolWriter) -> None:
        self.must_commit = False
        self._spool = spool
        self._encoder = msgspec.msgpack.Encoder()

    def follow(self, durability: Durability) -> None:
        """Take on the durability of a new snapshot; calls recorded from now on keep it."""
        self.must_commit = durability == "disk"

    def require_room(self) -> None:
        """See that a call can be recorded; see `Recorder.require_room`."""
        if self.must_commit and self._spool.trouble:
            raise _not_recorded()

    def append(self, call: Call) -> int | None:
        """Take a call; see `Recorder.append`."""
        return self._spool.append(CALL_RECORD, self._encode(call))

    async def commit(self, call: Call) -> int | None:
        """Take a call and return once it is on disk; see `Recorder.commit`."""
        try:
            return await self._spool.commit(CALL_RECORD, self._encode(call))
        except SpoolError as error:
            raise _not_recorded() from error

    async def commit_feedback(self, event: FeedbackEvent) -> None:
        """Take feedback; see `Recorder.commit_feedback`."""
        try:
            await self._spool.commit(FEEDBACK_RECORD, self._encoder.encode(event))
        except SpoolError as error:
            raise NotRecorded("The feedback was not recorded; send it again under the same id.") from error

    def _encode(self, call: Call) -> bytes:
        try:
            return self._encoder.encode(call)
        except _UNWRITABLE:
            _log.exception("call %s cannot be written as it is; its texts are left out", call.id)
            return self._encoder.encode(_without_texts(call))


def _not_recorded() -> NotRecorded:
    return NotRecorded(
        "The call was not recorded, and `durability: disk` promises a record before an answer. "
        "Nothing is wrong with the request; retry it once the operator has made room for the spool."
    )


def _without_texts(call: Call) -> Call:
    """What the gateway itself wrote: who, when, how long, how much."""
    kept = ("id", "started_ns", "worker", "key_id", "environment", "snapshot", "surface", "is_stream", "status",
            "http_status", "error_class", "usage", "usage_status", "cost_nusd", "cost_status", "duration_ms",
            "first_token_ms", "overhead_ms", "request_bytes", "response_bytes", "delivered_bytes", "charges",
            "holder")  # fmt: skip
    attempts = [msgspec.structs.replace(one, error_message="", upstream_request_id="") for one in call.attempts]
    return Call(**{name: getattr(call, name) for name in kept}, error_code="unwritable", attempts=attempts)


class NoRecorder:
    """Forgets every call; what the benchmark compares with."""

    must_commit = False

    def require_room(self) -> None:
        """There is always room to forget."""

    def append(self, call: Call) -> int | None:
        """Forget the call."""
        return 0

    async def commit(self, call: Call) -> int | None:
        """Forget the call."""
        return 0

    async def commit_feedback(self, event: FeedbackEvent) -> None:
        """Forget it."""
