"""Writes a worker's events to its segments: group commit, no waiting on the event loop, bounded memory."""

import asyncio
import logging
import os
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

from watchkeeper.core.errors import InternalError
from watchkeeper.spool.reader import SUFFIX, segments_of
from watchkeeper.spool.segment import HEADER_BYTES, SALT_BYTES, FrameCodec, Record, header

Durability = Literal["interval", "disk"]

COMMIT_INTERVAL_S = 0.02
"""The longest that an event waits in memory when the disk keeps up; what `durability: interval` may lose in a crash."""
RETRY_S = 0.5
"""Pause after a failed write."""
FRAME_BYTES_TARGET = 1024 * 1024
"""As much waiting is written at once."""
SEGMENT_BYTES_MAX = 16 * 1024 * 1024
SEGMENT_AGE_S = 60.0
"""A segment is finished at this size or age, so that what is stored can be deleted."""
WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Events held in memory while the disk is full; with `interval` further ones are dropped and counted."""
SPOOL_BYTES_MAX = 20 * 1024 * 1024 * 1024
"""Segments that nobody takes in; at the limit the disk counts as full."""

_log = logging.getLogger("watchkeeper.spool")


class SpoolError(InternalError):
    """An event could not be written and will not be."""

    code = "spool"


class SpoolWriter:
    """One worker's spool. `append` never waits; a thread seals, writes and syncs one frame after the other."""

    def __init__(
        self,
        folder: Path,
        key: bytes,
        *,
        loop: AbstractEventLoop,
        waiting_bytes_max: int = WAITING_BYTES_MAX,
        spool_bytes_max: int = SPOOL_BYTES_MAX,
    ) -> None:
        self.durability: Durability = "interval"
        self.trouble = ""
        """Why events cannot be written at present; empty while they can."""
        self.counters: Counter[str] = Counter(appended=0, written=0, dropped=0, refused=0, failed_writes=0)
        self.waiting_bytes = 0
        self._loop = loop
        self._waiting_bytes_max = waiting_bytes_max
        self._file = SegmentFile(folder, key, spool_bytes_max=spool_bytes_max)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._waiting: list[Record] = []
        self._sequence = 0
        self._durable = 0
        """Sequence number up to which every event is on disk, dropped or refused."""
        self._commits: list[tuple[int, Future[None]]] = []
        self._timer: TimerHandle | None = None
        self._flight: Future[None] | None = None

    async def start(self) -> None:
        """Begin a new segment behind those that are there; an old one is never appended to."""
        await self._loop.run_in_executor(self._thread, self._file.prepare)

    def append(self, kind: int, payload: bytes) -> int:
        """Take an event and return its sequence number; see the class for when it is on disk."""
        self._sequence += 1
        size = len(payload)
        if self.waiting_bytes + size > self._waiting_bytes_max and self.durability == "interval":
            self.counters["dropped"] += 1
            return self._sequence
        self.counters["appended"] += 1
        self._waiting.append(Record(kind, payload))
        self.waiting_bytes += size
        if self._timer is None and self._flight is None:
            self._timer = self._loop.call_later(COMMIT_INTERVAL_S, self._flush)
        elif self._timer is not None and self.waiting_bytes > FRAME_BYTES_TARGET and not self.trouble:
            self._timer.cancel()
            self._flush()
        return self._sequence

    async def committed(self, sequence: int) -> None:
        """Return once the event is on disk. The commit begins at once, or when the one under way has ended.

        Raises:
            SpoolError: it could not be written.
        """
        if self._durable >= sequence:
            return
        commit: Future[None] = self._loop.create_future()
        self._commits.append((sequence, commit))
        if self._flight is None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(0, self._flush)
        await commit

    async def close(self) -> None:
        """Write what waits, finish the segment, and end the thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._flight is not None:
            await asyncio.wait([self._flight])
            await asyncio.sleep(0)
        if self._waiting:
            self._flush()
            while self._flight is not None:
                await asyncio.wait([self._flight])
                await asyncio.sleep(0)
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            self.counters["dropped"] += len(self._waiting)
            _log.error("%d events could not be written and are lost: %s", len(self._waiting), self.trouble)
        await self._loop.run_in_executor(self._thread, self._file.finish)
        self._thread.shutdown()

    def _flush(self) -> None:
        self._timer = None
        if self._flight is not None or not self._waiting:
            return
        records, self._waiting = self._waiting, []
        upto, held_bytes = self._sequence, self.waiting_bytes
        flight = self._flight = self._loop.run_in_executor(self._thread, self._file.write, records)
        flight.add_done_callback(lambda done: self._landed(done, records, upto, held_bytes))

    def _landed(self, flight: Future[None], records: list[Record], upto: int, held_bytes: int) -> None:
        self._flight = None
        error = flight.exception()
        if error is None:
            if self.trouble:
                _log.warning("events are written again")
            self.trouble = ""
            self.counters["written"] += len(records)
            self.waiting_bytes -= held_bytes
            self._resolve(upto, None)
        else:
            self._fail(records, upto, held_bytes, error)
        if self._waiting and self._timer is None:
            if error is not None:
                delay_s = RETRY_S
            else:
                delay_s = 0.0 if self._commits or self.waiting_bytes > FRAME_BYTES_TARGET else COMMIT_INTERVAL_S
            self._timer = self._loop.call_later(delay_s, self._flush)

    def _fail(self, records: list[Record], upto: int, held_bytes: int, error: BaseException) -> None:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.counters["failed_writes"] += 1
        if not self.trouble:
            _log.error("events cannot be written: %s", why)
        self.trouble = f"the spool cannot be written: {why}"
        if self._commits:
            # Their callers are told that nothing was recorded, so nothing of it may be recorded later.
            self.counters["refused"] += len(records)
            self.waiting_bytes -= held_bytes
            self._resolve(upto, SpoolError(self.trouble))
        else:
            self._waiting = records + self._waiting

    def _resolve(self, upto: int, error: SpoolError | None) -> None:
        self._durable = upto
        still: list[tuple[int, Future[None]]] = []
        for sequence, commit in self._commits:
            if sequence > upto:
                still.append((sequence, commit))
            elif not commit.done():
                if error is None:
                    commit.set_result(None)
                else:
                    commit.set_exception(error)
        self._commits = still


class SegmentFile:
    """The segment that is being written; used by the writer's thread only."""

    def __init__(self, folder: Path, key: bytes, *, spool_bytes_max: int) -> None:
        self._folder = folder
        self._key = key
        self._spool_bytes_max = spool_bytes_max
        self._next_segment = 0
        self._file: BinaryIO | None = None
        self._codec: FrameCodec | None = None
        self._frame = 0
        self._size = 0
        self._begun_at = 0.0

    def prepare(self) -> None:
        """Find the number of the first segment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        there = segments_of(self._folder)
        self._next_segment = int(there[-1].stem) + 1 if there else 1

    def write(self, records: list[Record]) -> None:
        """Write one frame and sync it; after an error the file ends where it ended before.

        Raises:
            OSError: it could not be written.
        """
        if self._file is not None and self._is_full():
            self.finish()
        if self._file is None:
            self._begin()
        assert self._file is not None and self._codec is not None
        self._put(self._file, self._codec.seal(self._frame, records))

    def finish(self) -> None:
        """Mark the segment as complete; without the mark it is complete when a later one exists."""
        if self._file is None or self._codec is None:
            return
        try:
            self._put(self._file, self._codec.seal(self._frame, []))
        except OSError as error:
            _log.warning("a segment could not be marked as complete: %s", error)
        self._close()

    def _is_full(self) -> bool:
        return self._size >= SEGMENT_BYTES_MAX or os.times().elapsed - self._begun_at >= SEGMENT_AGE_S

    def _begin(self) -> None:
        held_bytes = sum(path.stat().st_size for path in segments_of(self._folder))
        if held_bytes >= self._spool_bytes_max:
            raise OSError(f"{held_bytes} bytes of events wait to be stored, which is the limit")
        salt = os.urandom(SALT_BYTES)
        path = self._folder / f"{self._next_segment:012}{SUFFIX}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        file = os.fdopen(handle, "wb", buffering=0)
        self._next_segment += 1
        try:
            file.write(header(salt))
        except OSError:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self._file, self._codec = file, FrameCodec(self._key, salt)
        self._frame, self._size, self._begun_at = 0, HEADER_BYTES, os.times().elapsed

    def _put(self, file: BinaryIO, frame: bytes) -> None:
        try:
            view = memoryview(frame)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
        except OSError:
            self._take_back(file)
            raise
        self._frame += 1
        self._size += len(frame)

    def _take_back(self, file: BinaryIO) -> None:
        """Cut off what a failed write left; a file that cannot be cut is left as it is, its tail being torn."""
        try:
            file.truncate(self._size)
            file.seek(self._size)
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._codec = None
