"""What people say of one answer comes to one value, or to the knowledge that nobody can say."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.labelling import SCALES, WORDS_MAX, Answered, Standing, Word, interest, standing

CANNOT = None


def words(*values: float | None) -> list[Word]:
    return [
        Word(f"person-{place}", "cannot_say" if value is None else "label", value) for place, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("said", "wanted", "state", "value"),
    [
        ((), 1, "open", None),
        ((1.0,), 1, "settled", 1.0),
        ((1.0,), 2, "open", None),
        ((1.0, 1.0), 2, "settled", 1.0),
        ((1.0, 0.0), 2, "disputed", None),
        ((1.0, 0.0, 0.0), 2, "settled", 0.0),
        ((0.0, 0.5, 1.0), 2, "settled", 0.5),
        ((CANNOT,), 1, "settled", None),
        ((CANNOT, 1.0), 2, "disputed", None),
        ((CANNOT, 1.0, 0.0), 2, "disputed", None),
        ((CANNOT, 1.0, 0.0, CANNOT), 2, "disputed", None),
        ((CANNOT, 1.0, 0.0, CANNOT, CANNOT), 2, "settled", None),
        ((CANNOT, 1.0, 0.0, CANNOT, 0.5), 2, "settled", None),
    ],
)
def test_what_words_come_to(said: tuple[float | None, ...], wanted: int, state: str, value: float | None) -> None:
    found = standing(words(*said), wanted)
    assert (found.state, found.value) == (state, value)


def test_a_word_that_is_taken_back_was_never_said_but_is_not_forgotten_by_others() -> None:
    said = [Word("ana", "label", 1.0), Word("ben", "label", 0.0), Word("ana", "undo")]
    assert standing(said, 1) == Standing("settled", 0.0, frozenset({"ben"}), 1)
    assert standing([*said, Word("ana", "label", 0.0)], 2).value == 0.0


def test_who_skips_is_not_asked_again_and_says_nothing() -> None:
    found = standing([Word("ana", "skip")], 1)
    assert (found.state, found.spoken, found.words) == ("open", frozenset({"ana"}), 0)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, None]), max_size=WORDS_MAX), st.integers(1, 2))
def test_the_order_in_which_people_speak_changes_nothing(said: list[float | None], wanted: int) -> None:
    outcomes = {
        (found.state, found.value)
        for order in itertools.islice(itertools.permutations(said), 30)
        for found in [standing(words(*order), wanted)]
    }
    assert len(outcomes) == 1


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=WORDS_MAX, max_size=WORDS_MAX + 3))
def test_nobody_is_asked_for_ever(said: list[float | None]) -> None:
    assert standing(words(*said), 2).state == "settled"


def test_every_scale_reaches_from_nothing_to_all_and_has_a_key_for_each_label() -> None:
    for choices in SCALES.values():
        assert {min(one.value for one in choices), max(one.value for one in choices)} == {0.0, 1.0}
        assert len({one.key for one in choices}) == len({one.value for one in choices}) == len(choices)


def test_what_is_in_doubt_is_worth_more_than_what_is_not() -> None:
    plain = interest(Answered(mark=1.0, has_passed=True, threshold=0.5))
    assert plain == 1.0
    near = interest(Answered(mark=0.52, has_passed=True, threshold=0.5))
    torn = interest(Answered(mark=1.0, has_passed=True, others=(0.0,)))
    flipped = interest(Answered(mark=1.0, has_passed=True, has_flipped=True))
    unmeasured = interest(Answered())
    assert min(near, torn, flipped, unmeasured) > 2.0
