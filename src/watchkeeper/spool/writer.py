"""The gateway's end of the spool: takes records on the event loop and writes them in a thread of its own.

`append` costs the loop a list append. Every 20 ms, or at once when somebody waits for the disk, what has gathered goes
to the thread as one frame; checksums, encryption, write and fsync happen there. While a frame is under way the next one
gathers, so one fsync serves every record that came in the meantime.

When the disk is full, records that nobody waits for stay in memory up to a limit, then the newest are dropped and
counted; records that somebody waits for fail at once and are not kept. The writer tries again by itself, and once there
is room it notes on the spool how many records were lost. A fault of ours while it writes is met in the same way.
"""

import asyncio
import logging
from asyncio import AbstractEventLoop, Future, Task, TimerHandle
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from watchkeeper.core.clock import Clock
from watchkeeper.spool.log import SegmentLog
from watchkeeper.spool.loss import Loss
from watchkeeper.spool.segment import LOSS_RECORD, Record

FLUSH_S = 0.02
"""How long a record waits in memory for others to share its frame."""
FRAME_BYTES = 1 << 20
"""A batch that has gathered this much is written at once."""
RETRY_S = 0.5
"""Pause after a failed write."""
RECORD_OVERHEAD_BYTES = 128
"""What a waiting record takes in memory beside its payload."""

_log = logging.getLogger("watchkeeper.spool")


class SpoolError(Exception):
    """A record is not on disk and will not be."""


class SpoolFull(SpoolError):
    """There is no room: on the disk, within the folder's limit, or in memory."""


