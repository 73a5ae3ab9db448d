"""A keeper that kills itself at one point of its work: `python -m tests.integration.ingest.killed_keeper DATA POINT`.

Points are counted over everything that touches the disk: each write of the cursor and each insert into a table, before
it and after it. A keeper whose point is never reached, such as 0, stores all that there is and ends.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchkeeper.core.clock import SystemClock
from watchkeeper.ingest import cursor, intake
from watchkeeper.ingest.drain import Drain
from watchkeeper.ingest.pricing import BookPricer, Terms
from watchkeeper.store.analytics import AnalyticsStore

KEY = bytes(range(32))


class DeadlyPoints:
    """Counts down; at zero the process is gone, as a power cut would have it."""

    def __init__(self, left: int) -> None:
        self._left = left

    def around(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function that passes one point before and one after its work."""

        def between(*arguments: Any, **options: Any) -> Any:
            self._pass()
            result = work(*arguments, **options)
            self._pass()
            return result

        return between

    def _pass(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(data: Path, point: int) -> None:
    """Drain the spool of a data folder; die at the point."""
    store = AnalyticsStore.open(f"chdb://{data}/analytics")
    points = DeadlyPoints(point)
    cursor.save = points.around(cursor.save)
    AnalyticsStore._insert = points.around(AnalyticsStore._insert)  # type: ignore[method-assign]  # the seam of a test
    intake.BATCH_RECORDS = 40
    drain = Drain(data / "spool", KEY, store, BookPricer(Terms({})), clock=SystemClock())
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    while drain.step():
        pass
    trouble = drain.status()["trouble"]
    drain.close()
    store.close()
    if trouble:
        sys.exit(trouble)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
