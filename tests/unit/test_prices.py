"""Prices by date, hour and size; bills that add up; nothing unknown that looks free."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.usage import Usage
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import (
    BUCKETS,
    FREE,
    Match,
    ModelPrices,
    PriceList,
    Rate,
    Rates,
    Tier,
    cost_nusd,
    cost_status,
    price,
)
from watchkeeper.money.usage import from_openai

BOOK = PriceBook.of(installed())
counts = st.integers(min_value=0, max_value=10**7)


def _ns(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000_000


def _only_input(rate: Rate) -> tuple[Rate | None, ...]:
    return (rate, *[None] * (len(BUCKETS) - 1))


def _rates(list_name: str, model: str, at_ns: int) -> Rates:
    found = BOOK.price_list(list_name).rates(model, at_ns)
    assert found is not None
    return found


def test_a_known_model_costs_what_its_price_page_says() -> None:
    rates = _rates("openai", "gpt-4o-mini", _ns(2026, 11, 1))
    usage = Usage(input_uncached=1_000_000, cache_read=1_000_000, output_text=500_000, output_reasoning=500_000)
    assert cost_nusd(usage, rates) == Decimal("0.825") * 10**9
    assert rates.source.startswith("genai-prices ")


def test_a_price_that_changed_is_that_of_the_calls_day() -> None:
    for prices in BOOK.price_list("openai").models:
        dated = [row for row in prices.rows if row.valid_from_ns is not None]
        for row in dated:
            assert row.valid_from_ns is not None
            assert row.holds_at(row.valid_from_ns)
            assert not row.holds_at(row.valid_from_ns - 1)
    assert any(row.valid_from_ns for prices in BOOK.price_list("openai").models for row in prices.rows)


@pytest.mark.parametrize(
    ("hour", "minute", "held"),
    [(16, 29, False), (16, 30, True), (23, 0, True), (0, 29, True), (0, 30, False), (12, 0, False)],
)
def test_an_hourly_price_may_run_over_midnight(hour: int, minute: int, held: bool) -> None:
    row = Rates("s", None, (16 * 3600 + 1800, 1800), _only_input(Rate(1)))
    assert row.holds_at(_ns(2026, 11, 1, hour, minute)) is held


@pytest.mark.parametrize(("input_tokens", "nusd"), [(200_000, 200_000), (200_001, 400_002)])
def test_a_long_context_changes_the_rate_of_the_whole_call(input_tokens: int, nusd: int) -> None:
    rates = Rates("s", None, None, _only_input(Rate(10**6, (Tier(200_000, 2 * 10**6),))))
    assert cost_nusd(Usage(input_uncached=input_tokens), rates) == nusd


def test_a_bucket_without_a_rate_leaves_the_call_unpriced() -> None:
    rates = Rates("s", None, None, _only_input(Rate(1)))
    assert cost_nusd(Usage(input_uncached=5), rates) == 0
    assert cost_nusd(Usage(input_uncached=5, output_text=1), rates) is None


def test_an_unknown_model_has_no_price_even_if_its_name_looks_familiar() -> None:
    assert BOOK.price_list("openai").rates("my-gpt-4o-mini", _ns(2026, 11, 1)) is None
    assert BOOK.price_list("openai").rates("claude-sonnet-4-5", _ns(2026, 11, 1)) is None


def test_a_name_longer_than_any_model_s_has_no_price() -> None:
    assert FREE.rates("m" * 300, 0) is not None
    assert FREE.rates("m" * 301, 0) is None


@pytest.mark.parametrize(
    ("day", "usd"), [((2026, 8, 20), "3.5"), ((2026, 8, 21), "2.4"), ((2026, 11, 1), "2.4"), ((2025, 12, 31), "3.5")]
)
def test_a_flagship_costs_less_from_the_day_its_price_was_lowered(day: tuple[int, int, int], usd: str) -> None:
    usage = Usage(input_uncached=100_000, output_text=100_000)
    assert cost_nusd(usage, _rates("openai", "gpt-5.6-sol", _ns(*day))) == Decimal(usd) * 10**9


def test_cached_tokens_are_charged_once_at_their_own_rate() -> None:
    reported = b'{"prompt_tokens":100000,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":80000}}'
    usage = from_openai(reported)
    assert usage is not None
    assert cost_nusd(usage, _rates("openai", "gpt-5.6-sol", _ns(2026, 11, 1))) == 20_000 * 4_000 + 80_000 * 400


def test_free_is_a_price_and_it_is_nothing() -> None:
    rates = FREE.rates("any/model", 0)
    assert rates is not None
    assert cost_nusd(Usage(*[7] * len(BUCKETS)), rates) == 0


@given(st.builds(Usage, *[counts] * len(BUCKETS)))
def test_the_lines_of_a_bill_add_up_and_leave_no_token_out(usage: Usage) -> None:
    rates = _rates("openai", "gpt-5.5", _ns(2026, 11, 1))
    lines = price(usage, rates)
    assert lines is not None
    assert sum(line.units for line in lines) == usage.input_tokens + usage.output_tokens + usage.server_tools
    assert sum(line.nusd for line in lines) == cost_nusd(usage, rates)
    exact = sum((Decimal(line.units) * line.nusd_per_million / 10**6 for line in lines), Decimal())
    assert abs(exact - sum(line.nusd for line in lines)) <= Decimal("0.5") * len(lines)


@pytest.mark.parametrize(
    ("declared", "address", "name"),
    [
        (None, "https://api.openai.com/v1", "openai"),
        (None, "https://mine.openai.azure.com/openai/v1", "azure"),
        (None, "http://127.0.0.1:8081/v1", ""),
        (None, "https://api.openai.com.example.org/v1", ""),
        ("free", "https://api.openai.com/v1", "free"),
        ("groq", "http://127.0.0.1:8081/v1", "groq"),
    ],
)
def test_whose_prices_apply_is_declared_or_follows_from_the_address(
    declared: str | None, address: str, name: str
) -> None:
    assert BOOK.list_name(declared, address) == name


def test_every_list_compiles_and_travels_in_a_snapshot() -> None:
    for name in BOOK.names:
        compiled = BOOK.price_list(name)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(compiled), type=PriceList) == compiled


hours = st.integers(0, 86_399)
moments = st.integers(0, 4 * 10**18)


@given(moments, st.integers(1, 10**18), st.integers(-3, 3))
def test_a_row_holds_from_its_first_nanosecond_and_not_at_its_last(start: int, length: int, beside: int) -> None:
    row = Rates("s", start, None, _only_input(Rate(1)), valid_to_ns=start + length)
    assert row.holds_at(start)
    assert row.holds_at(start + length - 1)
    assert not row.holds_at(start + length)
    assert row.holds_at(start + beside) is (0 <= beside < length)


@given(moments, hours, hours.filter(bool))
def test_two_rows_whose_hours_complete_each_other_leave_no_moment_out(at_ns: int, start: int, length: int) -> None:
    end = (start + length) % 86_400
    day = Rates("s", None, (start, end), _only_input(Rate(1)))
    night = Rates("s", None, (end, start), _only_input(Rate(2)))
    assert day.holds_at(at_ns) is not night.holds_at(at_ns)


def test_a_row_from_another_version_is_refused_and_not_read_as_free() -> None:
    rates = BOOK.price_list("openai").rates("gpt-4o", 0)
    assert rates is not None
    short = msgspec.msgpack.encode([rates.source, None, None, rates.by_bucket[:-1]])
    with pytest.raises(msgspec.ValidationError, match="this version knows"):
        msgspec.msgpack.decode(short, type=Rates)


def test_a_tier_without_a_row_costs_what_is_ordinary_and_the_amount_says_that_it_is_a_guess() -> None:
    prices = ModelPrices(
        Match("contains"),
        (
            Rates("s", None, None, _only_input(Rate(10))),
            Rates("s", 100, None, _only_input(Rate(5)), service_tier="flex"),
        ),
    )
    before, flex, priority = prices.at(99, "flex"), prices.at(100, "flex"), prices.at(100, "priority")
    assert before is prices.rows[0]
    assert flex is prices.rows[1]
    assert priority is prices.rows[0]
    assert cost_status("measured", priority, "priority") == "estimated"
    assert cost_status("measured", flex, "flex") == "measured"
    assert cost_status("measured", prices.rows[0], "scale") == "measured"
    assert cost_status("estimated", flex, "flex") == "estimated"


def test_a_tier_s_row_lies_on_the_dated_row_that_holds() -> None:
    """gpt-5.6-sol became cheaper in August and its batch price is known since October: half of the lower one."""
    batch = (
        _rates("openai", "gpt-5.6-sol", _ns(2026, 11, 1)),
        BOOK.price_list("openai").rates("gpt-5.6-sol", _ns(2026, 11, 1), "batch"),
    )
    assert batch[1] is not None
    assert batch[1].service_tier == "batch"
    ordinary, half = batch[0].by_bucket[0], batch[1].by_bucket[0]
    assert ordinary is not None
    assert half is not None
    assert half.nusd_per_million * 2 == ordinary.nusd_per_million
