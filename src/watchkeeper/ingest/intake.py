"""One worker's spool on its way into the store, a range of frames at a time.

A range is stored in four steps: its bounds and a token go to the cursor file, what its calls have used goes to the
ledger, its rows go to the store under that token, the cursor moves behind it. A crash between any two of them repeats
the same range under the same token: the store keeps one copy, and the ledger knows its place in the spool.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from watchkeeper.core.call import Call
from watchkeeper.core.clock import Clock
from watchkeeper.core.feedback import FeedbackEvent
from watchkeeper.ingest import cursor as cursors
from watchkeeper.ingest.cursor import Cursor, Intent
from watchkeeper.ingest.pricing import Pricer
from watchkeeper.ingest.rejected import DAMAGED_FRAME, RejectedRecords
from watchkeeper.ingest.rows import add_call, add_feedback
from watchkeeper.ingest.settling import Settler, charges_of
from watchkeeper.spool.loss import Loss
from watchkeeper.spool.reader import Frame, Position, SegmentReader, segments_of
from watchkeeper.spool.segment import CALL_RECORD, FEEDBACK_RECORD, LOSS_RECORD, Record, SegmentDamaged
from watchkeeper.store.batch import CallBatch
from watchkeeper.store.ledger import Place, SettledCharge

BATCH_RECORDS = 8_000
BATCH_BYTES = 48 << 20
"""Of one insert; the frame that passes either is its last. Few large inserts spare the store merging small parts."""

_log = logging.getLogger("watchkeeper.ingest")


class Store(Protocol):
    """Where batches go."""

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        """Insert a batch; a second time under the same token adds nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the intakes of all workers share."""

    key: bytes
    store: Store
    pricer: Pricer
    rejected: RejectedRecords
    clock: Clock
    settler: Settler | None = None


class Intake:
    """Reads one worker's segments in order and deletes those that are stored. For one thread."""

    def __init__(self, folder: Path, parts: Parts) -> None:
        self._folder = folder
        self._parts = parts
        self._reader: SegmentReader | None = None
        self._batch = CallBatch()
        self._charges: list[SettledCharge] = []
        self._decode_call: Callable[[bytes], Call] = msgspec.msgpack.Decoder(Call).decode
        self._decode_feedback: Callable[[bytes], FeedbackEvent] = msgspec.msgpack.Decoder(FeedbackEvent).decode
        self._decode_loss: Callable[[bytes], Loss] = msgspec.msgpack.Decoder(Loss).decode
        self.cursor = cursors.load(folder)
        self.has_more = False
        """Whether the last step left something behind that could be read already."""
        self.newest_ns = 0
        """Unix time at which the newest call stored by this process ended."""
        self.stored_ns = 0
        """Unix time of the last insert by this process."""
        self.feedback = 0
        """How much feedback this process has stored."""
        self.taken_in_ns = 0
        """All that was on disk at this Unix time is stored; 0 until all of it has been once."""

    def step(self) -> int:
        """Store the next range, or delete a segment that is stored whole; return the number of records, or 1."""
        self.has_more = False
        began_ns = self._parts.clock.unix_ns()
        reader = self._reader or self._open_next()
        if reader is None:
            self.taken_in_ns = began_ns
            return 0
        # Asked before reading: what an abandoned segment holds then is all that it will ever hold.
        is_abandoned = reader.is_abandoned()
        before = reader.position
        self._store_range(reader)
        if reader.position != before:
            self.has_more = self._is_full or reader.is_finished
            return max(1, reader.position.records - before.records)
        if reader.is_finished or is_abandoned:
            self._delete(reader)
            self.has_more = True
            return 1
        if len(segments_of(self._folder)) == 1:  # Behind a segment that is written to there is none.
            self.taken_in_ns = began_ns
        return 0

    def waiting_bytes(self) -> int:
        """What the segments hold beyond the cursor; may be asked for by any thread."""
        total = 0
        for path in segments_of(self._folder):
            try:
                total += path.stat().st_size
            except OSError:  # stored and deleted in this moment, or in trouble, which `step` meets as well
                continue
        reader = self._reader
        return max(0, total - self.cursor.position.offset) if reader is not None else total

    def close(self) -> None:
        """Let go of the segment that is being read."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open_next(self) -> SegmentReader | None:
        for path in segments_of(self._folder):
            try:
                reader = SegmentReader(path, self._parts.key)
            except SegmentDamaged as damage:
                _log.error("segment %s of %s cannot be read and is put aside: %s", path.name, self._folder.name, damage)
                self._parts.rejected.keep_segment(path)
                self._advance(self.cursor.position, rejected=Counter(unreadable_segment=1))
                continue
            salt = reader.salt.hex()
            if self.cursor.salt == salt:
                intent = self.cursor.intent
                reader.seek(self.cursor.position, read_bytes=intent.upto.offset if intent else 0)
            else:
                self.cursor = Cursor(salt=salt, stored=self.cursor.stored, rejected=self.cursor.rejected)
            self._reader = reader
            return reader
        return None

    def _store_range(self, reader: SegmentReader) -> None:
        """Store the range that was being stored when a process died, or else one that makes a batch."""
        batch, intent = self._batch, self.cursor.intent
        batch.clear()
        self._charges = []
        rejected: Counter[str] = Counter()
        stored_us = self._parts.clock.unix_ns() // 1000
        try:
            while not self._is_full if intent is None else reader.position < intent.upto:
                frame = reader.read()
                if frame is None:
                    break
                self._take_frame(frame, rejected, stored_us)
            if len(batch):
                token = self._declare(reader.position)
                self._settle(reader.position)
                self._parts.store.insert_calls(batch, token=token)
                self.feedback += batch.feedback
                self.stored_ns = self._parts.clock.unix_ns()
        except BaseException:  # whatever happened, the range must be read again
            reader.seek(self.cursor.position)
            raise
        if reader.position != self.cursor.position:
            self._advance(reader.position, stored=len(batch), rejected=rejected)

    def _settle(self, upto: Position) -> None:
        if self._charges and self._parts.settler is not None:
            place = Place(self.cursor.salt, upto.records)
            self._parts.settler.settle(self._folder.name, place, self._charges)

    @property
    def _is_full(self) -> bool:
        return len(self._batch) >= BATCH_RECORDS or self._batch.size >= BATCH_BYTES

    def _declare(self, upto: Position) -> str:
        """Write down which range is being stored, unless that has been done, and return its token."""
        if self.cursor.intent is None:
            token = f"{self._folder.name}:{self.cursor.salt}:{self.cursor.position.offset}-{upto.offset}"
            cursor = msgspec.structs.replace(self.cursor, intent=Intent(upto, token))
            cursors.save(self._folder, cursor)
            self.cursor = cursor
            return token
        return self.cursor.intent.token

    def _advance(self, position: Position, *, rejected: Counter[str], stored: int = 0) -> None:
        cursor = Cursor(
            salt=self.cursor.salt,
            position=position,
            stored=self.cursor.stored + stored,
            rejected=dict(Counter(self.cursor.rejected) + rejected),
        )
        cursors.save(self._folder, cursor)
        self.cursor = cursor

    def _take_frame(self, frame: Frame, rejected: Counter[str], stored_us: int) -> None:
        """Put the records of a frame where they belong: into the batch, or among the rejected."""
        kept: list[Record] = []
        if frame.damage:
            _log.error("in the spool of %s: %s", self._folder.name, frame.damage)
            if frame.lost_records is None:
                rejected["damaged_segment"] += 1
            elif frame.lost_records:
                rejected["damaged_frame"] += frame.lost_records
            if frame.raw:
                kept.append(Record(DAMAGED_FRAME, frame.raw))
        for record in frame.damaged_records:
            rejected["damaged_record"] += 1
            kept.append(record)
        for record in frame.records:
            if reason := self._take(record, frame.after, stored_us, rejected):
                rejected[reason] += 1
                kept.append(record)
        if kept:
            self._parts.rejected.keep(kept)

    def _take(self, record: Record, after: Position, stored_us: int, rejected: Counter[str]) -> str:
        """Take one record; return why that cannot be done, or nothing."""
        try:
            if record.kind == CALL_RECORD:
                call = self._decode_call(record.payload)
                priced = add_call(self._batch, call, self._parts.pricer, stored_us=stored_us)
                if call.charges:
                    self._charges += charges_of(call, priced, records=after.records)
                self.newest_ns = max(self.newest_ns, call.started_ns + int(call.duration_ms * 1e6))
            elif record.kind == FEEDBACK_RECORD:
                add_feedback(self._batch, self._decode_feedback(record.payload), stored_us=stored_us)
            elif record.kind == LOSS_RECORD:
                loss = self._decode_loss(record.payload)
                rejected[loss.reason] += loss.records
            else:
                return "unknown_kind"
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            _log.error("a record of %d bytes cannot be read: %s", len(record.payload), error)
            return "undecodable"
        return ""

    def _delete(self, reader: SegmentReader) -> None:
        torn_bytes = reader.size() - reader.position.offset
        if torn_bytes:
            _log.warning(
                "the writer of segment %s of %s ended inside a frame; its last %d bytes were never acknowledged",
                reader.path.name,
                self._folder.name,
                torn_bytes,
            )
        self.close()
        reader.path.unlink()
