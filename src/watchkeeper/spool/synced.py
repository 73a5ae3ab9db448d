"""How much of the segment that is being written is synced: a note beside the segments, for their reader.

A frame whose sync fails is taken back and written again elsewhere, so a reader must not have taken it before. The note
is not synced itself and need not be: a segment that its writer has left, however it ended, is read whole.

    note = salt of the segment (16) | synced bytes (8) | CRC-32 of these twenty-four (4)
"""

import os
import struct
import zlib
from pathlib import Path

NAME = "synced"

_CONTENT = struct.Struct("<16sQ")
_CHECKSUM = struct.Struct("<I")


class SyncedNote:
    """Written by the writer of one segment, after each sync; the salt tells for which one."""

    def __init__(self, folder: Path, salt: bytes) -> None:
        self._salt = salt
        self._handle = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, synced_bytes: int) -> None:
        """Tell that so much of the segment will stay as it is."""
        content = _CONTENT.pack(self._salt, synced_bytes)
        os.pwrite(self._handle, content + _CHECKSUM.pack(zlib.crc32(content)), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)


def synced_bytes(folder: Path, salt: bytes) -> int:
    """Return how much of the segment with this salt is synced; 0 while nothing (readable) has been noted about it."""
    try:
        note = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return 0
    content, checksum = note[: _CONTENT.size], note[_CONTENT.size :]
    if checksum != _CHECKSUM.pack(zlib.crc32(content)):  # read in the moment in which it was written
        return 0
    noted_salt, noted_bytes = _CONTENT.unpack(content)
    return noted_bytes if noted_salt == salt else 0
