"""What is acknowledged is on disk, whole, in order and unreadable without the key; whatever happens to the writer."""

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.spool import writer as spool_writer
from watchkeeper.spool.reader import START, Position, SegmentReader, segments_of
from watchkeeper.spool.segment import FrameCodec, Record, SegmentDamaged, header
from watchkeeper.spool.writer import SpoolError, SpoolWriter

KEY = b"k" * 32


def _read(folder: Path) -> list[bytes]:
    return [
        record.payload
        for path in segments_of(folder)
        for frame in SegmentReader(path, KEY).frames(START)
        for record in frame.records
    ]


async def _writer(folder: Path, **options: int) -> SpoolWriter:
    made = SpoolWriter(folder, KEY, loop=asyncio.get_running_loop(), **options)
    await made.start()
    return made


async def test_events_come_back_in_order_and_the_file_shows_none_of_them(tmp_path: Path) -> None:
    spool = await _writer(tmp_path)
    events = [f"a secret {number}".encode() for number in range(1_000)]
    for event in events:
        spool.append(1, event)
        if random.random() < 0.01:
            await asyncio.sleep(0.03)
    await spool.close()
    assert _read(tmp_path) == events
    assert b"secret" not in b"".join(path.read_bytes() for path in segments_of(tmp_path))
    assert spool.counters["written"] == 1_000
    assert spool.waiting_bytes == 0


async def test_a_commit_returns_only_when_another_process_could_read_the_event(tmp_path: Path) -> None:
    spool = await _writer(tmp_path)
    spool.durability = "disk"

    async def one(number: int) -> None:
        event = f"event {number}".encode()
        await spool.committed(spool.append(1, event))
        assert event in _read(tmp_path)

    await asyncio.gather(*(one(number) for number in range(50)))
    await spool.close()


async def test_a_writer_never_appends_to_a_segment_of_its_predecessor(tmp_path: Path) -> None:
    for run in range(3):
        spool = await _writer(tmp_path)
        spool.append(1, f"run {run}".encode())
        await spool.close()
    assert [path.stem for path in segments_of(tmp_path)] == ["000000000001", "000000000002", "000000000003"]


async def test_segments_are_finished_at_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_writer, "SEGMENT_BYTES_MAX", 1_000)
    spool = await _writer(tmp_path)
    spool.durability = "disk"
    for number in range(10):
        await spool.committed(spool.append(1, bytes(300)))
        assert len(segments_of(tmp_path)) == number // 3 + 1
    await spool.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=50), max_size=5), max_size=6), st.data())
