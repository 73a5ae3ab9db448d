"""The thread that empties the spools into the store: every record once, nothing dropped without a name."""

import logging
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchkeeper.core.clock import Clock
from watchkeeper.ingest import rejected
from watchkeeper.ingest.intake import Intake, Parts, Store
from watchkeeper.ingest.pricing import Pricer
from watchkeeper.ingest.rejected import RejectedRecords

PAUSE_S = 0.4
"""Between two looks at the spools. Each look that finds something costs the store three small inserts."""
RETRY_S = 2.0
"""Pause after the store has failed."""

_log = logging.getLogger("watchkeeper.ingest")


class Drain:
    """Empties the spools, in a thread of its own."""

    def __init__(self, spool: Path, key: bytes, store: Store, pricer: Pricer, *, clock: Clock) -> None:
        self._spool = spool
        self._clock = clock
        self._rejected = RejectedRecords(spool, key, clock)
        self._parts = Parts(key=key, store=store, pricer=pricer, rejected=self._rejected, clock=clock)
        self._intakes: dict[str, Intake] = {}
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest")

    def start(self) -> None:
        """Begin to take records in."""
        self._thread.start()

    def stop(self) -> None:
        """Take in what is there and end; what the store refuses now waits in the spool."""
        self._stop.set()
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Let go of all files."""
        for intake in self._intakes.values():
            intake.close()
        self._rejected.close()

    def status(self) -> dict[str, Any]:
        """Tell how ingest is doing.

        `accepted` = `stored` + the sum of `rejected`, counted since the data folder was made; records that a worker
        had to drop are among the rejected. `waiting_bytes` is what the spools hold that is not stored yet, and `lag_s`
        how long ago the newest stored call ended, while something waits.
        """
        intakes = list(self._intakes.values())
        rejections: Counter[str] = Counter()
        for intake in intakes:
            rejections.update(intake.cursor.rejected)
        stored = sum(intake.cursor.stored for intake in intakes)
        waiting_bytes = sum(intake.waiting_bytes() for intake in intakes)
        newest_ns = max((intake.newest_ns for intake in intakes), default=0)
        stored_ns = max((intake.stored_ns for intake in intakes), default=0)
        lag_s = max(0.0, (self._clock.unix_ns() - newest_ns) / 1e9) if waiting_bytes and newest_ns else 0.0
        return {
            "accepted": stored + rejections.total(),
            "stored": stored,
            "rejected": dict(rejections),
            "waiting_bytes": waiting_bytes,
            "lag_s": round(lag_s, 3),
            "last_stored_at": datetime.fromtimestamp(stored_ns / 1e9, UTC).isoformat() if stored_ns else None,
            "trouble": self._trouble or None,
        }

    def step(self) -> int:
        """Take one batch from every spool that holds something; return how many records that were.

        A segment that is stored whole is deleted, which counts as one.
        """
        self._find_workers()
        return sum(intake.step() for intake in self._intakes.values())

    def _find_workers(self) -> None:
        for folder in sorted(self._spool.iterdir()):
            if folder.name not in self._intakes and folder.name != rejected.NAME and folder.is_dir():
                self._intakes[folder.name] = Intake(folder, self._parts)

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            try:
                count = self.step()
                pause_s = 0.0 if any(intake.has_more for intake in self._intakes.values()) else PAUSE_S
                self._trouble = ""
            except Exception as error:  # the store may be away for any reason; records wait in the spool
                self._note_trouble(error)
                count, pause_s = 0, RETRY_S
            if is_last and not count:
                return
            if not is_last:
                self._stop.wait(pause_s)

    def _note_trouble(self, error: Exception) -> None:
        trouble = f"{type(error).__name__}: {error}"[:500]
        if trouble != self._trouble:
            _log.error("records cannot be stored and wait in the spool", exc_info=error)
        self._trouble = trouble
