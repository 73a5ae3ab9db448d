"""A disk that is really full: each durability keeps to its policy, and both recover without a restart."""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.reader import SegmentReader, segments_of
from watchkeeper.spool.writer import SpoolFull, SpoolLimits, SpoolWriter

KEY = bytes(range(32))
DISK_BYTES = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system is not allowed here; test_a_file_size_limit covers the writer")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def _writer(folder: Path, **limits: int) -> SpoolWriter:
    writer = SpoolWriter(
        folder, KEY, loop=asyncio.get_running_loop(), clock=SystemClock(), limits=SpoolLimits(**limits)
    )
    await writer.start()
    return writer


async def _until_well(writer: SpoolWriter) -> None:
    async with asyncio.timeout(10):
        while writer.trouble:
            await asyncio.sleep(0.02)


def _payloads(folder: Path) -> list[bytes]:
    found = []
    for path in segments_of(folder):
        reader = SegmentReader(path, KEY)
        while frame := reader.read():
            assert not frame.damage
            found += [record.payload for record in frame.records if record.kind == 1]
        reader.close()
    return found


def _fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


async def test_a_commit_fails_at_once_and_nothing_of_it_stays(small_disk: Path) -> None:
    writer = await _writer(small_disk / "worker-0")
    await writer.commit(1, b"before")
    ballast = _fill(small_disk)
    with pytest.raises(SpoolFull, match="No space left"):
        await writer.commit(1, b"refused" * 10_000)
    with pytest.raises(SpoolFull):
        await writer.commit(1, b"refused, too")
    assert writer.trouble
    ballast.unlink()
    await _until_well(writer)
    await writer.commit(1, b"after")
    await writer.close()
    assert _payloads(small_disk / "worker-0") == [b"before", b"after"]
    assert writer.counters["dropped_spool_full"] == 2


async def test_with_interval_calls_wait_in_memory_then_the_newest_are_counted_as_dropped(small_disk: Path) -> None:
    writer = await _writer(small_disk / "worker-0", waiting_bytes_max=200_000)
    ballast = _fill(small_disk)
    payloads = [b"%04d" % number + bytes(10_000) for number in range(40)]
    for payload in payloads:
        writer.append(1, payload)
        await asyncio.sleep(0.002)
    assert writer.trouble
    dropped = writer.counters["dropped_spool_full"]
    assert 0 < dropped < 40
    assert writer.waiting_bytes <= 200_000 + 1_000
    ballast.unlink()
    await _until_well(writer)
    await writer.close()
    assert _payloads(small_disk / "worker-0") == payloads[: 40 - dropped]
    assert writer.counters["written"] + dropped == 40


async def test_closing_on_a_full_disk_says_what_is_lost(small_disk: Path) -> None:
    writer = await _writer(small_disk / "worker-0")
    _fill(small_disk)
    for _ in range(5):
        writer.append(1, bytes(50_000))
    await writer.close()
    assert writer.counters["dropped_closed"] == 5


_LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.writer import SpoolFull, SpoolWriter

async def main():
    writer = SpoolWriter(Path(sys.argv[1]), bytes(range(32)), loop=asyncio.get_running_loop(), clock=SystemClock())
    await writer.start()
    await writer.commit(1, b"before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
    try:
        await writer.commit(1, bytes(5_000))
    except SpoolFull as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while writer.trouble:
        await asyncio.sleep(0.02)
    await writer.commit(1, b"after")
    await writer.close()

asyncio.run(main())
"""


def test_a_file_size_limit_is_met_like_a_full_disk(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    folder = tmp_path / "worker-0"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(folder)], capture_output=True, text=True, check=True, timeout=30
    )
    assert "File too large" in done.stdout
    assert _payloads(folder) == [b"before", b"after"]
