"""How long `make up` takes once everything is set up: until the addresses are printed, when everything serves."""

import os
import signal
import subprocess
import time
from pathlib import Path

from bench.figure import Figure, Settings, Target, median
from watchkeeper.testing.harness import free_port

ROOT = Path(__file__).parents[1]
STOP_WITHIN_S = 60


def measure(settings: Settings) -> list[Figure]:
    """Start the product on one data folder several times; the first start makes the folder and does not count."""
    folder = settings.scratch / "start"
    folder.mkdir()
    times_s = [_start(folder) for _ in range(settings.pick(6, 2))]
    again = times_s[1:]
    return [
        Figure(
            name="a second `make up`",
            value=median(again),
            unit="s",
            target=Target("below", 3),
            note=f"Median of {len(again)}, with the bundled model; the first start took {times_s[0]:.1f} s.",
            samples={"s": again},
        )
    ]


def _start(folder: Path) -> float:
    """Return the seconds until the greeting is complete."""
    port, console_port = free_port(), free_port()
    ports = [f"PORT={port}", f"CONSOLE_PORT={console_port}"]
    command = ["make", "--silent", "up", f"DATA={folder / 'data'}", *ports]
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        greeted = any(f":{console_port}" in line for line in process.stdout)
        seconds = time.perf_counter() - started
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
        process.wait(STOP_WITHIN_S)
    if not greeted:
        raise RuntimeError("`make up` ended without a greeting; run it by hand to see why")
    return seconds
