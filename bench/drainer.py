"""Empties the spool of a data folder into its store and prints how long that took: `python -m bench.drainer FOLDER`."""

import os
import sys
import time
from pathlib import Path

import msgspec

from bench import machine
from watchkeeper.access.node import NodeSecrets
from watchkeeper.core.clock import SystemClock
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.pricing import BookPricer
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.server.folder import DataFolder
from watchkeeper.store.analytics import AnalyticsStore

WORKER = "worker-0"


class Drained(msgspec.Struct):
    """What was taken in."""

    stored: int
    seconds: float
    cpu_s: float
    resident_mib: float
    batch_rates: list[float]
    """Events per second of each step."""


def drain(data: DataFolder) -> Drained:
    """Take in everything; opening the store and loading prices are not part of the time."""
    store = AnalyticsStore.open(f"chdb://{data.analytics}")
    pricer = BookPricer.by_list(PriceBook.of(installed()), {"openai": "openai"})
    drain = Drain(data.spool, NodeSecrets.load(data.node_key).derive("spool"), store, pricer, clock=SystemClock())
    rates: list[float] = []
    stored, cpu_before, started = 0, machine.cpu_seconds(os.getpid()), time.perf_counter()
    before = started
    while count := drain.step():
        now = time.perf_counter()
        rates.append(count / (now - before))
        stored, before = stored + count, now
    seconds, cpu_s = before - started, machine.cpu_seconds(os.getpid()) - cpu_before
    resident_mib = machine.rss_bytes(os.getpid()) / 2**20
    drain.close()
    store.close()
    return Drained(drain.status()["stored"], seconds, cpu_s, resident_mib, rates)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(drain(DataFolder(Path(sys.argv[1])))))
