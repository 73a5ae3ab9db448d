"""A process that scores answers by other people's Python, from the side of those who ask."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("python_child.py")
START_S = 30.0
"""Within which a process must be ready, on a machine under load."""
USES_MAX = 1_000
"""Of one process; what its code keeps in memory goes with it."""
REPLY_BYTES_MAX = 65_536
SURROUNDINGS = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""All that it sees of the environment; keys of providers are not in it."""


class Lost(Exception):
    """A question got no answer; the text says why."""


class Worker:
    """One process at a time, started when it is needed. For one thread."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._uses = 0

    def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Return what the process tells. Raises Lost; the next question gets another process then."""
        try:
            if self._process is None or self._process.poll() is not None or self._uses >= USES_MAX:
                self._start()
            self._uses += 1
            written = json.dumps(question).encode() + b"\n"
            return self._exchange(written, timeout_s, f"it was not done after {timeout_s:g} s and was ended")
        except Lost:
            self.end()
            raise

    def end(self) -> None:
        """End the process. May be called again, and from any thread."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _closed(pipe)
        process.wait()

    def _start(self) -> None:
        self.end()
        self._uses = 0
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(CHILD), str(self._memory_mb)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=SURROUNDINGS,
                start_new_session=True,  # an interrupt on the terminal is for the run, which ends it
            )
        except OSError as why:
            raise Lost(f"no process could be started for it: {why}") from None
        self._exchange(b"", START_S, f"its process was not ready after {START_S:g} s")

    def _exchange(self, written: bytes, timeout_s: float, late: str) -> dict[str, Any]:
        """Write a line and read one. Where that takes too long, the process is killed, which ends the waiting."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(written)
            process.stdin.flush()
            line = process.stdout.readline(REPLY_BYTES_MAX)
        except OSError:  # the process is gone
            line = b""
        finally:
            timer.cancel()
        if is_late.is_set():
            raise Lost(late)
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            raise Lost(f"its process ended ({_ending(process)})") from None
        return told


def _ending(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return "it closed its output"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _closed(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:  # what was not sent yet goes nowhere
        return
