"""How fast the keeper takes events in, on one core: from the spool on disk to rows in the store."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec

from bench import machine
from bench.drainer import WORKER, Drained
from bench.events import BODY_BYTES, events
from bench.figure import Figure, Settings, Target
from watchkeeper.access.node import NodeSecrets
from watchkeeper.core.clock import SystemClock
from watchkeeper.server.folder import DataFolder
from watchkeeper.spool.segment import CALL_RECORD
from watchkeeper.spool.writer import SpoolWriter

CHUNK = 1_000
DRAIN_WITHIN_S = 900.0


def measure(settings: Settings) -> list[Figure]:
    """Fill a spool, then empty it in a process that has one core for itself and its database."""
    count = settings.pick(150_000, 10_000)
    data = DataFolder(settings.scratch / "ingest")
    data.create()
    secrets = NodeSecrets.load_or_create(data.node_key)
    asyncio.run(_fill(data.spool / WORKER, secrets.derive("spool"), count))
    done = subprocess.run(
        [*machine.pinned(machine.SERVED_CORE), sys.executable, "-m", "bench.drainer", str(data.root)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=DRAIN_WITHIN_S,
    )
    drained = msgspec.json.decode(done.stdout, type=Drained)
    if drained.stored != count:
        raise RuntimeError(f"{count} events were written and {drained.stored} stored")
    return [
        Figure(
            name="ingest on one core",
            value=drained.stored / drained.seconds,
            unit="events/s",
            target=Target("at least", 10_000),
            note=f"{count:,} events with {BODY_BYTES:,} bytes each of request and of response, "
            f"in {drained.seconds:.1f} s; processor {drained.cpu_s:.1f} s, memory {drained.resident_mib:.0f} MiB.",
            samples={"batch_events_per_s": drained.batch_rates},
        )
    ]


async def _fill(folder: Path, key: bytes, count: int) -> None:
    """Write events as a worker does; wait for the disk now and then, so that none is dropped."""
    spool = SpoolWriter(folder, key, loop=asyncio.get_running_loop(), clock=SystemClock())
    await spool.start()
    encode = msgspec.msgpack.Encoder().encode
    for number, event in enumerate(events(count, seed=count)):
        if number % CHUNK == CHUNK - 1:
            await spool.commit(CALL_RECORD, encode(event))
        else:
            spool.append(CALL_RECORD, encode(event))
    await spool.close()
