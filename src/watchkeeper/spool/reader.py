"""The keeper's end of the spool: reads whole frames of a segment, also while it is being written."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.spool.segment import (
    FRAME_HEAD_BYTES,
    HEADER_BYTES,
    SUFFIX,
    FrameHead,
    Record,
    SegmentCipher,
    SegmentDamaged,
    pack_head,
    unpack_head,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as it was read."""

    number: int
    end: int
    """Offset of the first byte after it."""
    records: tuple[Record, ...] = ()
    damaged_records: tuple[Record, ...] = ()
    """Records whose checksum fails."""
    damage: str = ""
    """What is wrong with the frame; its records are then missing from `records`."""
    lost_records: int | None = 0
    """How many records are missing from it; None when nobody can tell."""
    raw: bytes = b""
    """The damaged bytes."""


class SegmentReader:
    """Reads one segment from any frame on. Not for use by two threads at once.

    Raises:
        SegmentDamaged: it is not a segment of this worker, or was written under another key.
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: Path, spool_key: bytes) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = os.pread(self._handle, HEADER_BYTES, 0)
            self._cipher = SegmentCipher.of_header(
                header, spool_key, worker=path.parent.name, number=int(path.name.removesuffix(SUFFIX))
            )
        except BaseException:
            os.close(self._handle)
            raise
        self.at = HEADER_BYTES
        """Offset of the next frame."""
        self._next_number = 0
        self._records_passed = 0
        self.is_finished = False
        """Whether the footer has been read."""

    @property
    def salt(self) -> bytes:
        """What makes this segment different from every other that ever had its name."""
        return self._cipher.salt

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)

    def size(self) -> int:
        """Bytes in the file at present."""
        return os.fstat(self._handle).st_size

    def is_abandoned(self) -> bool:
        """Tell whether nobody will write to it any more: its writer has finished, moved on, or died."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._handle, fcntl.LOCK_UN)
        return True

    def skip_to(self, number: int) -> None:
        """Move to a frame by its number without opening those before it, or to the last that can be reached."""
        while self._next_number < number:
            try:
                head = self._head()
            except SegmentDamaged:
                return
            if head is None or head.records == 0:
                return
            self._pass(head)

    def read(self) -> Frame | None:
        """Return the next frame; None when there is no whole one (yet), or the segment is finished.

        A frame that is damaged is returned with what is wrong with it, and reading goes on behind it. Where its head
        is damaged the next one cannot be found: all that is left of the segment is returned as one damaged frame.
        """
        if self.is_finished:
            return None
        try:
            head = self._head()
        except SegmentDamaged as error:
            return self._give_up(str(error))
        if head is None:
            return None
        if head.number > self._next_number:
            missing = f"frames {self._next_number} to {head.number - 1} are missing"
            self._next_number = head.number
            return Frame(number=head.number, end=self.at, damage=missing, lost_records=None)
        sealed = os.pread(self._handle, head.sealed_bytes, self.at + FRAME_HEAD_BYTES)
        if len(sealed) < head.sealed_bytes:
            return None
        return self._opened(head, sealed)

    def _head(self) -> FrameHead | None:
        data = os.pread(self._handle, FRAME_HEAD_BYTES, self.at)
        return unpack_head(data) if len(data) == FRAME_HEAD_BYTES else None

    def _pass(self, head: FrameHead) -> None:
        self.at += FRAME_HEAD_BYTES + head.sealed_bytes
        self._next_number = head.number + 1
        self._records_passed += head.records

    def _opened(self, head: FrameHead, sealed: bytes) -> Frame:
        is_repeated = head.number < self._next_number
        self._pass(head)
        try:
            if is_repeated:
                raise SegmentDamaged(f"frame {head.number} stands where a later one belongs")
            if head.records == 0:
                return self._closed(head, self._cipher.open_footer(head, sealed))
            contents = self._cipher.open(head, sealed)
        except SegmentDamaged as error:
            return Frame(
                number=head.number,
                end=self.at,
                damage=str(error),
                lost_records=head.records,
                raw=pack_head(head) + sealed,
            )
        return Frame(number=head.number, end=self.at, records=contents.records, damaged_records=contents.damaged)

    def _closed(self, head: FrameHead, records: int) -> Frame:
        self.is_finished = True
        missing = records - self._records_passed
        damage = f"the footer counts {missing} records more than were found" if missing else ""
        return Frame(number=head.number, end=self.at, damage=damage, lost_records=max(0, missing))

    def _give_up(self, reason: str) -> Frame:
        raw = os.pread(self._handle, self.size() - self.at, self.at)
        self.at += len(raw)
        self.is_finished = True
        return Frame(number=self._next_number, end=self.at, damage=reason, lost_records=None, raw=raw)
