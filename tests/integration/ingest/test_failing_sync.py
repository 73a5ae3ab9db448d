"""A disk that takes a frame and fails to sync it while the keeper reads: the frame is stored once all the same."""

import asyncio
import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from watchkeeper.core.clock import SystemClock
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.spool.reader import segments_of
from watchkeeper.spool.segment import CALL_RECORD
from watchkeeper.spool.writer import SpoolFull, SpoolWriter
from watchkeeper.store.batch import CallBatch
from watchkeeper.testing.builders import START_NS, seeded_calls

KEY = bytes(range(32))
CALLS = {call.id: msgspec.msgpack.encode(call) for call in seeded_calls(4, start_ns=START_NS, length_s=1)}


class Disk:
    """Fails system calls on command; what it does before it fails happens between a frame's write and its sync."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sync, self._truncate = os.fsync, os.ftruncate
        self.before_failing: Callable[[], object] | None = None
        self.truncate_failures = 0
        monkeypatch.setattr(os, "fsync", self._fsync)
        monkeypatch.setattr(os, "ftruncate", self._ftruncate)

    def _fsync(self, handle: int) -> None:
        if self.before_failing is not None:
            before, self.before_failing = self.before_failing, None
            before()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._sync(handle)

    def _ftruncate(self, handle: int, length: int) -> None:
        if self.truncate_failures:
            self.truncate_failures -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._truncate(handle, length)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


class _Counting:
    """A store that counts how often it was given each call."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        self.taken.update(batch.ids)


@pytest.mark.parametrize("truncate_failures", [0, 3])
async def test_a_call_whose_first_sync_failed_is_stored_once(
    tmp_path: Path, disk: Disk, truncate_failures: int
) -> None:
    store = _Counting()
    drain = Drain(tmp_path, KEY, store, BookPricer(Terms({})), clock=SystemClock())
    writer = SpoolWriter(tmp_path / "worker-0", KEY, loop=asyncio.get_running_loop(), clock=SystemClock())
    await writer.start()
    first, refused, kept, after = CALLS
    await writer.commit(CALL_RECORD, CALLS[first])
    drain.step()
    assert store.taken == {first: 1}, "what is synced is read at once"

    disk.truncate_failures = truncate_failures
    disk.before_failing = drain.step
    writer.append(CALL_RECORD, CALLS[kept])
    with pytest.raises(SpoolFull, match="Input/output error"):
        await writer.commit(CALL_RECORD, CALLS[refused])
    async with asyncio.timeout(10):
        while writer.trouble:
            drain.step()
            await asyncio.sleep(0.02)
    await writer.commit(CALL_RECORD, CALLS[after])
    await writer.close()
    while drain.step():
        pass
    drain.close()
    assert store.taken == {first: 1, kept: 1, after: 1}
    assert segments_of(tmp_path / "worker-0") == []
    assert drain.status()["rejected"] == {"spool_full": 1}
