"""Which process is at the other end of a local socket, and whether it still lives."""

import os
import socket
import struct
from pathlib import Path
from typing import Any

_CREDENTIALS = struct.Struct("3i")
_BORN_FIELD = 18
"""Of /proc/PID/stat, counted behind the state: the start in clock ticks since boot (proc(5), field 22)."""
_DEAD = ("Z", "X")
"""States of a process that has ended and whose parent has not looked yet."""


def peer_of(line: Any) -> tuple[int, str]:
    """Return number and birth of the process that connected; 0 and nothing where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, ""
    pid = int(_CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))[0])
    return pid, born_of(pid)


def born_of(pid: int) -> str:
    """Return what tells a process from a later one of the same number; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        state, *stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in _DEAD else f"{boot[:8]}:{stat[_BORN_FIELD]}"


def lives(pid: int, born: str) -> bool:
    """Tell whether a process is still there; one that nobody can tell of counts as living."""
    if pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It is there, and another account's.
    return not born or born_of(pid) == born
