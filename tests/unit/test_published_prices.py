"""The arithmetic that providers publish, worked by hand: each figure stands in the comment above it."""

import json
from datetime import UTC, datetime

import pytest

from watchkeeper.core.usage import Usage
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import Rates, cost_nusd, price
from watchkeeper.money.usage import from_anthropic, from_openai, from_responses

BOOK = PriceBook.of(installed())
NUSD = 1_000_000_000


def _rates(price_list: str, model: str, at: datetime, service_tier: str = "") -> Rates:
    found = BOOK.price_list(price_list).rates(model, int(at.timestamp()) * NUSD, service_tier)
    assert found is not None
    return found


NOVEMBER = datetime(2026, 11, 1, 12, tzinfo=UTC)


def _openai(**said: object) -> Usage:
    found = from_openai(json.dumps(said).encode())
    assert found is not None
    return found


def _anthropic(**said: object) -> Usage:
    found = from_anthropic(json.dumps(said).encode())
    assert found is not None
    return found


def test_openai_bills_cached_input_at_its_own_rate_and_only_once() -> None:
    # gpt-5: input $1.25, cached input $0.125, output $10 for a million.
    # (10,000 - 8,192) x 1.25 = 2,260; 8,192 x 0.125 = 1,024; 500 x 10 = 5,000; together 8,284 millionths = $0.008284
    usage = _openai(
        prompt_tokens=10_000, completion_tokens=500, prompt_tokens_details={"cached_tokens": 8_192}, total_tokens=10_500
    )
    assert cost_nusd(usage, _rates("openai", "gpt-5", NOVEMBER)) == 8_284_000


def test_openai_bills_reasoning_as_output() -> None:
    # gpt-5: 1,000 x 1.25 = 1,250; 700 of the 800 output tokens are reasoning, all 800 x 10 = 8,000; $0.00925
    usage = _openai(
        prompt_tokens=1_000,
        completion_tokens=800,
        completion_tokens_details={"reasoning_tokens": 700},
        total_tokens=1_800,
    )
    lines = price(usage, _rates("openai", "gpt-5", NOVEMBER))
    assert lines is not None
    assert [(line.bucket, line.nusd) for line in lines] == [
        ("input_uncached", 1_250_000),
        ("output_text", 1_000_000),
        ("output_reasoning", 7_000_000),
    ]


@pytest.mark.parametrize(
    ("service_tier", "nusd"),
    [
        # gpt-5, 100,000 in and 10,000 out. Ordinary: 100,000 x 1.25 + 10,000 x 10 = 225,000 millionths = $0.225
        ("", 225_000_000),
        # Batch and flex: half, 100,000 x 0.625 + 10,000 x 5 = 112,500 = $0.1125
        ("batch", 112_500_000),
        ("flex", 112_500_000),
        # Priority: double, 100,000 x 2.50 + 10,000 x 20 = 450,000 = $0.45
        ("priority", 450_000_000),
    ],
)
def test_openai_s_service_tiers_have_prices_of_their_own(service_tier: str, nusd: int) -> None:
    usage = _openai(prompt_tokens=100_000, completion_tokens=10_000, total_tokens=110_000)
    assert cost_nusd(usage, _rates("openai", "gpt-5", NOVEMBER, service_tier)) == nusd


