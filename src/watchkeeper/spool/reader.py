"""Reads segments: also one that is still being written, and one whose writer was killed."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from watchkeeper.spool.segment import HEADER_BYTES, Frame, FrameCodec, salt_of

SUFFIX = ".seg"
READ_BYTES_MAX = 64 * 1024 * 1024
"""Of one segment in one step; a longer frame is read whole all the same."""


class Position(NamedTuple):
    """How far a segment has been read."""

    offset: int
    """Of the next frame."""
    frame: int
    """Its number."""


START = Position(HEADER_BYTES, 0)


def segments_of(folder: Path) -> list[Path]:
    """List a worker's segments, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: int(path.stem))


class SegmentReader:
    """Reads one segment from a position on."""

    def __init__(self, path: Path, spool_key: bytes) -> None:
        self.path = path
        self._spool_key = spool_key
        self._codec: FrameCodec | None = None
        self.salt = b""

    def is_begun(self) -> bool:
        """Tell whether the header is on disk: a writer may be killed before.

        Raises:
            SegmentDamaged: what is there is not a segment's header.
        """
        if self._codec is None:
            with self.path.open("rb") as file:
                head = file.read(HEADER_BYTES)
            if len(head) < HEADER_BYTES:
                return False
            self.salt = salt_of(head)
            self._codec = FrameCodec(self._spool_key, self.salt)
        return True

    def frames(self, position: Position) -> Iterator[Frame]:
        """Read whole frames from a position to the end of what is on disk; a torn one at the end is left out.

        Raises:
            SegmentDamaged: a frame is there and is not what was written.
        """
        if not self.is_begun():
            return
        assert self._codec is not None
        offset, number = position
        size = READ_BYTES_MAX
        with self.path.open("rb") as file:
            while True:
                file.seek(offset)
                data = memoryview(file.read(size))
                at = 0
                while (frame := self._codec.open(data, at, number)) is not None:
                    yield Frame(frame.number, frame.records, offset + frame.end)
                    at, number = frame.end, number + 1
                if len(data) < size:
                    return
                offset, size = offset + at, READ_BYTES_MAX if at else size * 2
