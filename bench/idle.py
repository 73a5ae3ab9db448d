"""What the keeper takes from the host when nothing happens."""

import os
import time

from bench import machine
from bench.figure import Figure, Settings, Target
from watchkeeper.testing.harness import Installation

MIB = 2**20
SETTLE_S = 5
CONFIG = """
providers:
  upstream: {base_url: "http://127.0.0.1:1/v1", price_list: free}
routes:
  bench: {targets: [upstream/bench]}
"""


def measure(settings: Settings) -> list[Figure]:
    """Start an installation without a model, let it settle, and watch its processes."""
    seconds = settings.pick(30, 5)
    with Installation(settings.scratch / "idle", CONFIG) as running:
        time.sleep(SETTLE_S)
        [keeper], [worker] = running.pids("keeper"), running.pids("worker")
        parts = {"keeper": keeper, "worker": worker, "supervisor": running.pid}
        before = {name: machine.cpu_seconds(pid) for name, pid in parts.items()}
        resident: list[float] = []
        for _ in range(seconds):
            time.sleep(1)
            resident.append(machine.rss_bytes(keeper) / MIB)
        shares = {name: (machine.cpu_seconds(pid) - before[name]) / seconds * 100 for name, pid in parts.items()}
        others = ", ".join(f"{name} {machine.rss_bytes(pid) / MIB:.0f} MiB" for name, pid in list(parts.items())[1:])
    tick_share = 100 / os.sysconf("SC_CLK_TCK") / seconds
    return [
        Figure(
            name="idle keeper's memory",
            value=max(resident),
            unit="MiB",
            target=Target("below", 600),
            note=f"Beside it: {others}.",
            samples={"mib": resident},
        ),
        Figure(
            name="idle keeper's share of a core",
            value=shares["keeper"],
            unit="%",
            target=Target("below", 2),
            note=f"Over {seconds} s, in steps of {tick_share:.2f} %; worker {shares['worker']:.1f} %, supervisor "
            f"{shares['supervisor']:.1f} %.",
        ),
    ]
