"""Resident memory of a worker over half a million calls."""

import contextlib
import statistics

from bench import calls, machine
from bench.figure import Figure, Settings, Target
from bench.gateway import gateway, swept_spool
from bench.nginx import static_reply
from bench.throughput import CONNECTIONS
from bench.wrk import run_wrk

MIB = 2**20
SLICE_S = 2
SETTLED_SHARE = 0.2
"""The first part of the run fills pools and caches; growth is judged after it."""


def measure(settings: Settings) -> list[Figure]:
    """Load one recording worker slice by slice and look at its memory after each."""
    wanted = settings.pick(500_000, 20_000)
    scratch = settings.scratch / "memory"
    made: list[float] = [0]
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        upstream = enter(static_reply(scratch / "upstream", calls.reply_body(), core=machine.LOAD_CORE))
        worker = enter(gateway(scratch / "on", upstream, records=True, core=machine.SERVED_CORE))
        enter(swept_spool(worker))
        resident: list[float] = [machine.rss_bytes(worker.pid) / MIB]
        while made[-1] < wanted:
            load = run_wrk(scratch, worker.port, worker.key, connections=CONNECTIONS, seconds=SLICE_S)
            made.append(made[-1] + load.calls)
            resident.append(machine.rss_bytes(worker.pid) / MIB)
    settled = [position for position, count in enumerate(made) if count >= SETTLED_SHARE * made[-1]]
    growth = (
        statistics.linear_regression([made[at] for at in settled], [resident[at] for at in settled]).slope * 100_000
        if len(settled) > 1
        else 0.0
    )
    samples = {"calls": made, "resident_mib": resident}
    return [
        Figure(
            name=f"worker's memory after {made[-1]:,.0f} calls",
            value=resident[-1],
            unit="MiB",
            target=Target("below", 120),
            note=f"At start {resident[0]:.1f} MiB, at most {max(resident):.1f}.",
            samples=samples,
        ),
        Figure(
            name="its growth per 100,000 calls",
            value=growth,
            unit="MiB",
            target=Target("below", 0.5),
            note=f"Least-squares slope over the last {1 - SETTLED_SHARE:.0%} of the calls; a leak of 6 bytes a call "
            "would miss.",
        ),
    ]
