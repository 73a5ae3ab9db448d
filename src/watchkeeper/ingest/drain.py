"""The thread that empties the spools into the store: every record once, nothing dropped without a name."""

import logging
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from watchkeeper.core.clock import Clock
from watchkeeper.ingest import rejected
from watchkeeper.ingest.intake import Intake, Parts, Store
from watchkeeper.ingest.pricing import Pricer
from watchkeeper.ingest.rejected import RejectedRecords
from watchkeeper.ingest.settling import Settler
from watchkeeper.spool.reader import segments_of
from watchkeeper.spool.segment import HEADER_BYTES, SegmentDamaged, created_ns_of

PAUSE_S = 0.4
"""Between two looks at the spools. Each look that finds something costs the store three small inserts."""
RETRY_S = 2.0
"""Pause before a spool is tried again that could not be taken in."""
NO_SPOOLS = frozenset({rejected.NAME, "lost+found"})
"""Folders beside those of the workers; the latter is in the root of many a mounted disk."""
WHOLE = ""
"""In the place of a worker's name: what is wrong with the folder of all spools."""

_log = logging.getLogger("watchkeeper.ingest")


class _Trouble(NamedTuple):
    text: str
    again_at: float
    """Monotonic time before which it is not tried again."""


class Drain:
    """Empties the spools, in a thread of its own."""

    def __init__(
        self,
        spool: Path,
        key: bytes,
        store: Store,
        pricer: Pricer,
        *,
        clock: Clock,
        settler: Settler | None = None,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._rejected = RejectedRecords(spool, key, clock)
        self._parts = Parts(key=key, store=store, pricer=pricer, rejected=self._rejected, clock=clock, settler=settler)
        self._intakes: dict[str, Intake] = {}
        self._troubles: dict[str, _Trouble] = {}
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
        how long ago the newest stored call ended, while something waits. `trouble` names the spools that cannot be
        taken in, unless that is all of them.
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
            "trouble": self._trouble() or None,
        }

    def is_drained(self, worker: str, *, before_ns: int) -> bool:
        """Tell whether no segment of a worker is left that was begun before a Unix time; for any thread."""
        for path in segments_of(self._spool / worker):
            try:
                with path.open("rb") as file:
                    if created_ns_of(file.read(HEADER_BYTES)) < before_ns:
                        return False
            except FileNotFoundError:  # taken in and deleted in this moment
                continue
            except (OSError, SegmentDamaged):  # `step` meets it as well
                return False
        return True

    def feedback(self) -> int:
        """Return how much feedback this process has stored; for any thread."""
        return sum(intake.feedback for intake in list(self._intakes.values()))

    def taken_in_ns(self, worker: str) -> int:
        """Return a Unix time before which all that a worker had written is stored; 0 when nobody can tell."""
        intake = self._intakes.get(worker)
        return intake.taken_in_ns if intake is not None else 0

    def step(self) -> int:
        """Take one batch from every spool that holds something; return how many records that were.

        A segment that is stored whole is deleted, which counts as one. A spool that cannot be taken in is named by
        `status` and rests for a while; the others go on.
        """
        count = 0
        for name in self._find_workers():
            known = self._troubles.get(name)
            if known is not None and self._clock.monotonic() < known.again_at:
                continue
            try:
                count += self._intake(name).step()
            except Exception as error:  # the store may be away for any reason, or this spool spoilt; its records wait
                self._note_trouble(name, error)
            else:
                self._troubles.pop(name, None)
        return count

    def _find_workers(self) -> list[str]:
        names = set(self._intakes)
        try:
            names |= {folder.name for folder in self._spool.iterdir() if folder.is_dir()} - NO_SPOOLS
        except OSError as error:
            self._note_trouble(WHOLE, error)
            return sorted(names)
        for gone in self._troubles.keys() - names:
            del self._troubles[gone]
        return sorted(names)

    def _intake(self, name: str) -> Intake:
        if name not in self._intakes:
            self._intakes[name] = Intake(self._spool / name, self._parts)
        return self._intakes[name]

    def _run(self) -> None:
        while True:
            is_last = self._stop.is_set()
            count = self.step()
            if is_last and not count:
                return
            if not is_last:
                self._stop.wait(0.0 if any(intake.has_more for intake in self._intakes.values()) else PAUSE_S)

    def _note_trouble(self, name: str, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"[:500]
        if all(text != known.text for known in self._troubles.values()):
            _log.error("records cannot be stored and wait in the spool: %s", name or "all", exc_info=error)
        self._troubles[name] = _Trouble(text, self._clock.monotonic() + RETRY_S)

    def _trouble(self) -> str:
        """Say each trouble once, for any thread."""
        workers = set(self._intakes)
        names_of: dict[str, list[str]] = {}
        for name, trouble in sorted(dict(self._troubles).items()):
            names_of.setdefault(trouble.text, []).append(name)
        told = []
        for text, names in names_of.items():
            is_everywhere = WHOLE in names or (workers and workers.issubset(names))
            told.append(text if is_everywhere else f"the spool of {', '.join(names)}: {text}")
        return "; ".join(told)
