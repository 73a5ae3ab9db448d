"""The reader of a segment that is being written takes what is synced; of one that is left by its writer, all."""

import subprocess
import sys
from pathlib import Path

import pytest

from watchkeeper.spool.log import SegmentLog
from watchkeeper.spool.reader import SegmentReader, segments_of
from watchkeeper.spool.segment import Record
from watchkeeper.spool.synced import NAME

KEY = bytes(range(32))


def _log(folder: Path) -> SegmentLog:
    log = SegmentLog(folder, KEY, segment_bytes_max=1 << 20, folder_bytes_max=1 << 30, unix_ns=lambda: 0)
    log.prepare()
    return log


def _payloads(folder: Path) -> list[bytes]:
    found: list[bytes] = []
    for path in segments_of(folder):
        reader = SegmentReader(path, KEY)
        while frame := reader.read():
            assert not frame.damage
            found += [record.payload for record in frame.records]
        reader.close()
    return found


_KILLED = """
import os, signal, sys
from pathlib import Path
from watchkeeper.spool.log import SegmentLog
from watchkeeper.spool.segment import Record

log = SegmentLog(Path(sys.argv[1]), bytes(range(32)), segment_bytes_max=1 << 20, folder_bytes_max=1 << 30,
                 unix_ns=lambda: 0)
log.prepare()
log.append([Record(1, b"one")])
log.append([Record(1, b"two")])
setattr(os, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
log.append([Record(1, b"three")])
"""


@pytest.mark.parametrize("moment", ["fsync", "pwrite"])
def test_a_writer_that_is_killed_before_it_could_say_that_a_frame_is_synced_loses_nothing(
    tmp_path: Path, moment: str
) -> None:
    folder = tmp_path / "worker-0"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(folder), moment], check=False, timeout=30)
    assert done.returncode == -9
    assert _payloads(folder) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("note", [None, b"", b"torn", bytes(28), bytes(range(28))])
def test_without_a_note_that_can_be_believed_a_segment_is_read_when_it_is_finished(
    tmp_path: Path, note: bytes | None
) -> None:
    folder = tmp_path / "worker-0"
    log = _log(folder)
    log.append([Record(1, b"one")])
    assert _payloads(folder) == [b"one"]
    (folder / NAME).unlink()
    if note is not None:
        (folder / NAME).write_bytes(note)
    assert _payloads(folder) == []
    log.finish()
    assert _payloads(folder) == [b"one"]


def test_the_note_of_a_segment_of_the_same_number_is_not_taken_for_that_of_its_successor(tmp_path: Path) -> None:
    folder = tmp_path / "worker-0"
    for payload in (b"long" * 100, b"short"):  # by a writer that found the folder empty, each time
        stale = (folder / NAME).read_bytes() if folder.exists() else b""
        log = _log(folder)
        log.append([Record(1, payload)])
        assert _payloads(folder) == [payload]
        (folder / NAME).write_bytes(stale)
        assert _payloads(folder) == []
        log.finish()
        (folder / "1.seg").unlink()


def test_damage_in_a_segment_that_is_being_written_does_not_cost_what_is_written_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "worker-0"
    log = _log(folder)
    for payload in (b"one", b"two"):
        log.append([Record(1, payload)])
    reader = SegmentReader(folder / "1.seg", KEY)
    first = reader.read()
    assert first is not None
    with (folder / "1.seg").open("r+b") as file:
        file.seek(first.after.offset)
        file.write(b"\xff")
    assert reader.read() is None
    assert not reader.is_finished, "its file would be deleted under the writer"
    log.append([Record(1, b"three")])
    log.finish()
    rest = reader.read()
    assert rest is not None
    assert rest.damage
    assert len(rest.raw) == reader.size() - first.after.offset, "all of it is put aside"
    assert reader.is_finished
    reader.close()
