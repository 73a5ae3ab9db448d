"""The segment files of one writer, as its thread sees them: whole frames or nothing."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from watchkeeper.spool.segment import SUFFIX, Record, Scratch, SegmentCipher, number_of
from watchkeeper.spool.synced import SyncedNote

PROBE = "probe.part"
PROBE_BYTES = 64 << 10
"""How much must fit on the disk before it counts as having room again."""


class SegmentLog:
    """Writes frames to the newest segment of a folder and begins another when that is large.

    An existing segment is never written to again: a crash may have left half a frame at its end. Methods block and
    raise OSError, or another error where the fault is ours; they are not for two threads at once.
    """

    def __init__(
        self,
        folder: Path,
        spool_key: bytes,
        *,
        segment_bytes_max: int,
        folder_bytes_max: int,
        unix_ns: Callable[[], int],
    ) -> None:
        self._folder = folder
        self._spool_key = spool_key
        self._segment_bytes_max = segment_bytes_max
        self._folder_bytes_max = folder_bytes_max
        self._unix_ns = unix_ns
        self._folder_bytes = 0
        self._last_number = 0
        self._segment: _OpenSegment | None = None
        self._failed: _OpenSegment | None = None
        """One whose last frame may still stand in it although it counts as not written."""
        self._scratch = Scratch()

    def prepare(self) -> None:
        """Make the folder, and clear away what a crash left half made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (*self._folder.glob("[0-9]*.part"), self._folder / PROBE):
            path.unlink(missing_ok=True)
        self._measure()

    def append(self, records: Sequence[Record]) -> None:
        """Write one frame; it survives a loss of power.

        Raises:
            OSError: it was not written, and nothing of it is left; so with every other error.
        """
        size = sum(len(record.payload) for record in records)
        if size > self._room():
            raise self._limit_reached()
        segment = self._segment
        if segment is None or segment.size >= self._segment_bytes_max:
            segment = self._next_segment()
        try:
            self._folder_bytes += segment.append(records, self._scratch)
        except BaseException:  # whatever happened, the frame's number may have been used
            self._segment, self._failed = None, segment
            with contextlib.suppress(OSError):  # tried again before anything else is written
                self._take_back()
            raise

    def finish(self) -> None:
        """Close the present segment with a footer, so that a reader knows that nothing more follows."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.finish()

    def probe(self) -> None:
        """Return if there is room again; raise OSError if not."""
        self._take_back()
        self._measure()
        if self._room() < PROBE_BYTES:
            raise self._limit_reached()
        path = self._folder / PROBE
        try:
            path.write_bytes(bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def _take_back(self) -> None:
        """Cut off a frame that failed; until that succeeds no other segment begins, lest it be read in both."""
        if self._failed is not None:
            self._failed.cut_off()
            self._failed = None

    def _next_segment(self) -> "_OpenSegment":
        self._take_back()
        self.finish()
        self._measure()
        self._last_number += 1
        self._segment = _OpenSegment.create(
            self._folder, self._last_number, self._spool_key, created_ns=self._unix_ns()
        )
        return self._segment

    def _room(self) -> int:
        if self._folder_bytes >= self._folder_bytes_max:
            self._measure()
        return self._folder_bytes_max - self._folder_bytes

    def _measure(self) -> None:
        """Add up what the folder holds; the keeper deletes segments meanwhile."""
        total = 0
        for path in self._folder.glob(f"*{SUFFIX}"):
            number = number_of(path.name)
            if number is None:
                continue
            self._last_number = max(self._last_number, number)
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        self._folder_bytes = total

    def _limit_reached(self) -> OSError:
        return OSError(errno.ENOSPC, f"the spool has reached its limit of {self._folder_bytes_max} bytes")


class _OpenSegment:
    """The one segment that is being written; locked as long as its writer lives."""

    def __init__(self, handle: int, cipher: SegmentCipher, header: bytes, note: SyncedNote) -> None:
        self._handle = handle
        self._cipher = cipher
        self._note = note
        self._frames = 0
        self._records = 0
        self.size = len(header)
        """Up to the end of the last frame that is synced."""

    @classmethod
    def create(cls, folder: Path, number: int, spool_key: bytes, *, created_ns: int) -> "_OpenSegment":
        """Make a segment; it appears under its name only when it is locked and has its header."""
        part = folder / f"{number}.part"
        cipher = SegmentCipher.fresh(spool_key, worker=folder.name, number=number)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            header = cipher.header(created_ns)
            _write_all(handle, header)
            part.rename(folder / f"{number}{SUFFIX}")
            _sync_folder(folder)
            note = SyncedNote(folder, cipher.salt)
        except BaseException:  # whatever happened, nobody else would close it
            os.close(handle)
            part.unlink(missing_ok=True)
            raise
        return cls(handle, cipher, header, note)

    def append(self, records: Sequence[Record], scratch: Scratch) -> int:
        """Write one frame and return its size; after an error the frame must be cut off."""
        frame = self._cipher.frame(self._frames, records, scratch)
        _write_all(self._handle, frame)
        os.fsync(self._handle)
        self.size += len(frame)
        self._frames += 1
        self._records += len(records)
        with contextlib.suppress(OSError):  # The frame is safe; it is read when the next one is, or the segment ends.
            self._note.write(self.size)
        return len(frame)

    def cut_off(self) -> None:
        """Take a frame that failed back, as far as it was written, and close; after OSError it may still stand there.

        Nothing is written in its place: its number is its nonce, which must not be used twice, and after a failed fsync
        the kernel may have dropped pages of this file.
        """
        os.ftruncate(self._handle, self.size)
        with contextlib.suppress(OSError):  # Only a loss of power could bring it back now.
            os.fsync(self._handle)
        self.close()

    def finish(self) -> None:
        """Write the footer, sync and close."""
        try:
            try:
                _write_all(self._handle, self._cipher.footer(self._frames, self._records))
            except OSError:
                # Without a footer the segment reads like one whose writer died here: complete, only not marked so.
                os.ftruncate(self._handle, self.size)
            os.fsync(self._handle)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; all that it holds can be read from now on."""
        self._note.close()
        os.close(self._handle)


def _write_all(handle: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
