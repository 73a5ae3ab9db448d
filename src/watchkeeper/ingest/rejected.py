"""Keeps what could not be stored, sealed as it was, for somebody to look at."""

import contextlib
import logging
from pathlib import Path

from watchkeeper.core.clock import Clock
from watchkeeper.spool.log import SegmentLog
from watchkeeper.spool.segment import SUFFIX, Record

NAME = "rejected"
"""Folder beside those of the workers."""
BYTES_MAX = 1 << 30
"""Kept at most; what comes later is counted and forgotten."""
SEGMENT_BYTES_MAX = 16 << 20
DAMAGED_FRAME = 255
"""Kind under which the bytes of a frame that cannot be opened are kept."""

_log = logging.getLogger("watchkeeper.ingest")


class RejectedRecords:
    """A spool of its own for records that were refused, and a place for segments that cannot be read at all."""

    def __init__(self, spool: Path, spool_key: bytes, clock: Clock) -> None:
        self._folder = spool / NAME
        self._log = SegmentLog(
            self._folder,
            spool_key,
            segment_bytes_max=SEGMENT_BYTES_MAX,
            folder_bytes_max=BYTES_MAX,
            unix_ns=clock.unix_ns,
        )
        self._is_prepared = False

    def keep(self, records: list[Record]) -> None:
        """Keep records as they are, as far as there is room."""
        try:
            if not self._is_prepared:
                self._log.prepare()
                self._is_prepared = True
            self._log.append(records)
        except OSError as error:
            _log.error("%d rejected records cannot be kept and are gone: %s", len(records), error)

    def keep_segment(self, path: Path) -> None:
        """Move a segment that cannot be read out of the way; delete it if there is no room."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        held = sum(found.stat().st_size for found in self._folder.iterdir())
        if held + path.stat().st_size > BYTES_MAX:
            _log.error("the unreadable segment %s cannot be kept and is gone: %s is full", path, self._folder)
            path.unlink()
            return
        path.rename(self._folder / f"{path.parent.name}-{path.stem}{SUFFIX}.unreadable")

    def close(self) -> None:
        """Finish the segment under way."""
        with contextlib.suppress(OSError):  # It reads like one whose writer was killed.
            self._log.finish()
