"""What is estimated for want of a count is estimated as the same model has counted before, and never beyond bounds."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.estimate import ROUGH
from watchkeeper.gateway.ratios import (
    BODY_BYTES_MAX,
    CALLS_BETWEEN,
    EAGER_CALLS,
    LEAST_CALLS,
    LEAST_PER_CHARACTER,
    MOST_PER_CHARACTER,
    TARGETS_MAX,
    Most,
    Ratios,
)
from watchkeeper.gateway.relay import Relay
from watchkeeper.testing import FakeClock

TARGET = "scripted/model"
ANY = Most(1_000_000)


def _asked(text: str, **others: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **others}).encode()


def _said(text: str) -> Relay:
    body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    return cast(Relay, SimpleNamespace(body=[body], body_bytes=len(body), is_stream=False))


def _learned(calls: int, characters: int = 300, tokens: int = 100, **others: Any) -> Ratios:
    known = Ratios(FakeClock())
    for _ in range(calls):
        known.learn(
            TARGET, _asked("x" * characters, **others), _said("y" * characters), Usage(tokens, output_text=tokens)
        )
    return known


def test_nothing_learned_is_four_characters_to_a_token() -> None:
    known = Ratios(FakeClock())
    assert known.per_character(TARGET) == ROUGH
    assert known.estimate(TARGET, _asked("x" * 41), _said("y" * 8), ANY) == Usage(11, output_text=2)


def test_a_few_calls_show_nothing_yet_and_then_they_do() -> None:
    assert _learned(LEAST_CALLS - 1).per_character(TARGET) == ROUGH
    learned = _learned(LEAST_CALLS)
    assert learned.per_character(TARGET) == pytest.approx((1 / 3, 1 / 3))
    assert learned.per_character("scripted/another") == ROUGH


def test_cached_input_is_input() -> None:
    known = Ratios(FakeClock())
    for _ in range(LEAST_CALLS):
        known.learn(TARGET, _asked("x" * 400), _said("y" * 400), Usage(20, 60, 20, 100, output_text=50))
    assert known.per_character(TARGET) == pytest.approx((0.5, 0.125))


def test_a_model_that_changes_its_ways_is_followed() -> None:
    known = _learned(40, tokens=100)
    for _ in range(CALLS_BETWEEN * 200):
        known.learn(TARGET, _asked("x" * 300), _said("y" * 300), Usage(150, output_text=150))
    assert known.per_character(TARGET).input == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    "usage", [Usage(10_000, output_text=10_000), Usage(1, output_text=1), Usage(0, output_text=0)], ids=str
)
def test_what_cannot_be_true_is_not_learned(usage: Usage) -> None:
    known = Ratios(FakeClock())
    for _ in range(LEAST_CALLS * 2):
        known.learn(TARGET, _asked("x" * 300), _said("y" * 300), usage)
    assert known.per_character(TARGET) == ROUGH


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
DOCUMENT = {"type": "document", "source": {"type": "base64", "data": "A" * 4_000}}


@pytest.mark.parametrize("part", [IMAGE, DOCUMENT], ids=["image", "document"])
def test_what_is_no_text_does_not_spoil_what_text_has_shown(part: dict[str, Any]) -> None:
    known = _learned(10)
    body = json.dumps({"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 300}, part]}]}).encode()
    for _ in range(30):
        known.learn(TARGET, body, _said("y" * 300), Usage(500, output_text=100))
    assert known.per_character(TARGET).input == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "usage", [Usage(500, image_in=85), Usage(500, audio_in=40), Usage(500, server_tools=1)], ids=str
)
def test_what_was_counted_beside_the_text_is_not_taken_for_text(usage: Usage) -> None:
    known = _learned(10)
    for _ in range(30):
        known.learn(TARGET, _asked("x" * 300), _said(""), usage)
    assert known.per_character(TARGET).input == pytest.approx(1 / 3)


def test_what_the_upstream_keeps_is_not_taken_for_what_was_sent() -> None:
    assert _learned(30, tokens=500, previous_response_id="resp_1").per_character(TARGET).input == ROUGH.input


def test_hidden_reasoning_is_not_taken_for_what_was_said() -> None:
    known = Ratios(FakeClock())
    for _ in range(30):
        known.learn(TARGET, _asked("x" * 300), _said("y" * 300), Usage(100, output_text=100, output_reasoning=300))
    assert known.per_character(TARGET) == pytest.approx((1 / 3, ROUGH.output))


def test_definitions_of_tools_count_as_long_as_they_are_sent() -> None:
    tool = {"type": "function", "function": {"name": "find", "description": "d" * 600, "parameters": {}}}
    known = Ratios(FakeClock())
    plain = known.estimate(TARGET, _asked("x" * 40), _said(""), ANY)
    assert plain.input_tokens == 10
    assert known.estimate(TARGET, _asked("x" * 40, tools=[tool]), _said(""), ANY).input_tokens > 160


def test_one_long_call_does_not_outweigh_all_others() -> None:
    known = _learned(45, characters=2_000, tokens=500)
    known.learn(TARGET, _asked("x" * 100_000), _said("y"), Usage(180_000))
    assert known.per_character(TARGET).input < 0.7


class Watched:
    """A reply that notes how often it is looked at, and takes its time."""

    is_stream = False
    body_bytes = 2

    def __init__(self, clock: FakeClock, look_s: float = 0.0) -> None:
        self.looks = 0
        self._clock = clock
        self._look_s = look_s

    @property
    def body(self) -> list[bytes]:
        self.looks += 1
        self._clock.advance(self._look_s)
        return [b"{}"]


def _looks(calls: int, look_s: float = 0.0) -> int:
    clock = FakeClock()
    known, reply = Ratios(clock), Watched(clock, look_s)
    for _ in range(calls):
        known.learn(TARGET, _asked("x"), cast(Relay, reply), Usage(1, output_text=1))
    return reply.looks


def test_of_a_known_target_few_calls_are_looked_at() -> None:
    assert _looks(EAGER_CALLS) == EAGER_CALLS
    assert _looks(EAGER_CALLS + 10 * (CALLS_BETWEEN + 1)) == EAGER_CALLS + 10


def test_the_longer_a_look_takes_the_later_comes_the_next() -> None:
    # 400 microseconds at 0.2 for each call are 2,000 calls
    assert _looks(EAGER_CALLS + 3_900, look_s=0.000_4) == EAGER_CALLS + 1
    assert _looks(EAGER_CALLS + 4_100, look_s=0.000_4) == EAGER_CALLS + 2


def test_a_huge_body_is_not_looked_at() -> None:
    known = Ratios(FakeClock())
    for _ in range(10):
        known.learn(TARGET, _asked("x" * BODY_BYTES_MAX), _said("y"), Usage(30_000))
    assert known.per_character(TARGET) == ROUGH


def test_the_table_of_targets_has_an_end() -> None:
    known = _learned(10)
    for number in range(TARGETS_MAX):
        known.learn(f"another/{number}", _asked("x"), _said("y"), Usage(1, output_text=1))
    assert known.per_character(TARGET) == ROUGH


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 9_000), st.integers(0, 9_000)), max_size=60),
    st.text(max_size=200),
    st.text(max_size=200),
    st.integers(0, 400),
    st.integers(0, 60),
)
def test_an_estimate_is_never_more_than_it_can_be(
    calls: list[tuple[int, int, int]], sent: str, said: str, most_in: int, most_out: int
) -> None:
    known = Ratios(FakeClock())
    for characters, tokens_in, tokens_out in calls:
        usage = Usage(tokens_in, output_text=tokens_out)
        known.learn(TARGET, _asked("x" * characters), _said("y" * characters), usage)
    least, most = LEAST_PER_CHARACTER, MOST_PER_CHARACTER
    assert all(least * 0.999 <= one <= most * 1.001 for one in known.per_character(TARGET))
    found = known.estimate(TARGET, _asked(sent), _said(said), Most(most_in, most_out))
    assert 0 <= found.input_tokens <= most_in
    assert 0 <= found.output_tokens <= most_out


def test_what_was_counted_before_a_stream_broke_off_holds_and_what_came_later_is_added() -> None:
    known = Ratios(FakeClock())
    counted = Usage(7, 100, output_text=1)
    assert known.estimate(TARGET, _asked("x"), _said("y" * 40), ANY, counted=counted) == Usage(7, 100, output_text=10)
    enough = Usage(7, output_text=5, output_reasoning=20)
    assert known.estimate(TARGET, _asked("x"), _said("y" * 40), ANY, counted=enough) == enough
