"""The loop that empties the spool into the store: every event once, nothing dropped without a name."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.ingest import cursor as cursors
from watchkeeper.ingest.cursor import Cursor, Intent
from watchkeeper.ingest.pricing import Pricer
from watchkeeper.ingest.rows import add_call
from watchkeeper.spool.reader import SegmentReader, segments_of
from watchkeeper.spool.segment import Frame, Record, SegmentDamaged
from watchkeeper.store.batch import CallBatch

IDLE_S = 0.2
"""Pause when there is nothing to take in."""
RETRY_S = 2.0
"""Pause after the store has failed."""
BATCH_RECORDS = 4_000
BATCH_BYTES = 24 * 1024 * 1024
"""Of one insert, unless a single frame is larger."""
REJECTED_FILES_MAX = 50
"""Damaged segments kept for a look; further ones are deleted and counted."""
CALL_RECORD = 1

_log = logging.getLogger("watchkeeper.ingest")


class Store(Protocol):
    """Where batches go."""

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        """Insert a batch; a second time under the same token adds nothing."""
        ...


@dataclass(slots=True)
class Ledger:
    """What has become of the events since the keeper started: read = stored + rejected."""

    stored: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    waiting_bytes: int = 0
    stored_at: float | None = None
    """Unix time of the last insert."""
    trouble: str = ""


class Drain:
    """Empties the spools of all workers, in a thread of its own."""

    def __init__(self, spool: Path, key: bytes, store: Store, pricer: Pricer, *, clock: Clock) -> None:
        self.ledger = Ledger()
        self._spool = spool
        self._key = key
        self._store = store
        self._pricer = pricer
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest")
        self._decode: Callable[[bytes], Call] = msgspec.msgpack.Decoder(Call).decode

    def start(self) -> None:
        """Begin to take events in."""
        self._thread.start()

    def stop(self) -> None:
        """Take in what is there and end."""
        self._stop.set()
        self._thread.join()

    def status(self) -> dict[str, Any]:
        """Tell how ingest is doing; `waiting_bytes` is what a spool holds that is not stored yet."""
        ledger = self.ledger
        return {
            "stored": ledger.stored,
            "rejected": dict(ledger.rejected),
            "waiting_bytes": ledger.waiting_bytes,
            "last_stored_at": datetime.fromtimestamp(ledger.stored_at, UTC).isoformat() if ledger.stored_at else None,
            "trouble": ledger.trouble or None,
        }

    def step(self) -> int:
        """Take in what every spool holds, at most one batch of each; return how many events were stored."""
        folders = [path for path in sorted(self._spool.iterdir()) if path.is_dir() and path.name != "rejected"]
        return sum(self._step_worker(folder) for folder in folders)

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            try:
                count = self.step()
                self.ledger.trouble = ""
                pause_s = 0.0 if count else IDLE_S
            except (
                Exception
            ) as error:  # the store may be away for any reason; events wait in the spool until it is back
                _log.exception("events cannot be stored; they wait in the spool")
                self.ledger.trouble = f"{type(error).__name__}: {error}"[:500]
                count, pause_s = 0, RETRY_S
            if is_last and not count:
                return
            if pause_s and not is_last:
                self._stop.wait(pause_s)

    def _step_worker(self, folder: Path) -> int:
        segments = segments_of(folder)
        if not segments:
            return 0
        path, has_successor = segments[0], len(segments) > 1
        reader = SegmentReader(path, self._key)
        frames: list[Frame] = []
        is_finished, cursor = False, Cursor()
        try:
            if reader.is_begun():
                cursor = _cursor_of(folder, reader)
                frames, is_finished = _take(reader, cursor)
        except SegmentDamaged as damage:
            return self._reject(folder, reader, damage)
        self.ledger.waiting_bytes = sum(found.stat().st_size for found in segments) - cursor.offset
        stored = self._store_range(folder, reader, cursor, frames)
        if is_finished:
            path.unlink()
        elif has_successor and not frames:
            # Left by a killed writer, as a later one shows. What stands behind the last whole frame was never
            # acknowledged, unless the disk has lost it: it is put aside and counted.
            if path.stat().st_size > cursor.offset:
                self._put_aside(folder, reader, "torn_tail")
            else:
                path.unlink()
        else:
            return stored
        return max(stored, 1)

    def _store_range(self, folder: Path, reader: SegmentReader, cursor: Cursor, frames: list[Frame]) -> int:
        records = [record for frame in frames for record in frame.records]
        if not frames:
            return 0
        upto = frames[-1].number + 1
        if cursor.intent is None:
            token = f"{folder.name}:{reader.salt.hex()}:{cursor.frame}-{upto}"
            cursor = msgspec.structs.replace(cursor, intent=Intent(upto, token))
            cursors.save(folder, cursor)
        assert cursor.intent is not None
        batch = self._batch(records)
        if batch.calls:
            self._store.insert_calls(batch, token=cursor.intent.token)
            self.ledger.stored += len(batch)
            self.ledger.stored_at = self._clock.unix_ns() / 1e9
        cursors.save(folder, Cursor(salt=cursor.salt, offset=frames[-1].end, frame=upto))
        return len(records)

    def _batch(self, records: list[Record]) -> CallBatch:
        batch = CallBatch()
        stored_at = datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC)
        for record in records:
            if record.kind != CALL_RECORD:
                self.ledger.rejected["unknown_kind"] += 1
                continue
            try:
                add_call(batch, self._decode(record.payload), self._pricer, stored_at=stored_at)
            except (msgspec.MsgspecError, ValueError, OverflowError) as error:
                self.ledger.rejected["undecodable"] += 1
                _log.error("an event of %d bytes could not be read: %s", len(record.payload), error)
        return batch

    def _reject(self, folder: Path, reader: SegmentReader, damage: SegmentDamaged) -> int:
        """Store what stands before the damage, put the segment aside for a look, and let the next one follow."""
        stored = 0
        if reader.salt:
            cursor = _cursor_of(folder, reader)
            stored = self._store_range(folder, reader, cursor, _whole_frames(reader, cursor))
        _log.error("segment %s of %s is damaged: %s", reader.path.name, folder.name, damage)
        self._put_aside(folder, reader, "damaged_segment")
        return max(stored, 1)

    def _put_aside(self, folder: Path, reader: SegmentReader, reason: str) -> None:
        path, kept = reader.path, self._spool / "rejected"
        kept.mkdir(exist_ok=True)
        self.ledger.rejected[reason] += 1
        if len(list(kept.iterdir())) < REJECTED_FILES_MAX:
            path.rename(kept / f"{folder.name}-{reader.salt.hex() or path.stem}{path.suffix}")
        else:
            path.unlink()
        _log.warning("segment %s of %s was put aside: %s", path.name, folder.name, reason)


def _cursor_of(folder: Path, reader: SegmentReader) -> Cursor:
    """The place in this segment: where the cursor says, or its beginning when the cursor means another."""
    cursor = cursors.load(folder)
    salt = reader.salt.hex()
    return cursor if cursor.salt == salt else Cursor(salt=salt)


def _whole_frames(reader: SegmentReader, cursor: Cursor) -> list[Frame]:
    """Read what can be read; of an intent that was under way, no more than it named."""
    frames: list[Frame] = []
    try:
        for frame in reader.frames(cursor.position):
            if not frame.records or (cursor.intent is not None and frame.number >= cursor.intent.upto):
                break
            frames.append(frame)
    except SegmentDamaged:
        pass  # what stands before the damage is what is asked for
    return frames


def _take(reader: SegmentReader, cursor: Cursor) -> tuple[list[Frame], bool]:
    """Read the frames of one batch (those of an intent, or as many as fit); tell whether the segment ends there."""
    frames: list[Frame] = []
    count = size = 0
    limit = cursor.intent.upto if cursor.intent is not None else None
    for frame in reader.frames(cursor.position):
        if limit is not None and frame.number >= limit:
            break
        if not frame.records:
            return frames, True
        frames.append(frame)
        count += len(frame.records)
        size += sum(len(record.payload) for record in frame.records)
        if limit is None and (count >= BATCH_RECORDS or size >= BATCH_BYTES):
            break
    return frames, False
