"""Concurrent paced streams through one worker on one core: how many before a chunk comes late."""

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from bench import machine
from bench.figure import Figure, Settings, Target, percentile
from bench.gateway import gateway, swept_spool
from bench.listeners import GRACE_S, OPENED_PER_S, Heard
from bench.pacer import INTERVAL_MS
from watchkeeper.testing.harness import free_port

LATE_MS = 50.0
REQUIRED = 1000
LEVELS = (1000, 1250, 1500, 1750, 2000, 2500, 3000, 4000)


def measure(settings: Settings) -> list[Figure]:
    """Raise the number of streams level by level, direct and through the worker, until a chunk is late."""
    seconds = settings.pick(15, 2)
    levels = LEVELS[: settings.pick(len(LEVELS), 1)]
    chunks = seconds * 1000 // INTERVAL_MS
    # Two files for each stream in the worker; the soft limit is often 1,024.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found: dict[int, tuple[Heard, Heard]] = {}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(_pacer(chunks))
        worker = stack.enter_context(
            gateway(settings.scratch / "streams", upstream, records=True, core=machine.SERVED_CORE)
        )
        stack.enter_context(swept_spool(worker))
        for level in levels:
            direct = _listen(upstream, "none", level, chunks)
            through = _listen(worker.port, worker.key, level, chunks)
            found[level] = direct, through
            if _late(direct, level, chunks) or _late(through, level, chunks):
                break
    return _figures(found, chunks)


def _figures(found: dict[int, tuple[Heard, Heard]], chunks: int) -> list[Figure]:
    held = [level for level, (_, through) in found.items() if not _late(through, level, chunks)]
    highest = max(held, default=0)
    last = max(found)
    direct, through = found[min(found)]
    limit = "the load side was late too" if _late(found[last][0], last, chunks) else "the worker was late"
    if last in held:
        limit = "no higher level was tried"
    return [
        Figure(
            name=f"late chunks at {REQUIRED:,} streams",
            value=_late(through, REQUIRED, chunks),
            unit="chunks",
            target=Target("below", 1),
            note=f"Of {through.chunks:,}; p99 {percentile(through.delays_ms, 0.99):.1f} ms, latest "
            f"{max(through.delays_ms, default=0):.1f} ms; direct {_late(direct, REQUIRED, chunks)} late, p99 "
            f"{percentile(direct.delays_ms, 0.99):.1f} ms.",
            samples={"delays_ms": _thinned(through.delays_ms), "direct_delays_ms": _thinned(direct.delays_ms)},
        ),
        Figure(
            name="streams without a late chunk",
            value=highest,
            unit="streams",
            target=Target("at least", REQUIRED),
            note=f"At {last:,}: {_late(found[last][1], last, chunks)} late chunks; {limit}.",
        ),
    ]


def _late(heard: Heard, level: int, chunks: int) -> int:
    """Count chunks that came late or not at all."""
    return sum(delay > LATE_MS for delay in heard.delays_ms) + max(0, level * chunks - heard.chunks)


def _thinned(samples: list[float], keep: int = 10_000) -> list[float]:
    return sorted(samples)[:: max(1, len(samples) // keep)]


@contextlib.contextmanager
def _pacer(chunks: int) -> Iterator[int]:
    port = free_port()
    command = [*machine.pinned(machine.LOAD_CORE), sys.executable, "-m", "bench.pacer", str(port), str(chunks)]
    process = subprocess.Popen(command)
    try:
        machine.wait_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listen(port: int, key: str, streams: int, chunks: int) -> Heard:
    arguments = [str(port), key, str(streams), str(chunks)]
    done = subprocess.run(
        [*machine.pinned(machine.LOAD_CORE), sys.executable, "-m", "bench.listeners", *arguments],
        stdout=subprocess.PIPE,
        check=True,
        timeout=streams / OPENED_PER_S * 3 + chunks * INTERVAL_MS / 1000 + GRACE_S * 3,
    )
    return msgspec.json.decode(done.stdout, type=Heard)
