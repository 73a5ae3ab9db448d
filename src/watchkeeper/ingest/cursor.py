"""How far a worker's spool has been stored, kept beside it so that a crash repeats a step and never skips one."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from watchkeeper.spool.reader import Position

NAME = "cursor"


class Intent(Struct, frozen=True):
    """A range of frames that is being stored: it may be stored already, and must be stored under the same token."""

    upto: Position
    """Behind its last frame."""
    token: str


class Cursor(Struct, frozen=True):
    """Every record of the segment before this place is stored or rejected."""

    salt: str = ""
    """Which segment is meant, in hex, as its number is used again once the folder has been empty; empty at first."""
    position: Position = Position()
    intent: Intent | None = None
    stored: int = 0
    """Calls and feedback stored from this worker's spool, ever."""
    rejected: dict[str, int] = {}
    """Records rejected from this worker's spool by reason, ever; those that the worker itself had to drop included."""


def load(folder: Path) -> Cursor:
    """Read a worker's cursor; at the beginning there is none."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Cursor)
    except FileNotFoundError:
        return Cursor()


def save(folder: Path, cursor: Cursor) -> None:
    """Replace a worker's cursor; afterwards the new one survives a loss of power."""
    part = folder / f"{NAME}.part"
    with part.open("wb") as file:
        file.write(msgspec.json.encode(cursor))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
