"""A spool that cannot be taken in is named, and the others go on."""

import asyncio
import logging
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from watchkeeper.core.clock import SystemClock
from watchkeeper.ingest.drain import RETRY_S, Drain
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.spool.reader import segments_of
from watchkeeper.spool.segment import CALL_RECORD
from watchkeeper.spool.writer import SpoolWriter
from watchkeeper.store.batch import CallBatch
from watchkeeper.testing import FakeClock
from watchkeeper.testing.builders import START_NS, seeded_calls

KEY = bytes(range(32))
CALLS = {call.id: msgspec.msgpack.encode(call) for call in seeded_calls(3, start_ns=START_NS, length_s=1)}


class _Refusing:
    """A store that refuses batches with any of these calls in it."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.taken: list[str] = []
        self.asked = 0

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        self.asked += 1
        if self.refused.intersection(batch.ids):
            raise OSError("away")
        self.taken += batch.ids


async def _write(spool: Path, *workers: str) -> None:
    for worker, payload in zip(workers, CALLS.values(), strict=False):
        writer = SpoolWriter(spool / worker, KEY, loop=asyncio.get_running_loop(), clock=SystemClock())
        await writer.start()
        await writer.commit(CALL_RECORD, payload)
        await writer.close()


def _drain(spool: Path, store: _Refusing, clock: FakeClock) -> Drain:
    return Drain(spool, KEY, store, BookPricer(Terms({})), clock=clock)


def _cannot_be_entered(folder: Path) -> None:
    (folder / "cursor").mkdir(parents=True)  # fails also for root, whom no permission stops


def _has_no_cursor_but_noise(folder: Path) -> None:
    folder.mkdir()
    (folder / "cursor").write_bytes(b"\x00noise")


def _holds_a_segment_that_is_none(folder: Path) -> None:
    (folder / "1.seg").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [_cannot_be_entered, _has_no_cursor_but_noise, _holds_a_segment_that_is_none])
@pytest.mark.parametrize("name", ["another", "zebra"])
async def test_a_folder_that_cannot_be_read_does_not_keep_the_workers_calls_from_the_store(
    tmp_path: Path, spoil: object, name: str
) -> None:
    assert callable(spoil)
    await _write(tmp_path, "worker-0", "worker-1")
    spoil(tmp_path / name)
    clock, store = FakeClock(), _Refusing()
    drain = _drain(tmp_path, store, clock)
    while drain.step():
        pass
    assert store.taken == list(CALLS)[:2]
    assert drain.status()["trouble"].startswith(f"the spool of {name}: ")
    shutil.rmtree(tmp_path / name)
    clock.advance(RETRY_S)
    drain.step()
    assert drain.status()["trouble"] is None
    drain.close()


async def test_a_stray_file_among_the_segments_does_not_stop_ingest(tmp_path: Path) -> None:
    await _write(tmp_path, "worker-0", "worker-1")
    (tmp_path / "worker-0" / "1 (copy).seg").write_bytes((tmp_path / "worker-0" / "1.seg").read_bytes())
    store = _Refusing()
    drain = _drain(tmp_path, store, FakeClock())
    while drain.step():
        pass
    assert store.taken == list(CALLS)[:2]
    assert (drain.status()["trouble"], drain.status()["waiting_bytes"]) == (None, 0)
    drain.close()


async def test_a_mounted_disks_lost_and_found_is_no_workers_spool(tmp_path: Path) -> None:
    await _write(tmp_path, "worker-0")
    _cannot_be_entered(tmp_path / "lost+found")
    drain = _drain(tmp_path, _Refusing(), FakeClock())
    assert drain.step() == 1
    assert drain.status()["trouble"] is None
    drain.close()


async def test_a_batch_that_the_store_refuses_is_tried_again_after_a_pause_and_the_others_go_on(tmp_path: Path) -> None:
    await _write(tmp_path, "worker-0", "worker-1")
    first, second, third = CALLS
    clock, store = FakeClock(), _Refusing(first)
    drain = _drain(tmp_path, store, clock)
    for _ in range(5):
        drain.step()
    assert (store.taken, store.asked) == ([second], 2)
    assert drain.status()["trouble"] == "the spool of worker-0: OSError: away"
    store.refused = {third}
    clock.advance(RETRY_S)
    drain.step()
    assert (store.taken, drain.status()["trouble"]) == ([second, first], None)
    drain.close()


async def test_a_store_that_is_away_is_told_once_for_all_spools(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("watchkeeper.ingest"), "disabled", False)  # import-linter disables them all
    await _write(tmp_path, "worker-0", "worker-1", "worker-2")
    clock = FakeClock()
    drain = _drain(tmp_path, _Refusing(*CALLS), clock)
    for _ in range(3):
        drain.step()
        clock.advance(RETRY_S)
    assert drain.status()["trouble"] == "OSError: away"
    assert len(caplog.records) == 1
    drain.close()


async def test_ingest_goes_on_when_the_folder_of_all_spools_comes_back(tmp_path: Path) -> None:
    await _write(tmp_path / "spool", "worker-0")
    (tmp_path / "spool").rename(tmp_path / "away")
    drain = Drain(tmp_path / "spool", KEY, _Refusing(), BookPricer(Terms({})), clock=SystemClock())
    drain.start()
    deadline = time.monotonic() + 5
    while not drain.status()["trouble"] and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert "No such file" in drain.status()["trouble"]
    (tmp_path / "away").rename(tmp_path / "spool")
    while segments_of(tmp_path / "spool" / "worker-0") and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    drain.stop()
    assert (drain.status()["stored"], drain.status()["trouble"]) == (1, None)
