"""The counts of all workers of a host as Prometheus text."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from watchkeeper.core.money import NUSD_PER_USD
from watchkeeper.gateway.meters import DURATION_BOUNDS_MS, OVERHEAD_BOUNDS_MS, Histogram, Meters, Series

_LABELS = ["feature", "route", "provider", "model", "status", "error_class"]
_ROUTE = ["route"]


def exposition(workers: Iterable[Meters]) -> bytes:
    """Add up what all workers counted and write it in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(list(workers)))
    return generate_latest(registry)


class _Families:
    def __init__(self, workers: list[Meters]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        added: dict[tuple[str, ...], Series] = {}
        routes: dict[str, Series] = {}
        for worker in self._workers:
            for labels, series in worker.series.items():
                _add(added.setdefault(labels, Series()), series)
                _add(routes.setdefault(labels[1], Series()), series)
        yield from _per_series(added)
        yield from _per_route(routes)
        yield from self._process_figures()

    def _process_figures(self) -> Iterator[Metric]:
        names = sorted({name for worker in self._workers for name in worker.gauges})
        for name in names:
            gauge = GaugeMetricFamily(f"watchkeeper_{name}", name.replace("_", " "), labels=["worker"])
            for worker in self._workers:
                gauge.add_metric([worker.worker], worker.gauges.get(name, 0.0))
            yield gauge
        for name in sorted({name for worker in self._workers for name in worker.counters}):
            total = sum(worker.counters.get(name, 0.0) for worker in self._workers)
            yield CounterMetricFamily(f"watchkeeper_{name}", name.replace("_", " "), value=total)


def _add(into: Series, more: Series) -> None:
    for name in ("duration_ms", "first_token_ms", "overhead_ms"):
        mine: Histogram = getattr(into, name)
        theirs: Histogram = getattr(more, name)
        mine.counts = [a + b for a, b in zip(mine.counts, theirs.counts, strict=True)]
        mine.total += theirs.total
    for name in ("attempts", "input_tokens", "output_tokens", "measured_nusd", "estimated_nusd", "unpriced_calls"):
        setattr(into, name, getattr(into, name) + getattr(more, name))


def _per_series(added: dict[tuple[str, ...], Series]) -> Iterator[Metric]:
    calls = CounterMetricFamily("watchkeeper_calls", "Finished calls", labels=_LABELS)
    attempts = CounterMetricFamily("watchkeeper_attempts", "Attempts against targets", labels=_LABELS)
    tokens = CounterMetricFamily("watchkeeper_tokens", "Tokens", labels=[*_LABELS, "direction"])
    cost = CounterMetricFamily("watchkeeper_cost_usd", "Cost in US dollars", labels=[*_LABELS, "cost_status"])
    unpriced = CounterMetricFamily("watchkeeper_unpriced_calls", "Calls whose price is unknown", labels=_LABELS)
    for labels, series in added.items():
        calls.add_metric(labels, sum(series.duration_ms.counts))
        attempts.add_metric(labels, series.attempts)
        tokens.add_metric([*labels, "input"], series.input_tokens)
        tokens.add_metric([*labels, "output"], series.output_tokens)
        cost.add_metric([*labels, "measured"], series.measured_nusd / NUSD_PER_USD)
        cost.add_metric([*labels, "estimated"], series.estimated_nusd / NUSD_PER_USD)
        unpriced.add_metric(labels, series.unpriced_calls)
    yield from (calls, attempts, tokens, cost, unpriced)


def _per_route(routes: dict[str, Series]) -> Iterator[Metric]:
    duration = HistogramMetricFamily(
        "watchkeeper_call_duration_seconds", "From first byte in to last byte out", labels=_ROUTE
    )
    first = HistogramMetricFamily(
        "watchkeeper_first_token_seconds", "Until a stream's first byte went out", labels=_ROUTE
    )
    overhead = HistogramMetricFamily("watchkeeper_overhead_seconds", "Time inside the gateway", labels=_ROUTE)
    for route, series in routes.items():
        for family, histogram, bounds in (
            (duration, series.duration_ms, DURATION_BOUNDS_MS),
            (first, series.first_token_ms, DURATION_BOUNDS_MS),
            (overhead, series.overhead_ms, OVERHEAD_BOUNDS_MS),
        ):
            family.add_metric([route], _buckets(histogram, bounds), histogram.total / 1000)
    yield from (duration, first, overhead)


def _buckets(histogram: Histogram, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
    running = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*bounds, None), histogram.counts, strict=True):
        running += count
        buckets.append(("+Inf" if bound is None else str(bound / 1000), running))
    return buckets
