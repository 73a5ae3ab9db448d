"""What is appended is read back, in order, from encrypted segments."""

import asyncio
from pathlib import Path

from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.reader import SegmentReader
from watchkeeper.spool.segment import Record
from watchkeeper.spool.writer import SpoolLimits, SpoolWriter

KEY = bytes(range(32))


def _writer(folder: Path, **limits: float) -> SpoolWriter:
    return SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), clock=SystemClock(), limits=SpoolLimits(**limits))  # type: ignore[arg-type]


def _records(folder: Path) -> list[Record]:
    found: list[Record] = []
    for path in sorted(folder.glob("*.seg"), key=lambda path: int(path.stem)):
        reader = SegmentReader(path, KEY)
        while frame := reader.read():
            assert not frame.damage
            found += frame.records
        assert reader.is_finished
        reader.close()
    return found


async def test_records_come_back_in_order_over_many_segments(tmp_path: Path) -> None:
    folder = tmp_path / "worker-0"
    writer = _writer(folder, segment_bytes_max=2000)
    await writer.start()
    payloads = [f"call {number} ".encode() * 40 for number in range(20)]
    for payload in payloads[:10]:
        writer.append(1, payload)
    for payload in payloads[10:]:
        await writer.commit(1, payload)
    await writer.close()
    assert [record.payload for record in _records(folder)] == payloads
    assert len(list(folder.glob("*.seg"))) > 2
    assert writer.counters["accepted"] == writer.counters["written"] == 20


async def test_what_is_committed_can_be_read_before_the_writer_is_closed(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "worker-0")
    await writer.start()
    await writer.commit(1, b"at once")
    reader = SegmentReader(tmp_path / "worker-0" / "1.seg", KEY)
    frame = reader.read()
    assert frame is not None
    assert frame.records == (Record(1, b"at once"),)
    assert not reader.is_abandoned()
    await writer.close()
    assert reader.is_abandoned()


async def test_nothing_of_a_record_can_be_read_from_the_disk_without_the_key(tmp_path: Path) -> None:
    writer = _writer(tmp_path / "worker-0")
    await writer.start()
    await writer.commit(1, b"a secret sentence")
    await writer.close()
    assert b"secret" not in (tmp_path / "worker-0" / "1.seg").read_bytes()
