"""One call costs the same, whoever tells of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from watchkeeper.core.usage import Usage
from watchkeeper.money.book import PriceBook
from watchkeeper.money.emitters import EMITTERS
from watchkeeper.money.genai import installed
from watchkeeper.money.prices import cost_nusd, price
from watchkeeper.money.spans import SpanUsage, usage_of
from watchkeeper.money.usage import TOKENS_MAX, from_anthropic

FIXTURES = Path(__file__).parent / "spans"
"""Spans of the same call of Anthropic's API: 412 tokens of input, 18,000 read from its cache and 2,400 written to it
for five minutes, 731 of output, of which 305 were thought."""
NAMES = sorted(path.stem for path in FIXTURES.glob("*.json"))
TELL_REASONING = {"anthropic_sdk", "litellm", "convention"}
TRUTH = Usage(412, 18_000, 2_400, 0, 426, 305)
MODEL = "claude-sonnet-4-5-20250929"
ANTHROPIC = PriceBook.of(installed()).price_list("anthropic")
AT_NS = 1_767_225_600_000_000_000


def _span(name: str) -> tuple[dict[str, Any], str]:
    found = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return found["attributes"], found["scope"]


def _read(name: str, changes: Mapping[str, Any] | None = None, *, scope: str | None = None) -> SpanUsage:
    attributes, theirs = _span(name)
    return usage_of(attributes | dict(changes or {}), theirs if scope is None else scope)


def _cost(usage: Usage, model: str = MODEL) -> int:
    rates = ANTHROPIC.rates(model, AT_NS)
    assert rates is not None
    found = cost_nusd(usage, rates)
    assert found is not None
    return found


def test_all_seven_and_more_are_there() -> None:
    assert {
        "anthropic_sdk", "pydantic_ai", "langchain", "litellm", "vercel", "traceloop", "openinference",
    } < set(NAMES)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_cached_call_costs_the_same_whoever_tells_of_it(name: str) -> None:
    found = _read(name)
    assert found.usage is not None
    # $3 a million in, $0.30 read, $3.75 written, $15 out
    assert _cost(found.usage, found.model) == 412 * 3_000 + 18_000 * 300 + 2_400 * 3_750 + 731 * 15_000 == 26_601_000
    told = TRUTH if name in TELL_REASONING else replace(TRUTH, output_text=731, output_reasoning=0)
    assert found.usage == told
    assert (found.provider, found.model, found.is_contradictory) == ("anthropic", MODEL, False)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_the_bill_is_the_same(name: str) -> None:
    rates = ANTHROPIC.rates(MODEL, AT_NS)
    assert rates is not None
    found = _read(name).usage
    assert found is not None
    inputs = [line for line in price(found, rates) or [] if not line.bucket.startswith("output")]
    assert inputs == [line for line in price(TRUTH, rates) or [] if not line.bucket.startswith("output")]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_known_by_its_scope_and_most_without_it(name: str) -> None:
    own = name.removesuffix("_5")
    assert _read(name).emitter == own
    if own not in ("anthropic_sdk", "claude_code"):  # nothing but the scope tells these
        assert _read(name, scope="").emitter == own
        assert _read(name, scope="collector").usage == _read(name).usage


def test_the_gateways_own_reading_of_the_same_call_agrees() -> None:
    attributes, _ = _span("anthropic_sdk")
    assert from_anthropic(json.dumps(json.loads(attributes["response_data"])["usage"]).encode()) == TRUTH


def test_writes_for_an_hour_are_told_apart_by_those_who_tell() -> None:
    made = {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 2_000}
    usage = {"input_tokens": 412, "cache_creation_input_tokens": 2_400, "cache_creation": made, "output_tokens": 731}
    details = {"cache_read": 18_000, "cache_creation": 0, **made}
    sent = {"cached_tokens": 18_000, "cache_creation_tokens": 2_400, "cache_creation_token_details": made}
    spans = [
        _read("anthropic_sdk", {"response_data": {"usage": {**usage, "cache_read_input_tokens": 18_000}}}),
        _read("langchain", {"gen_ai.usage.input_token_details": str(details)}),
        _read("langchain", {"gen_ai.usage.input_token_details": json.dumps(details)}),
        _read(
            "litellm",
            {
                "metadata.usage_object": str(
                    {"prompt_tokens": 20_812, "completion_tokens": 731, "prompt_tokens_details": sent}
                )
            },
        ),
        _read("vercel", {"ai.response.providerMetadata": {"anthropic": {"usage": usage}}}),
        _read("vercel_5", {"ai.response.providerMetadata": json.dumps({"anthropic": {"usage": usage}})}),
    ]
    assert {span.usage for span in spans} == {Usage(412, 18_000, 400, 2_000, 731)}
    assert not any(span.is_contradictory for span in spans)


def test_a_span_of_openai_by_vercel_5_counts_the_cached_within() -> None:
    found = usage_of(
        {
            "ai.model.provider": "openai.responses",
            "ai.model.id": "gpt-4o",
            "ai.usage.inputTokens": 1_000,
            "ai.usage.cachedInputTokens": 800,
            "ai.usage.outputTokens": 50,
            "ai.usage.reasoningTokens": 20,
        },
        "ai",
    )
    assert (found.usage, found.provider) == (Usage(200, 800, output_text=30, output_reasoning=20), "openai")


def test_parts_that_exceed_their_total_are_floored_and_flagged() -> None:
    found = _read("pydantic_ai", {"gen_ai.usage.input_tokens": 412})
    assert (found.usage, found.is_contradictory) == (Usage(0, 18_000, 2_400, output_text=731), True)
    found = _read("convention", {"gen_ai.usage.output_tokens": 100})
    assert found.usage is not None
    assert (found.usage.output_text, found.usage.output_reasoning, found.is_contradictory) == (0, 305, True)


@pytest.mark.parametrize(
    "odd", [-5, "-5", 1.5, "many", float("nan"), float("inf"), True, TOKENS_MAX + 1, [], {}], ids=str
)
def test_a_count_that_is_none_is_skipped_and_flagged(odd: Any) -> None:
    found = _read("convention", {"gen_ai.usage.cache_read.input_tokens": odd})
    assert (found.usage, found.is_contradictory) == (Usage(18_412, 0, 2_400, 0, 426, 305), True)


@pytest.mark.parametrize("written", ["18000", 18_000.0, 18_000])
def test_a_whole_number_may_be_written_in_any_way(written: Any) -> None:
    assert _read("convention", {"gen_ai.usage.cache_read.input_tokens": written}).usage == TRUTH


def test_an_unknown_key_of_usage_costs_nothing() -> None:
    others = {"gen_ai.usage.brand_new.tokens": "?", "gen_ai.usage.cost": 1.5, "gen_ai.usage.raw": "{"}
    found = _read("convention", others)
    assert (found.usage, found.is_contradictory) == (TRUTH, False)


@pytest.mark.parametrize(
    ("attributes", "usage"),
    [
        ({}, None),
        ({"gen_ai.usage.output_tokens": 5}, None),
        ({"gen_ai.usage.total_tokens": 5}, None),
        ({"gen_ai.usage.input_tokens": 7}, Usage(7)),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, Usage()),
        ({"gen_ai.usage.total_tokens": 12, "gen_ai.usage.output_tokens": 5}, Usage(7, output_text=5)),
        ({"gen_ai.usage.total_tokens": 12, "gen_ai.usage.input_tokens": 7}, Usage(7, output_text=5)),
        ({"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 5}, Usage(7, output_text=5)),
    ],
    ids=str,
)
def test_a_total_that_is_missing_is_made_of_the_others_or_is_unknown(
    attributes: dict[str, Any], usage: Usage | None
) -> None:
    found = usage_of(attributes)
    assert (found.usage, found.is_contradictory) == (usage, False)


def test_input_of_which_only_the_cached_part_is_told_is_flagged() -> None:
    found = usage_of({"gen_ai.usage.cache_read.input_tokens": 80, "gen_ai.usage.output_tokens": 5})
    assert (found.usage, found.is_contradictory) == (Usage(0, 80, output_text=5), True)


def test_requested_and_answering_model_are_both_kept() -> None:
    found = _read("pydantic_ai")
    assert (found.requested_model, found.responded_model) == ("claude-sonnet-4-5", MODEL)


@pytest.mark.parametrize(("said", "meant"), [("vertex_ai", "gcp.vertex_ai"), ("OpenAI", "openai"), (7, "")])
def test_providers_go_by_their_names_of_today(said: Any, meant: str) -> None:
    assert usage_of({"gen_ai.system": said}).provider == meant


_KEYS = sorted({key for name in NAMES for key in _span(name)[0]} | {"metadata.usage_object", "response_data"})
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(["{", "{'a': 1}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=20), _VALUES, max_size=12),
    st.sampled_from(["", *(scope.rstrip("=") for one in EMITTERS for scope in one.scopes)]),
)
def test_nothing_in_a_span_makes_the_reading_fail(attributes: dict[str, Any], scope: str) -> None:
    found = usage_of(attributes, scope)
    if found.usage is not None:
        assert all(getattr(found.usage, name) >= 0 for name in found.usage.__struct_fields__)
        assert _cost(found.usage) >= 0


@given(
    *(st.integers(0, 100_000) for _ in range(4)),
    st.integers(0, 100_000),
)
def test_no_token_is_lost_or_counted_twice(uncached: int, read: int, written: int, text: int, thought: int) -> None:
    total, got = uncached + read + written, text + thought
    convention = usage_of(
        {
            "gen_ai.usage.input_tokens": total,
            "gen_ai.usage.output_tokens": got,
            "gen_ai.usage.cache_read.input_tokens": read,
            "gen_ai.usage.cache_creation.input_tokens": written,
            "gen_ai.usage.reasoning.output_tokens": thought,
        }
    )
    usage = {"input_tokens": uncached, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    details = {"output_tokens": got, "output_tokens_details": {"thinking_tokens": thought}}
    raw = usage_of({"response_data": {"usage": usage | details}}, "logfire.anthropic")
    assert convention.usage == raw.usage == Usage(uncached, read, written, 0, text, thought)


def test_an_object_too_long_to_be_read_says_nothing() -> None:
    long = "{" + " " * 200_000 + "}"
    assert usage_of({"response_data": long, "gen_ai.usage.input_tokens": 3}, "logfire.anthropic").usage == Usage(3)
