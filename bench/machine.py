"""The machine: what it is, who runs on which core, and how busy the cores are."""

import contextlib
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SERVED_CORE = 0
"""What is measured runs here, alone."""
LOAD_CORE = 1
"""Load generators and upstreams run here."""
PACKAGES = ("watchkeeper", "uvloop", "httptools", "msgspec", "chdb-core", "clickhouse-connect", "fastapi", "uvicorn")


def describe() -> dict[str, object]:
    """Tell what the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "nginx": _first_line("nginx", "-v"),
        "wrk": _first_line("wrk", "-v"),
    }


@contextlib.contextmanager
def staying_on(core: int) -> Iterator[None]:
    """Keep this thread on one core while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pinned(core: int) -> list[str]:
    """Return the start of a command line that runs on one core."""
    return ["taskset", "-c", str(core)]


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class CoreUse:
    """Share of its time for which each core was busy, 0 to 1; filled when the watch ends."""

    busy: dict[int, float]


@contextlib.contextmanager
def watch_cores() -> Iterator[CoreUse]:
    """Measure how busy the cores are while the block runs."""
    use = CoreUse({})
    before = _core_times()
    yield use
    for core, (busy, whole) in _core_times().items():
        busy_before, whole_before = before[core]
        use.busy[core] = (busy - busy_before) / max(1, whole - whole_before)


def wait_listening(port: int, *, within_s: float = 10.0) -> None:
    """Return once something listens on a loopback port.

    Raises:
        TimeoutError: nothing does in time.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


def _core_times() -> dict[int, tuple[int, int]]:
    times = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(field) for field in fields[:8]]
            times[int(name[3:])] = (sum(ticks) - ticks[3] - ticks[4], sum(ticks))
    return times


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout + done.stderr).strip().splitlines()[0]
