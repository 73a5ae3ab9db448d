"""How long the command line takes to say what it can do."""

import subprocess
import time

from bench.executable import watchkeeper
from bench.figure import Figure, Settings, Target, median


def measure(settings: Settings) -> list[Figure]:
    """Run `watchkeeper --help` several times, as a user would."""
    times_ms = []
    for _ in range(settings.pick(10, 3) + 1):
        started = time.perf_counter()
        subprocess.run([*watchkeeper(), "--help"], stdout=subprocess.DEVNULL, check=True)
        times_ms.append((time.perf_counter() - started) * 1000)
    warm = times_ms[1:]
    return [
        Figure(
            name="watchkeeper --help",
            value=median(warm),
            unit="ms",
            target=Target("below", 150),
            note=f"Median of {len(warm)}; the first, with cold files, took {times_ms[0]:.0f} ms.",
            samples={"ms": warm},
        )
    ]
