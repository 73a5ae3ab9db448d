"""Prometheus text that adds up over workers and stays bounded."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from watchkeeper.core.call import Attempt, Call
from watchkeeper.core.usage import Usage
from watchkeeper.gateway.app import is_from_this_host
from watchkeeper.gateway.exposition import exposition
from watchkeeper.gateway.meters import SERIES_MAX, Meters


def _call(feature: str = "support", **fields: object) -> Call:
    attempt = Attempt(number=1, provider="local", model="m", dialect="openai", started_ms=0)
    values: dict[str, object] = {"attempts": [attempt], "duration_ms": 40.0, "overhead_ms": 0.2, "cost_nusd": 0}
    return Call(id="", started_ns=0, worker="w", feature=feature, route="r", **(values | fields))  # type: ignore[arg-type]


def _samples(*workers: Meters) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition(workers).decode())
        for sample in family.samples
    }


def _total(samples: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return sum(v for (n, found), v in samples.items() if n == name and labels.items() <= dict(found).items())


def test_workers_add_up() -> None:
    one, two = Meters("w0"), Meters("w1")
    one.count(_call(usage=Usage(input_uncached=5, output_text=7), cost_nusd=2_000_000_000, cost_status="measured"))
    two.count(_call(cost_nusd=1_000_000_000, cost_status="estimated", duration_ms=90.0))
    two.count(_call(cost_nusd=None, status="error", error_class="timeout"))
    samples = _samples(one, two)
    assert _total(samples, "watchkeeper_calls_total") == 3
    assert _total(samples, "watchkeeper_calls_total", error_class="timeout") == 1
    assert _total(samples, "watchkeeper_tokens_total", direction="output") == 7
    assert _total(samples, "watchkeeper_cost_usd_total", cost_status="estimated") == 1
    assert _total(samples, "watchkeeper_unpriced_calls_total") == 1
    assert _total(samples, "watchkeeper_call_duration_seconds_count", route="r") == 3
    assert _total(samples, "watchkeeper_call_duration_seconds_bucket", le="0.05") == 2


def test_a_client_that_invents_features_cannot_grow_the_meters_without_end() -> None:
    meters = Meters("w0")
    for number in range(SERIES_MAX + 500):
        meters.count(_call(f"feature-{number}"))
    samples = _samples(meters)
    assert len(meters.series) == SERIES_MAX + 1
    assert _total(samples, "watchkeeper_calls_total") == SERIES_MAX + 500
    assert _total(samples, "watchkeeper_calls_total", feature="other") == 500


def test_hostile_label_values_do_not_break_the_text() -> None:
    meters = Meters("w0")
    meters.count(_call('a"b\\c\nd{}'))
    assert _total(_samples(meters), "watchkeeper_calls_total", feature='a"b\\c\nd{}') == 1


@pytest.mark.parametrize(
    ("peer", "header", "expected"),
    [
        ("127.0.0.1", b"accept", True),
        ("127.3.2.1", b"accept", True),
        ("::1", b"accept", True),
        ("::ffff:127.0.0.1", b"accept", True),
        ("192.168.1.20", b"accept", False),
        ("::ffff:192.168.1.20", b"accept", False),
        ("fe80::1%eth0", b"accept", False),
        ("", b"accept", False),
        ("127.0.0.1", b"x-forwarded-for", False),
        ("127.0.0.1", b"forwarded", False),
        ("::1", b"via", False),
    ],
)
def test_another_host_and_one_behind_a_proxy_are_not_this_host(peer: str, header: bytes, expected: bool) -> None:
    assert is_from_this_host(peer, {header: b"127.0.0.1"}) is expected
