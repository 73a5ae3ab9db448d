"""What is appended is on disk in order; what is committed survives a kill; what is lost is counted."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.loss import Loss
from watchkeeper.spool.reader import SegmentReader, segments_of
from watchkeeper.spool.segment import LOSS_RECORD, Record
from watchkeeper.spool.writer import RETRY_S, SpoolClosed, SpoolFull, SpoolLimits, SpoolWriter

KEY = bytes(range(32))


async def _writer(folder: Path, limits: SpoolLimits | None = None) -> SpoolWriter:
    writer = SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), clock=SystemClock(), limits=limits)
    await writer.start()
    return writer


def _records(folder: Path) -> list[Record]:
    found: list[Record] = []
    for path in segments_of(folder):
        reader = SegmentReader(path, KEY)
        while frame := reader.read():
            assert not frame.damage
            found += frame.records
        reader.close()
    return found


def _payloads(folder: Path) -> list[bytes]:
    return [record.payload for record in _records(folder) if record.kind == 1]


async def test_records_come_back_in_order_over_many_segments(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0", SpoolLimits(segment_bytes_max=2_000))
    payloads = [f"call {number} ".encode() * 40 for number in range(30)]
    for number, payload in enumerate(payloads):
        if number % 3:
            writer.append(1, payload)
        else:
            await writer.commit(1, payload)
    await writer.close()
    assert _payloads(tmp_path / "worker-0") == payloads
    assert len(segments_of(tmp_path / "worker-0")) > 2
    assert writer.counters["accepted"] == writer.counters["written"] == 30
    assert writer.waiting_bytes == 0


async def test_what_is_appended_is_written_without_anybody_asking(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0")
    writer.append(1, b"soon")
    async with asyncio.timeout(5):
        while not writer.counters["written"]:
            await asyncio.sleep(0.005)
    assert _payloads(tmp_path / "worker-0") == [b"soon"]
    await writer.close()


async def test_what_is_committed_can_be_read_while_the_segment_is_open(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0")

    async def one(number: int) -> None:
        payload = f"call {number}".encode()
        await writer.commit(1, payload)
        assert payload in _payloads(tmp_path / "worker-0")

    await asyncio.gather(*(one(number) for number in range(50)))
    assert writer.counters["frames"] < 50
    reader = SegmentReader(tmp_path / "worker-0" / "1.seg", KEY)
    assert not reader.is_abandoned()
    await writer.close()
    assert reader.is_abandoned()
    reader.close()


async def test_nothing_of_a_record_can_be_read_from_the_disk_without_the_key(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0")
    await writer.commit(1, b"a secret sentence")
    await writer.close()
    (segment,) = segments_of(tmp_path / "worker-0")
    assert b"secret" not in segment.read_bytes()
    assert segment.stat().st_mode & 0o077 == 0


async def test_a_writer_never_appends_to_a_segment_of_its_predecessor(tmp_path: Path) -> None:
    for number in range(3):
        writer = await _writer(tmp_path / "worker-0")
        await writer.commit(1, b"%d" % number)
        await writer.close()
    assert [path.name for path in segments_of(tmp_path / "worker-0")] == ["1.seg", "2.seg", "3.seg"]
    assert _payloads(tmp_path / "worker-0") == [b"0", b"1", b"2"]


async def test_a_small_segment_is_finished_when_it_is_old(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0", SpoolLimits(segment_age_s=0.05))
    await writer.commit(1, b"old")
    reader = SegmentReader(tmp_path / "worker-0" / "1.seg", KEY)
    async with asyncio.timeout(5):
        while not reader.is_abandoned():
            await asyncio.sleep(0.01)
    while reader.read():
        pass
    assert reader.is_finished
    reader.close()
    await writer.close()


async def test_a_closed_writer_takes_nothing_and_counts_it(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0")
    await writer.close()
    with pytest.raises(SpoolClosed):
        await writer.commit(1, b"late")
    writer.append(1, b"later")
    assert writer.counters["dropped_closed"] == 2


async def test_a_spool_that_nobody_empties_stops_at_its_limit_and_goes_on_when_it_is_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "worker-0"
    writer = await _writer(folder, SpoolLimits(segment_bytes_max=50_000, folder_bytes_max=200_000))
    for _ in range(19):
        await writer.commit(1, bytes(10_000))
    with pytest.raises(SpoolFull, match="reached its limit of 200000 bytes"):
        await writer.commit(1, bytes(10_000))
    assert "limit" in writer.trouble
    for path in segments_of(folder)[:-1]:
        path.unlink()
    async with asyncio.timeout(RETRY_S * 4):
        while writer.trouble:
            await asyncio.sleep(0.01)
    await writer.commit(1, b"again")
    await writer.close()
    assert _payloads(folder)[-1] == b"again"


async def test_memory_is_bounded_and_a_loss_is_noted_on_the_spool(tmp_path: Path) -> None:
    writer = await _writer(tmp_path / "worker-0", SpoolLimits(waiting_bytes_max=10_000))
    for number in range(100):  # without letting the loop run, as in a burst
        writer.append(1, b"%03d" % number + bytes(1_000))
    dropped = writer.counters["dropped_spool_full"]
    assert 80 < dropped < 100
    with pytest.raises(SpoolFull):
        await writer.commit(1, bytes(1_000))
    await writer.close()
    assert writer.counters["accepted"] == 101 == writer.counters["written"] + dropped + 1
    kept = _payloads(tmp_path / "worker-0")
    assert [payload[:3] for payload in kept] == [b"%03d" % number for number in range(100 - dropped)]
    losses = [
        msgspec.msgpack.decode(record.payload, type=Loss)
        for record in _records(tmp_path / "worker-0")
        if record.kind == LOSS_RECORD
    ]
    assert sum(loss.records for loss in losses) == dropped + 1
    assert {loss.reason for loss in losses} == {"spool_full"}


_KILLED = """
import asyncio, sys
from pathlib import Path
from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.writer import SpoolLimits, SpoolWriter

async def main():
    limits = SpoolLimits(segment_bytes_max=100_000)
    writer = SpoolWriter(Path(sys.argv[1]), bytes(range(32)), loop=asyncio.get_running_loop(),
                         clock=SystemClock(), limits=limits)
    await writer.start()

    async def client(name):
        for number in range(1_000_000):
            await writer.commit(1, f"{name}-{number}".encode() + bytes(500))
            print(f"{name}-{number}", flush=True)

    await asyncio.gather(*(client(name) for name in "abcd"))

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(5))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "worker-0"
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(Random(seed).randrange(5, 1_500))]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    found = [payload.rstrip(b"\0").decode() for payload in _payloads(folder)]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(set(found) - set(acknowledged)) <= 4, "more than the four calls under way were written"
