"""Every token is counted once, whatever an upstream reports."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.usage import Usage
from watchkeeper.money.usage import from_openai

counts = st.integers(min_value=0, max_value=10**9) | st.none()


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}, Usage(10, output_text=4)),
        ({"prompt_tokens": 10, "total_tokens": 10}, Usage(10)),
        (
            {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}},
            Usage(2, 8, output_text=4),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 2},
            },
            Usage(9, output_text=3, output_reasoning=4, audio_out=2),
        ),
        (
            {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5, "completion_tokens": 0},
            Usage(5, 4),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": None, "cost": 0.1},
            Usage(9, output_text=1),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}},
            Usage(0, 3, output_text=1),
        ),
        ({"prompt_tokens": "12", "completion_tokens": 1.0}, Usage(12, output_text=1)),
        (  # xAI
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, output_text=9, output_reasoning=94),
        ),
        (  # Gemini
            {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 128},
            Usage(8, output_text=20, output_reasoning=100),
        ),
        (  # a total that explains nothing
            {"prompt_tokens": 8, "completion_tokens": 20, "total_tokens": 0},
            Usage(8, output_text=20),
        ),
    ],
)
def test_parts_are_taken_out_of_their_totals(reported: object, usage: Usage) -> None:
    assert from_openai(json.dumps(reported).encode()) == usage


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"completion_tokens":4}',
        b'{"prompt_tokens":-1}',
        b'{"prompt_tokens":{}}',
        b'{"prompt_tokens":1.5}',
        b'{"prompt_tokens":9999999999}',
        b"\xff",
    ],
)
def test_what_cannot_be_read_is_unknown_and_not_zero(raw: bytes) -> None:
    assert from_openai(raw) is None


@given(counts, counts, counts, counts, counts, counts)
def test_the_totals_are_kept_whatever_the_parts_claim(
    prompt: int | None,
    completion: int | None,
    cached: int | None,
    audio: int | None,
    reasoning: int | None,
    spoken: int | None,
) -> None:
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": audio},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": spoken},
    }
    usage = from_openai(json.dumps(raw).encode())
    if prompt is None:
        assert usage is None
        return
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (prompt, completion or 0)
    assert min(usage.input_uncached, usage.cache_read, usage.output_text, usage.output_reasoning) >= 0
