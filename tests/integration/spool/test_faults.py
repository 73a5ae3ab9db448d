"""Faults that are not the disk's: recording goes on, and until it does everybody is told."""

import asyncio
import logging
import threading
from pathlib import Path

import msgspec
import pytest

from watchkeeper.core.clock import SystemClock
from watchkeeper.spool.loss import Loss
from watchkeeper.spool.reader import SegmentReader, segments_of
from watchkeeper.spool.segment import LOSS_RECORD, Record
from watchkeeper.spool.writer import SpoolError, SpoolLimits, SpoolWriter

KEY = bytes(range(32))


class FaultyClock(SystemClock):
    """A clock that fails the spool's thread, which asks it when it begins a segment."""

    is_faulty = False

    def unix_ns(self) -> int:
        if self.is_faulty and threading.current_thread().name.startswith("spool"):
            raise ValueError("a fault of ours")
        return SystemClock.unix_ns()


@pytest.fixture
def clock() -> FaultyClock:
    return FaultyClock()


async def _writer(folder: Path, clock: FaultyClock) -> SpoolWriter:
    limits = SpoolLimits(segment_bytes_max=200)  # every frame begins a segment
    writer = SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), clock=clock, limits=limits)
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


@pytest.mark.parametrize("name", ["copy.seg", "1 (copy).seg", "01.seg", "\u00b2.seg", "0.seg", ".seg"])
async def test_a_stray_file_among_the_segments_does_not_end_recording(
    tmp_path: Path, clock: FaultyClock, name: str
) -> None:
    folder = tmp_path / "worker-0"
    for payload in (b"one" * 100, b"two" * 100):  # once with the file put there while it records, once before
        writer = await _writer(folder, clock)
        await writer.commit(1, payload)
        (folder / name).write_bytes(segments_of(folder)[0].read_bytes())
        async with asyncio.timeout(5):
            await writer.commit(1, payload)
            await writer.close()
    assert [record.payload for record in _records(folder)] == [b"one" * 100] * 2 + [b"two" * 100] * 2
    assert [path.name for path in segments_of(folder)] == ["1.seg", "2.seg", "3.seg", "4.seg"]
    assert (folder / name).exists()


async def test_a_fault_in_the_spools_thread_is_told_and_recording_goes_on_when_it_has_passed(
    tmp_path: Path, clock: FaultyClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        logging.getLogger("watchkeeper.spool"), "disabled", False
    )  # import-linter disables every logger
    writer = await _writer(tmp_path / "worker-0", clock)
    clock.is_faulty = True
    writer.append(1, b"kept")
    with caplog.at_level(logging.ERROR, "watchkeeper.spool"):
        async with asyncio.timeout(5):
            with pytest.raises(SpoolError, match="a fault of ours"):
                await writer.commit(1, b"refused")
            with pytest.raises(SpoolError):
                await writer.commit(1, b"refused at once")
            while writer.counters["failed_writes"] < 3:
                await asyncio.sleep(0.02)
                assert "a fault of ours" in writer.trouble, "what /readyz says"
    told = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert len(told) == 1
    assert told[0].exc_info is not None
    clock.is_faulty = False
    async with asyncio.timeout(5):
        while writer.trouble:
            await asyncio.sleep(0.02)
        await writer.commit(1, b"after")
        await writer.close()
    records = _records(tmp_path / "worker-0")
    assert [record.payload for record in records if record.kind == 1] == [b"kept", b"after"]
    losses = [msgspec.msgpack.decode(record.payload, type=Loss) for record in records if record.kind == LOSS_RECORD]
    assert [(loss.reason, loss.records) for loss in losses] == [("spool_full", 2)]
    assert writer.waiting_bytes == 0


async def test_nobody_waits_for_a_writer_that_is_closed_during_a_fault(tmp_path: Path, clock: FaultyClock) -> None:
    writer = await _writer(tmp_path / "worker-0", clock)
    clock.is_faulty = True
    writer.append(1, b"lost")
    waiting = asyncio.create_task(writer.commit(1, b"refused"))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await writer.close()
        with pytest.raises(SpoolError):
            await waiting
    assert writer.counters["accepted"] == 2
    assert (writer.counters["dropped_spool_full"], writer.counters["dropped_closed"]) == (1, 1)
