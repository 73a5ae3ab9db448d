"""The inner side of a sandbox: a process that answers requests until its input ends, within a bound of memory."""

import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if sys.platform == "linux":  # elsewhere there are no such limits; time is bounded there, and V8's own heap
    import resource

_HEAD = struct.Struct(">I")


def limit_memory(memory_bytes: int) -> None:
    """Have allocations fail that go this far beyond what the process has by now."""
    if sys.platform == "linux":
        most = _data_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _data_bytes() -> int:
    """What counts for RLIMIT_DATA; V8 has 0.5 GB of it before it does anything, most of it never touched."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmData:")[1].split()[0]) * 1024


def serve(answer: Callable[[Any], Any]) -> None:
    """Say that it is ready, then answer requests; what is printed meanwhile goes nowhere."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    _write(replies, {"ready": True})
    while head := requests.read(_HEAD.size):
        (length,) = _HEAD.unpack(head)
        _write(replies, answer(json.loads(requests.read(length))))


def _write(replies: Any, reply: Any) -> None:
    data = json.dumps(reply).encode()
    replies.write(_HEAD.pack(len(data)) + data)
    replies.flush()
