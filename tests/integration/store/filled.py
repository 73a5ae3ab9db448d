"""Stores filled with made-up calls."""

from datetime import UTC, datetime, timedelta

from watchkeeper.core.call import Call
from watchkeeper.ingest.pricing import Priced, as_booked
from watchkeeper.ingest.rows import add_call
from watchkeeper.store.batch import CallBatch
from watchkeeper.testing.builders import START_NS

COUNT = 1_500
LENGTH_S = 6 * 3600.0
START = datetime.fromtimestamp(START_NS / 1e9, UTC)
END = START + timedelta(seconds=LENGTH_S)


class AsBooked:
    """Leaves the price that the gateway booked."""

    def price(self, call: Call) -> Priced:
        return as_booked(call)


def batch_of(calls: list[Call], *, stored_us: int = START_NS // 1000) -> CallBatch:
    """Make the rows of calls."""
    batch = CallBatch()
    for call in calls:
        add_call(batch, call, AsBooked(), stored_us=stored_us)
    return batch
