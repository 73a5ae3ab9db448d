"""Counts what a worker does, cheaply; `exposition` turns the counts of all workers into Prometheus text."""

from bisect import bisect_left

from msgspec import Struct, field

from watchkeeper.core.call import Call

SERIES_MAX = 2_000
"""Label combinations counted apart; further ones are counted together under `other`."""

DURATION_BOUNDS_MS = (
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    120000.0,
)
OVERHEAD_BOUNDS_MS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 100.0)

Labels = tuple[str, str, str, str, str, str]
"""Feature, route, provider, model, status, error class."""

_OTHER: Labels = ("other", "other", "other", "other", "other", "other")


class Histogram(Struct, array_like=True, gc=False):
    """How many values fell at or below each bound; the last place counts those above all."""

    counts: list[int]
    total: float = 0.0

    def add(self, bounds: tuple[float, ...], value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(bounds, value)] += 1
        self.total += value


def _durations() -> Histogram:
    return Histogram([0] * (len(DURATION_BOUNDS_MS) + 1))


def _overheads() -> Histogram:
    return Histogram([0] * (len(OVERHEAD_BOUNDS_MS) + 1))


class Series(Struct, array_like=True, gc=False):
    """What is counted for one combination of labels."""

    duration_ms: Histogram = field(default_factory=_durations)
    first_token_ms: Histogram = field(default_factory=_durations)
    overhead_ms: Histogram = field(default_factory=_overheads)
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    measured_nusd: int = 0
    estimated_nusd: int = 0
    unpriced_calls: int = 0


class Meters(Struct, array_like=True):
    """The counts of one worker since it started."""

    worker: str
    series: dict[Labels, Series] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    """Read when the meters are published: connections, calls in flight, spool bytes waiting."""
    counters: dict[str, float] = field(default_factory=dict)
    """Read when the meters are published: totals that other parts of the worker keep."""

    def count(self, call: Call) -> None:
        """Count a finished call."""
        last = call.attempts[-1] if call.attempts else None
        provider, model = (last.provider, last.model) if last else ("", "")
        labels: Labels = (call.feature, call.route, provider, model, call.status, call.error_class)
        series = self.series.get(labels)
        if series is None:
            if len(self.series) >= SERIES_MAX:
                labels = _OTHER
            series = self.series.setdefault(labels, Series())
        series.duration_ms.add(DURATION_BOUNDS_MS, call.duration_ms)
        series.overhead_ms.add(OVERHEAD_BOUNDS_MS, call.overhead_ms)
        if call.first_token_ms is not None:
            series.first_token_ms.add(DURATION_BOUNDS_MS, call.first_token_ms)
        series.attempts += len(call.attempts)
        if call.usage is not None:
            series.input_tokens += call.usage.input_tokens
            series.output_tokens += call.usage.output_tokens
        if call.cost_nusd is None:
            series.unpriced_calls += 1
        elif call.cost_status == "measured":
            series.measured_nusd += call.cost_nusd
        else:
            series.estimated_nusd += call.cost_nusd