def test_a_torn_tail_is_cut_at_the_last_whole_frame(
    tmp_path_factory: pytest.TempPathFactory, frames: list[list[bytes]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "1.seg"
    codec = FrameCodec(KEY, b"s" * 16)
    sealed = [
        codec.seal(number, [Record(1, payload) for payload in payloads]) for number, payloads in enumerate(frames)
    ]
    whole = header(b"s" * 16) + b"".join(sealed)
    cut = data.draw(st.integers(min_value=0, max_value=len(whole)))
    path.write_bytes(whole[:cut])
    ends = [len(header(b"s" * 16)) + sum(len(frame) for frame in sealed[: n + 1]) for n in range(len(sealed))]
    kept = sum(end <= cut for end in ends)
    found = list(SegmentReader(path, KEY).frames(START))
    assert [[record.payload for record in frame.records] for frame in found] == frames[:kept]


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    codec = FrameCodec(KEY, b"s" * 16)
    whole = header(b"s" * 16) + b"".join(codec.seal(n, [Record(1, b"payload %d" % n)]) for n in range(3))
    path = tmp_path / "1.seg"
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 0x40
        path.write_bytes(changed)
        try:
            frames = list(SegmentReader(path, KEY).frames(START))
        except SegmentDamaged:
            continue
        assert len(frames) < 3, f"a changed byte at {at} went unnoticed"


def test_frames_cannot_be_reordered_or_taken_out(tmp_path: Path) -> None:
    codec = FrameCodec(KEY, b"s" * 16)
    one, two, three = (codec.seal(n, [Record(1, b"%d" % n)]) for n in range(3))
    path = tmp_path / "1.seg"
    for order in ((two, one, three), (one, three), (one, one, two)):
        path.write_bytes(header(b"s" * 16) + b"".join(order))
        with pytest.raises(SegmentDamaged):
            list(SegmentReader(path, KEY).frames(START))


async def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    spool = await _writer(tmp_path)
    spool.durability = "disk"
    position = START
    for number in range(5):
        await spool.committed(spool.append(1, b"%d" % number))
        (frame,) = SegmentReader(segments_of(tmp_path)[0], KEY).frames(position)
        assert frame.records == [Record(1, b"%d" % number)]
        position = Position(frame.end, frame.number + 1)
    await spool.close()


class _FullDisk:
    """A file whose writes fail for as long as they are told to, after a part has been written."""

    def __init__(self, file: BinaryIO, state: dict[str, bool]) -> None:
        self._file, self._state = file, state

    def write(self, data: memoryview) -> int:
        if self._state["full"]:
            self._file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


async def _on_a_disk_that_fills_up(folder: Path, **options: int) -> tuple[SpoolWriter, dict[str, bool]]:
    spool = await _writer(folder, **options)
    spool.durability = "disk"
    await spool.committed(spool.append(1, b"first"))
    state = {"full": True}
    spool._file._file = _FullDisk(cast(BinaryIO, spool._file._file), state)  # type: ignore[assignment]
    return spool, state


async def test_on_a_full_disk_a_commit_fails_and_nothing_half_written_stays(tmp_path: Path) -> None:
    spool, state = await _on_a_disk_that_fills_up(tmp_path)
    with pytest.raises(SpoolError, match="No space left"):
        await spool.committed(spool.append(1, b"refused"))
    assert spool.trouble
    state["full"] = False
    await spool.committed(spool.append(1, b"second"))
    assert not spool.trouble
    await spool.close()
    assert _read(tmp_path) == [b"first", b"second"]
    assert spool.counters["refused"] == 1


async def test_on_a_full_disk_interval_keeps_what_fits_in_memory_and_counts_the_rest(tmp_path: Path) -> None:
    spool, state = await _on_a_disk_that_fills_up(tmp_path, waiting_bytes_max=10)
    spool.durability = "interval"
    for number in range(20):
        spool.append(1, b"%02d" % number)
    await asyncio.sleep(0.1)
    assert spool.counters["dropped"] == 15
    state["full"] = False
    await asyncio.sleep(spool_writer.RETRY_S + 0.2)
    await spool.close()
    assert _read(tmp_path) == [b"first", *(b"%02d" % number for number in range(5))]
    assert spool.counters["appended"] + spool.counters["dropped"] == 21


async def test_a_spool_that_nobody_takes_in_stops_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_writer, "SEGMENT_BYTES_MAX", 1_000)
    spool = await _writer(tmp_path, spool_bytes_max=3_000)
    spool.durability = "disk"
    for _ in range(9):
        await spool.committed(spool.append(1, bytes(300)))
    with pytest.raises(SpoolError, match="which is the limit"):
        await spool.committed(spool.append(1, bytes(300)))
    segments_of(tmp_path)[0].unlink()
    await spool.committed(spool.append(1, b"again"))
    await spool.close()


_KILLED = """
import asyncio, sys
from pathlib import Path
from typing import BinaryIO, cast
from watchkeeper.spool.writer import SpoolWriter
async def main():
    spool = SpoolWriter(Path(sys.argv[1]), b"k" * 32, loop=asyncio.get_running_loop())
    await spool.start()
    spool.durability = "disk"
    async def client(name):
        for number in range(1_000_000):
            event = f"{name}-{number}"
            await spool.committed(spool.append(1, event.encode() + bytes(500)))
            print(event, flush=True)
    await asyncio.gather(*(client(name) for name in "abcd"))
asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(4))
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(random.Random(seed).randrange(5, 400))]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().split()
    process.wait()
    found = [payload.rstrip(b"\0").decode() for payload in _read(tmp_path)]
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))
