"""What one command takes: the wall's time, the processor's, and the most memory that it had at once (Linux)."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN_LETTERS = 2_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Of a command and its children that have ended."""

    wall_s: float
    cpu_s: float
    """In user and kernel mode."""
    most_mib: float
    """The largest resident set of any one of its processes."""


def spend(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    expected: Callable[[int], bool] = lambda code: code == 0,
) -> Spent:
    """Run a command to its end and return what it took.

    Args:
        command: As a user types it.
        folder: In which it runs; what it prints is written into files there.
        environment: Instead of this process's.
        expected: Tells whether an exit code is as it should be.

    Raises:
        RuntimeError: it is not; the message holds the end of what was said.
    """
    out, errors = folder / "stdout.txt", folder / "stderr.txt"
    with out.open("wb") as stdout, errors.open("wb") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if not expected(process.returncode):
        said = (out.read_text(errors="replace") + errors.read_text(errors="replace"))[-SHOWN_LETTERS:]
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {process.returncode}: {said}")
    return Spent(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
