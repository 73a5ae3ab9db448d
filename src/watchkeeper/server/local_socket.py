"""The socket in the data folder, wherever that is: systems take no socket path beyond about a hundred bytes."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

PATH_BYTES_MAX = 100
"""Linux takes 107, macOS 103."""


def listen(path: Path) -> socket.socket:
    """Make the socket, for its owner only; one that is left over is replaced.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _address(path) as address:
        door.bind(address)
    path.chmod(0o600)
    return door


def connect(path: Path, *, timeout_s: float) -> socket.socket:
    """Connect to the socket.

    Raises:
        OSError: nobody listens there, or it belongs to somebody else.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(timeout_s)
    try:
        with _address(path) as address:
            line.connect(address)
    except OSError:
        line.close()
        raise
    return line


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """A path that is short enough; a long one is named by way of its open folder, where the system has that."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