class SpoolClosed(SpoolError):
    """The writer has been closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """What one writer may take up."""

    waiting_bytes_max: int = 32 << 20
    """In memory; room for one call with the largest bodies that are recorded."""
    segment_bytes_max: int = 16 << 20
    segment_age_s: float = 60.0
    """A segment is finished at this age even if small, so that the keeper may delete what it has stored."""
    folder_bytes_max: int = 8 << 30
    """On disk, while the keeper is away."""


@dataclass(slots=True)
class _Batch:
    """Records that become one frame, and who waits for which of them."""

    records: list[Record] = field(default_factory=list[Record])
    waiters: dict[int, Future[None]] = field(default_factory=dict[int, "Future[None]"])
    size: int = 0

    def fail(self, error: SpoolError) -> int:
        """Take out the records that somebody waits for; return how many."""
        failed = len(self.waiters)
        for waiter in self.waiters.values():
            if not waiter.done():
                waiter.set_exception(error)
        self.records = [record for index, record in enumerate(self.records) if index not in self.waiters]
        self.waiters = {}
        self.size = sum(len(record.payload) + RECORD_OVERHEAD_BYTES for record in self.records)
        return failed


class SpoolWriter:
    """Writes one worker's records; every method is for the event loop's thread."""

    def __init__(
        self,
        folder: Path,
        spool_key: bytes,
        *,
        loop: AbstractEventLoop,
        clock: Clock,
        limits: SpoolLimits | None = None,
    ) -> None:
        self._limits = limits or SpoolLimits()
        self._loop = loop
        self._unix_ns = clock.unix_ns
        self._log = SegmentLog(
            folder,
            spool_key,
            segment_bytes_max=self._limits.segment_bytes_max,
            folder_bytes_max=self._limits.folder_bytes_max,
            unix_ns=clock.unix_ns,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._gathering = _Batch()
        self._full: deque[_Batch] = deque()  # the first one stays until it is on disk, so that no error loses it
        self._is_due = asyncio.Event()
        self._timers: dict[str, TimerHandle] = {}
        self._must_finish = self._is_closing = False
        self._task: Task[None] | None = None
        self._losses: dict[str, Loss] = {}
        self._taken = 0
        self.waiting_bytes = 0
        """What the records in memory weigh, those under way to the disk included."""
        self.trouble = ""
        """Why nothing can be written at present; empty when all is well."""
        self.counters = {"accepted": 0, "written": 0, "written_bytes": 0, "frames": 0, "failed_writes": 0}
        """Since the start. accepted = written + waiting + the sum of `dropped_<reason>`."""

    async def start(self) -> None:
        """Make the folder ready and begin to write.

        Raises:
            OSError: the folder cannot be made or read.
        """
        await self._in_thread(self._log.prepare)
        self._task = self._loop.create_task(self._write_on())

    def append(self, kind: int, payload: bytes) -> int | None:
        """Take a record: it is on disk in about 20 ms, or counted as dropped with a reason.

        Returns its number among all that were taken, from 1: it is written when `counters["written"]` has come to that.
        None when it was dropped.
        """
        self.counters["accepted"] += 1
        if self._is_closing:
            self._drop("closed")
        elif self.waiting_bytes + len(payload) > self._limits.waiting_bytes_max:
            self._drop("spool_full")
        else:
            self._gather(kind, payload)
            return self._taken
        return None

    async def commit(self, kind: int, payload: bytes) -> int:
        """Take a record and return its number, as `append` does, once it survives a loss of power.

        Raises:
            SpoolError: it is not on disk and will not be.
        """
        self.counters["accepted"] += 1
        if self._is_closing:
            self._drop("closed")
            raise SpoolClosed("the spool is closed")
        if self.trouble or self.waiting_bytes + len(payload) > self._limits.waiting_bytes_max:
            self._drop("spool_full")
            raise SpoolFull(self.trouble or "too many records wait to be written")
        batch = self._gather(kind, payload)
        waiter = self._loop.create_future()
        batch.waiters[len(batch.records) - 1] = waiter
        self._is_due.set()
        number = self._taken
        await waiter
        return number

    async def close(self) -> None:
        """Write what is waiting, finish the segment and stop; what cannot be written is counted as dropped."""
        self._is_closing = True
        self._is_due.set()
        if self._task is not None:
            await self._task
        for timer in self._timers.values():
            timer.cancel()
        self._thread.shutdown()

    def _gather(self, kind: int, payload: bytes) -> _Batch:
        batch = self._gathering
        self._taken += 1
        if not batch.records:
            self._after(FLUSH_S, "flush")
        batch.records.append(Record(kind, payload))
        weight = len(payload) + RECORD_OVERHEAD_BYTES
        batch.size += weight
        self.waiting_bytes += weight
        if batch.size >= FRAME_BYTES:
            self._full.append(batch)
            self._gathering = _Batch()
            self._is_due.set()
        return batch

    def _drop(self, reason: str, records: int = 1) -> None:
        now_ns = self._unix_ns()
        counter = f"dropped_{reason}"
        self.counters[counter] = self.counters.get(counter, 0) + records
        known = self._losses.get(reason)
        self._losses[reason] = Loss(
            reason, records + (known.records if known else 0), known.first_ns if known else now_ns, now_ns
        )

    def _after(self, delay_s: float, what: str) -> None:
        """See to it that the writing task wakes up for something, once."""
        if what not in self._timers:
            self._timers[what] = self._loop.call_later(delay_s, self._wake, what)

    def _wake(self, what: str) -> None:
        del self._timers[what]
        self._must_finish |= what == "finish"
        self._is_due.set()

    async def _write_on(self) -> None:
        """Write whatever is due until the writer is closed."""
        try:
            while not self._is_closing:
                await self._is_due.wait()
                self._is_due.clear()
                await self._attempt(self._write_due)
                while self.trouble and not self._is_closing:
                    await asyncio.sleep(RETRY_S)
                    await self._attempt(self._try_again)
            await self._write_the_rest()
        finally:
            # Also when the task is cancelled: nobody may wait for a writer that is gone.
            self._is_closing = True
            self._fail_waiters(SpoolClosed("the spool is closed"), reason="closed")

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something with the disk; if it fails, say so and let go of everybody who waits for it."""
        try:
            await work()
        except Exception as error:  # a fault of ours, too, must neither end the recording nor pass in silence
            self._note_trouble(error)

    async def _write_due(self) -> None:
        """Write every batch that is due, then finish the segment if it is old enough."""
        while batch := self._next_batch():
            await self._write(batch)
        if self._must_finish:
            self._must_finish = False
            await self._in_thread(self._log.finish)

    async def _write(self, batch: _Batch) -> None:
        """Write the first of the full batches."""
        await self._in_thread(partial(self._log.append, batch.records))
        self._full.popleft()
        self.waiting_bytes -= batch.size
        self.counters["written"] += sum(1 for record in batch.records if record.kind != LOSS_RECORD)
        self.counters["written_bytes"] += sum(len(record.payload) for record in batch.records)
        self.counters["frames"] += 1
        for waiter in batch.waiters.values():
            if not waiter.done():
                waiter.set_result(None)
        self._after(self._limits.segment_age_s, "finish")

    async def _try_again(self) -> None:
        """Write one batch once there is room; all is well only when that is on disk, as room may not be what lacks."""
        await self._in_thread(self._log.probe)
        if batch := self._next_batch():
            await self._write(batch)
        _log.warning("the spool can be written again")
        self.trouble = ""
        self._is_due.set()

    async def _write_the_rest(self) -> None:
        """Write what is left at the end; what cannot be written is lost, and said so."""
        self.trouble = ""
        self._must_finish = True
        await self._attempt(self._write_due)
        batches = (*self._full, self._gathering)
        left = sum(record.kind != LOSS_RECORD for batch in batches for record in batch.records)
        if left:
            self._drop("closed", left)
            _log.error("%d records could not be written before the end and are lost: %s", left, self.trouble)

    def _next_batch(self) -> _Batch | None:
        """Return the first full batch; one that is still gathering counts as full if its time has come."""
        if not self._full:
            self._note_losses()
            batch = self._gathering
            if batch.records and (batch.waiters or "flush" not in self._timers or self.trouble or self._is_closing):
                self._full.append(batch)
                self._gathering = _Batch()
        return self._full[0] if self._full else None

    def _note_losses(self) -> None:
        losses, self._losses = self._losses, {}
        for loss in losses.values():
            self._gather(LOSS_RECORD, msgspec.msgpack.encode(loss))

    def _note_trouble(self, error: Exception) -> None:
        if isinstance(error, OSError):
            reason, traced = error.strerror or str(error), None
        else:
            reason, traced = f"{type(error).__name__}: {error}", error
        trouble = f"the spool cannot be written: {reason}"
        if trouble != self.trouble:
            _log.error("%s; trying again every %s s", trouble, RETRY_S, exc_info=traced)
        self.trouble = trouble
        self.counters["failed_writes"] += 1
        self._fail_waiters(SpoolFull(trouble), reason="spool_full")

    def _fail_waiters(self, error: SpoolError, *, reason: str) -> None:
        for batch in (*self._full, self._gathering):
            before = batch.size
            if failed := batch.fail(error):
                self.waiting_bytes += batch.size - before
                self._drop(reason, failed)
        self._full = deque(batch for batch in self._full if batch.records)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await self._loop.run_in_executor(self._thread, work)
