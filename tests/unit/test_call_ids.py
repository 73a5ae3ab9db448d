"""Call ids sort by time, say when they were made, and never repeat."""

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.core.ids import CALL_ID_LENGTH, CallIds, is_call_id, made_at_ms


class _Held:
    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def unix_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic(self) -> float:
        return self.now_ms / 1000


@given(st.integers(min_value=0, max_value=2**48 - 1))
def test_an_id_carries_its_millisecond(now_ms: int) -> None:
    call_id = CallIds(_Held(now_ms)).next()
    assert len(call_id) == CALL_ID_LENGTH
    assert is_call_id(call_id)
    assert made_at_ms(call_id) == now_ms


def test_ids_sort_by_time_and_differ_within_a_millisecond() -> None:
    clock = _Held(1_795_000_000_000)
    ids = CallIds(clock)
    first = [ids.next() for _ in range(5_000)]
    clock.now_ms += 1
    later = ids.next()
    assert len(set(first)) == len(first)
    assert max(first) < later


def test_two_processes_that_start_alike_make_different_ids() -> None:
    clock = _Held(1)
    assert CallIds(clock).next()[10:18] != CallIds(clock).next()[10:18]


def test_a_counter_that_runs_over_starts_again_inside_its_eight_letters() -> None:
    ids = CallIds(_Held(5), random_bits=lambda bits: 2**bits - 1)
    ids._counter = 32**8 - 2  # the last but one; reaching it by calls would take a trillion of them
    tails = [ids.next()[18:] for _ in range(3)]
    assert tails == ["ZZZZZZZZ", "00000000", "00000001"]


def test_other_texts_are_not_ids() -> None:
    for text in ("", "x" * 26, "0" * 25, "8" + "0" * 25, "0" * 25 + "I", "0" * 25 + "u"):
        assert not is_call_id(text)
