"""The keeper's end of the spool: reads whole frames of a segment, those that are synced also while it is written."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from watchkeeper.spool.segment import (
    FRAME_HEAD_BYTES,
    HEADER_BYTES,
    SUFFIX,
    FrameHead,
    Record,
    SegmentCipher,
    SegmentDamaged,
    number_of,
    pack_head,
    unpack_head,
)
from watchkeeper.spool.synced import synced_bytes


class Position(NamedTuple):
    """How far a segment has been read."""

    offset: int = HEADER_BYTES
    """Of the next frame."""
    frame: int = 0
    """Its number."""
    records: int = 0
    """How many stand before it."""


def segments_of(folder: Path) -> list[Path]:
    """List a worker's segments, oldest first; whatever else lies there is left alone."""
    numbers = {path: number_of(path.name) for path in folder.glob(f"*{SUFFIX}")}
    return [path for _, path in sorted((number, path) for path, number in numbers.items() if number is not None)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as it was read."""

    number: int
    after: Position
    """Where to read on."""
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
    """Reads one segment from any position on. Not for use by two threads at once.

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
        except BaseException:  # whatever happened, nobody else would close it
            os.close(self._handle)
            raise
        self._readable_bytes = 0
        self.position = Position()
        """Where the next frame is read."""
        self.is_finished = False
        """Whether the footer has been read."""

    @property
    def salt(self) -> bytes:
        """What makes this segment different from every other that ever had its name."""
        return self._cipher.salt

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)

    def seek(self, position: Position, *, read_bytes: int = 0) -> None:
        """Go to the beginning, or behind a frame that was read before.

        Args:
            read_bytes: How far the segment was read before, by whomever; so far it is read again in any case.
        """
        self.position = position
        self.is_finished = False
        self._readable_bytes = max(self._readable_bytes, read_bytes)

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

    def read(self) -> Frame | None:
        """Return the next frame; None when there is no whole one (yet), or the segment is finished.

        Of a segment that is being written only what is synced is returned: the rest may yet be written elsewhere.
        A frame that is damaged is returned with what is wrong with it, and reading goes on behind it. Where its head
        is damaged the next one cannot be found: all that is left of the segment is returned as one damaged frame.
        """
        if self.is_finished or not self._is_readable():
            return None
        try:
            head = self._head()
        except SegmentDamaged as error:
            # More may follow while it is written, and whoever is told that it is finished deletes it.
            return self._give_up(str(error)) if self.is_abandoned() else None
        if head is None:
            return None
        offset, expected, passed = self.position
        if head.number > expected:
            missing = f"frames {expected} to {head.number - 1} are missing"
            self.position = Position(offset, head.number, passed)
            return Frame(number=head.number, after=self.position, damage=missing, lost_records=None)
        sealed = os.pread(self._handle, head.sealed_bytes, offset + FRAME_HEAD_BYTES)
        if len(sealed) < head.sealed_bytes:
            return None
        self.position = Position(
            offset + FRAME_HEAD_BYTES + head.sealed_bytes, max(expected, head.number + 1), passed + head.records
        )
        return self._opened(head, sealed, is_repeated=head.number < expected)

    def _is_readable(self) -> bool:
        """Tell whether what stands at the position will stay there."""
        if self.position.offset >= self._readable_bytes:
            # Asked in this order: what an abandoned segment holds then is all that it will ever hold.
            found = self.size() if self.is_abandoned() else synced_bytes(self.path.parent, self.salt)
            self._readable_bytes = max(self._readable_bytes, found)
        return self.position.offset < self._readable_bytes

    def _head(self) -> FrameHead | None:
        data = os.pread(self._handle, FRAME_HEAD_BYTES, self.position.offset)
        return unpack_head(data) if len(data) == FRAME_HEAD_BYTES else None

    def _opened(self, head: FrameHead, sealed: bytes, *, is_repeated: bool) -> Frame:
        try:
            if is_repeated:
                raise SegmentDamaged(f"frame {head.number} stands where a later one belongs")
            if head.records == 0:
                return self._closed(head, self._cipher.open_footer(head, sealed))
            contents = self._cipher.open(head, sealed)
        except SegmentDamaged as error:
            return Frame(
                number=head.number,
                after=self.position,
                damage=str(error),
                lost_records=head.records,
                raw=pack_head(head) + sealed,
            )
        return Frame(
            number=head.number, after=self.position, records=contents.records, damaged_records=contents.damaged
        )

    def _closed(self, head: FrameHead, records: int) -> Frame:
        self.is_finished = True
        missing = records - self.position.records
        damage = f"the footer counts {missing} records more than were found" if missing else ""
        return Frame(number=head.number, after=self.position, damage=damage, lost_records=max(0, missing))

    def _give_up(self, reason: str) -> Frame:
        offset, expected, passed = self.position
        raw = os.pread(self._handle, self.size() - offset, offset)
        self.position = Position(offset + len(raw), expected, passed)
        self.is_finished = True
        return Frame(number=expected, after=self.position, damage=reason, lost_records=None, raw=raw)
