"""A keeper dies at every point of its work, and every call is in every table once. WK_SOAK=1 has it die more often."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path

import clickhouse_connect
import msgspec
from tests.integration.ingest.killed_keeper import KEY

from watchkeeper.core.call import Call
from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.reader import segments_of
from watchkeeper.spool.segment import CALL_RECORD
from watchkeeper.spool.writer import SpoolLimits, SpoolWriter
from watchkeeper.testing.builders import START_NS, seeded_calls

ROOT = Path(__file__).parents[3]
IS_SOAK = bool(os.environ.get("WK_SOAK"))
CALLS = 130 if IS_SOAK else 48
"""Two segments of each worker, or one."""
BEFORE_MIDNIGHT_NS = START_NS - START_NS % 86_400_000_000_000 + 86_395_000_000_000
"""Five seconds before a day's end: half of the calls belong to another partition than the other half."""


async def _write(folder: Path, calls: list[Call]) -> None:
    limits = SpoolLimits(segment_bytes_max=150_000)
    spool = SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), clock=SystemClock(), limits=limits)
    await spool.start()
    for number, call in enumerate(calls):
        if number % 8 == 7:
            await spool.commit(CALL_RECORD, msgspec.msgpack.encode(call))
        else:
            spool.append(CALL_RECORD, msgspec.msgpack.encode(call))
    await spool.close()


def test_a_keeper_that_dies_at_every_point_stores_every_call_once(tmp_path: Path) -> None:
    calls = list(seeded_calls(CALLS, start_ns=BEFORE_MIDNIGHT_NS, length_s=10))
    for worker in ("worker-0", "worker-1"):
        asyncio.run(_write(tmp_path / "spool" / worker, calls[worker == "worker-1" :: 2]))
    deaths = 0
    for point in count(1):  # the first point kills the first keeper before it has done anything, and so on
        keeper = [sys.executable, "-m", "tests.integration.ingest.killed_keeper", str(tmp_path), str(point % 13 + 1)]
        done = subprocess.run(keeper, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        deaths += 1
        assert deaths < 100
    assert deaths >= 13, "of every point"
    assert segments_of(tmp_path / "spool" / "worker-0") == []
    client = clickhouse_connect.get_client(dsn=f"chdb://{tmp_path}/analytics")
    expected = {
        "calls": Counter(call.id for call in calls),
        "attempts": Counter(call.id for call in calls for _ in call.attempts),
        "bodies": Counter(call.id for call in calls),
    }
    for table, column in (("calls", "id"), ("attempts", "call_id"), ("bodies", "call_id")):
        found = client.query(f"SELECT {column}, count() FROM {table} GROUP BY {column}").result_rows
        assert dict(found) == expected[table], table  # type: ignore[arg-type]  # two columns
    client.close()
