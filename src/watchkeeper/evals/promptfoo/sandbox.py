"""Processes in which code of others runs: one request at a time, within bounds of time and memory, and replaceable."""

import json
import os
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
GRACE_S = 1.0
"""In which a process may end by itself what has taken too long, before it is killed."""
START_S = 30.0
"""In which a new process must be ready; it takes a third of a second on an idle machine."""
_HEAD = struct.Struct(">I")

Kind = Literal["code", "time", "memory", "crash", "size"]
"""What went wrong: the code itself, or the bound that it met."""


class SandboxFailed(Exception):
    """Code came to no result; what it was and why."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Sandbox:
    """Keeps a process that answers requests in JSON; may be used by several threads, one after the other.

    The process is started with the first request and again after each one that it did not survive. It is given nothing
    of our environment but what is named. What it prints is lost.
    """

    def __init__(
        self, module: str, *, memory_bytes: int, timeout_s: float, env: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> None:
        """Prepare; starts nothing.

        Args:
            module: That the process runs. It reads requests from its standard input and answers on its standard
                output: four bytes of length, most significant first, then JSON.
            memory_bytes: What the process may use; it sees to that itself, as its first argument tells.
            timeout_s: Of each request.
            env: Environment of the process.
            arguments: After the memory and the time.
        """
        self._command = [sys.executable, "-m", module, str(memory_bytes), str(timeout_s), *arguments]
        self._env = {**env, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Any) -> Any:
        """Have a request answered.

        Raises:
            SandboxFailed: the process did not answer in time, died, or answered too much.
        """
        data = json.dumps(request).encode()
        if len(data) > MESSAGE_BYTES_MAX:
            raise SandboxFailed("size", f"what it was given is larger than {MESSAGE_BYTES_MAX // 1024**2} MiB")
        with self._lock:
            process = self._running()
            try:
                return json.loads(self._exchange(process, data))
            except SandboxFailed:
                self._end()
                raise
            except (OSError, ValueError) as error:
                self._end()
                raise SandboxFailed("crash", "its process ended unexpectedly") from error

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self._env
            )
            try:
                _read(self._process, time.monotonic() + START_S)
            except SandboxFailed:
                self._end()
                raise SandboxFailed("crash", "the process that runs code did not start") from None
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], data: bytes) -> bytes:
        assert process.stdin is not None
        until = time.monotonic() + self._timeout_s + GRACE_S
        process.stdin.write(_HEAD.pack(len(data)) + data)
        process.stdin.flush()
        return _read(process, until)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue


def _read(process: subprocess.Popen[bytes], until: float) -> bytes:
    (length,) = _HEAD.unpack(_read_exactly(process, _HEAD.size, until))
    if length > MESSAGE_BYTES_MAX:
        raise SandboxFailed("size", f"its result is larger than {MESSAGE_BYTES_MAX // 1024**2} MiB")
    return _read_exactly(process, length, until)


def _read_exactly(process: subprocess.Popen[bytes], length: int, until: float) -> bytes:
    assert process.stdout is not None
    number = process.stdout.fileno()
    parts: list[bytes] = []
    while length:
        left_s = until - time.monotonic()
        if left_s <= 0 or not select.select([number], [], [], left_s)[0]:
            raise SandboxFailed("time", "it did not end in time and was stopped")
        part = os.read(number, min(length, 1 << 20))
        if not part:
            raise SandboxFailed("crash", "its process ended unexpectedly, perhaps for want of memory")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
