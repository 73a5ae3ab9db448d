"""Every token that Anthropic reports is counted once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.dialects.anthropic.replies import read_count
from watchkeeper.gateway.outcome import Answer
from watchkeeper.money.usage import AnthropicUsage, CacheCreation, disjoint_anthropic, from_anthropic, later_anthropic

counts = st.none() | st.integers(min_value=0, max_value=10**9)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"input_tokens": 10, "output_tokens": 4}, Usage(10, output_text=4)),
        ({"input_tokens": 10}, Usage(10)),
        (  # what was cached stands beside the input
            {
                "input_tokens": 3,
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 50,
                "output_tokens": 4,
            },
            Usage(3, 1000, 50, output_text=4),
        ),
        (
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 50,
                "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
                "output_tokens": 4,
            },
            Usage(3, 0, 20, 30, output_text=4),
        ),
        (  # the parts alone
            {"input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 30}},
            Usage(3, 0, 0, 30),
        ),
        (  # parts that are more than their total
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 10,
                "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
            },
            Usage(3, 0, 0, 10),
        ),
        (
            {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5}},
            Usage(3, output_text=4, output_reasoning=5),
        ),
        (
            {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 50}},
            Usage(3, output_reasoning=9),
        ),
        (
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": None,
                "cache_read_input_tokens": None,
                "cache_creation": None,
                "output_tokens": None,
                "output_tokens_details": None,
                "server_tool_use": {"web_search_requests": 1},
                "service_tier": "standard",
            },
            Usage(3, server_tools=1),
        ),
        ({"input_tokens": "12", "output_tokens": 1.0}, Usage(12, output_text=1)),
    ],
)
def test_a_report_is_put_into_buckets(reported: dict[str, object], usage: Usage) -> None:
    assert from_anthropic(json.dumps(reported).encode()) == usage


@pytest.mark.parametrize(
    "reported",
    [
        b'{"input_tokens":-1}',
        b'{"input_tokens":1,"cache_read_input_tokens":-1}',
        b'{"input_tokens":1,"cache_creation_input_tokens":-5}',
        b'{"input_tokens":1,"output_tokens":1000000001}',
        b'{"input_tokens":"many"}',
        b'{"output_tokens":4}',
        b'{"cache_read_input_tokens":4,"output_tokens":4}',
        b"null",
        b"[]",
        b"\xff",
        b"",
        b'{"x":' * 5000,
    ],
)
def test_a_report_that_cannot_be_true_is_no_report(reported: bytes) -> None:
    assert from_anthropic(reported) is None


@given(sent=counts, read=counts, got=counts, short=counts, long=counts, thought=counts)
def test_no_token_is_lost_or_counted_twice(
    sent: int | None, read: int | None, got: int | None, short: int | None, long: int | None, thought: int | None
) -> None:
    written = (short or 0) + (long or 0)
    reported = {
        "input_tokens": sent,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": got,
        "output_tokens_details": {"thinking_tokens": thought},
    }
    usage = from_anthropic(json.dumps(reported).encode())
    if sent is None or written > 10**9:
        assert usage is None
        return
    assert usage is not None and min(astuple(usage)) >= 0
    assert usage.input_tokens == sent + (read or 0) + written
    assert usage.cache_write_1h == (long or 0)
    assert usage.output_tokens == (got or 0)


def test_a_later_report_holds_and_keeps_what_it_leaves_out() -> None:
    begun = AnthropicUsage(10, 50, 7, 1, CacheCreation(20, 30))
    assert disjoint_anthropic(later_anthropic(begun, AnthropicUsage(output_tokens=5))) == Usage(10, 7, 20, 30, 5)
    assert disjoint_anthropic(later_anthropic(begun, AnthropicUsage(12, 50, 9, 5))) == Usage(12, 9, 20, 30, 5)


def test_a_later_report_without_input_does_not_take_it_back() -> None:
    """Some servers count the input only at the start and say 0 at the end."""
    assert disjoint_anthropic(later_anthropic(AnthropicUsage(10, 0, 7, 1), AnthropicUsage(0, 0, 0, 5))) == Usage(
        10, 7, output_text=5
    )


def test_counting_tokens_uses_and_costs_nothing() -> None:
    answer = read_count(200, b'{"input_tokens": 3}')
    assert (type(answer), answer.usage) == (Answer, Usage())
