"""How far each worker's spool has been stored, kept beside it so that a crash repeats a step and never skips one."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from watchkeeper.spool.reader import START, Position

NAME = "cursor"


class Intent(Struct, frozen=True):
    """A range of frames that is being stored: it may be stored already, and must be stored under the same token."""

    upto: int
    """Number of the frame behind the last."""
    token: str


class Cursor(Struct, frozen=True):
    """Everything in the segment before this place is stored."""

    salt: str = ""
    """Which segment is meant, by its salt: numbers begin anew when a spool has been emptied. Empty before the first."""
    offset: int = START.offset
    frame: int = START.frame
    intent: Intent | None = None

    @property
    def position(self) -> Position:
        """Where to read on in the segment."""
        return Position(self.offset, self.frame)


def load(folder: Path) -> Cursor:
    """Read a worker's cursor; at the beginning there is none."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Cursor)
    except FileNotFoundError:
        return Cursor()


def save(folder: Path, cursor: Cursor) -> None:
    """Replace a worker's cursor durably."""
    part = folder / f"{NAME}.part"
    with part.open("wb") as file:
        file.write(msgspec.json.encode(cursor))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