def test_anthropic_bills_cache_writes_by_lifetime_and_reads_at_a_tenth() -> None:
    # claude-sonnet-4-5: input $3; a write for 5 minutes 1.25 x = $3.75, for 1 hour 2 x = $6, a read 0.1 x = $0.30;
    # output $15. 1,000 x 3 = 3,000; 2,000 x 3.75 = 7,500; 4,000 x 6 = 24,000; 50,000 x 0.3 = 15,000;
    # 200 x 15 = 3,000; together 52,500 millionths = $0.0525
    usage = _anthropic(
        input_tokens=1_000,
        cache_creation_input_tokens=6_000,
        cache_creation={"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 4_000},
        cache_read_input_tokens=50_000,
        output_tokens=200,
    )
    rates = _rates("anthropic", "claude-sonnet-4-5", NOVEMBER)
    assert cost_nusd(usage, rates) == 52_500_000
    fresh, read, write_5m, write_1h = (rate.nusd_per_million for rate in rates.by_bucket[:4] if rate is not None)
    assert (write_5m * 4, write_1h, read * 10) == (fresh * 5, fresh * 2, fresh)


def test_anthropic_bills_a_search_of_the_web_beside_the_tokens() -> None:
    # claude-sonnet-4-5: $10 for 1,000 searches; 3 searches = $0.03; 1,000 x 3 + 100 x 15 = 4,500 millionths = $0.0045
    usage = _anthropic(input_tokens=1_000, output_tokens=100, server_tool_use={"web_search_requests": 3})
    assert cost_nusd(usage, _rates("anthropic", "claude-sonnet-4-5", NOVEMBER)) == 34_500_000


def test_anthropic_s_batches_cost_half() -> None:
    # claude-sonnet-4-5: 10,000 x 1.50 + 1,000 x 7.50 = 22,500 millionths = $0.0225
    usage = _anthropic(input_tokens=10_000, output_tokens=1_000)
    assert cost_nusd(usage, _rates("anthropic", "claude-sonnet-4-5", NOVEMBER, "batch")) == 22_500_000


@pytest.mark.parametrize(
    ("cached", "fresh", "nusd"),
    [
        # gemini-2.5-pro up to 200,000 tokens of input: $1.25, cached $0.125, output $10.
        # 200,000 x 1.25 + 1,000 x 10 = 260,000 millionths = $0.26
        (0, 200_000, 260_000_000),
        # One token more, and the whole request is dearer: $2.50, cached $0.25, output $15.
        # 200,001 x 2.5 + 1,000 x 15 = 515,002.5 millionths = $0.5150025
        (0, 200_001, 515_002_500),
        # Cached input counts: 150,000 x 0.25 + 50,001 x 2.5 + 1,000 x 15 = 177,502.5 millionths
        (150_000, 50_001, 177_502_500),
    ],
)
def test_gemini_s_long_context_makes_the_whole_request_dearer(cached: int, fresh: int, nusd: int) -> None:
    usage = _openai(
        prompt_tokens=cached + fresh,
        completion_tokens=1_000,
        total_tokens=cached + fresh + 1_000,
        prompt_tokens_details={"cached_tokens": cached},
    )
    assert cost_nusd(usage, _rates("google", "gemini-2.5-pro", NOVEMBER)) == nusd


@pytest.mark.parametrize(
    ("hour", "minute", "nusd"),
    [
        # deepseek-chat from 00:30 to 16:30 UTC: $0.27, cache hit $0.07, output $1.10.
        # A hit replaces the input price: 2,000 x 0.27 + 8,000 x 0.07 + 1,000 x 1.1 = 2,200 millionths = $0.0022
        (0, 30, 2_200_000),
        (16, 29, 2_200_000),
        # At night half: $0.135, $0.035, $0.55. 2,000 x 0.135 + 8,000 x 0.035 + 1,000 x 0.55 = 1,100 = $0.0011
        (16, 30, 1_100_000),
        (0, 29, 1_100_000),
    ],
)
def test_deepseek_s_price_depends_on_the_hour(hour: int, minute: int, nusd: int) -> None:
    usage = _openai(prompt_tokens=10_000, completion_tokens=1_000, total_tokens=11_000, prompt_cache_hit_tokens=8_000)
    assert (
        cost_nusd(usage, _rates("deepseek", "deepseek-chat", datetime(2026, 11, 1, hour, minute, tzinfo=UTC))) == nusd
    )


def test_pictures_are_taken_out_of_the_totals_and_billed_once() -> None:
    usage = from_responses(
        b'{"input_tokens":1000,"output_tokens":500,"input_tokens_details":{"image_tokens":300},'
        b'"output_tokens_details":{"image_tokens":450,"reasoning_tokens":50}}'
    )
    assert usage == Usage(700, output_text=0, output_reasoning=50, image_in=300, image_out=450)
    # gpt-5 has no price for pictures, so they cost what text does: 1,000 x 1.25 + 500 x 10 = 6,250 millionths
    assert cost_nusd(usage, _rates("openai", "gpt-5", NOVEMBER)) == 6_250_000
