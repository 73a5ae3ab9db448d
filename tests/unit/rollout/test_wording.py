"""Where two answers differ."""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.releases.wording import WORDS_MAX, Passage, differences


def test_what_was_exchanged_stands_between_what_stayed() -> None:
    assert differences("It is on its way.", "It is not here.") == (
        Passage("both", "It is "),
        Passage("first", "on"),
        Passage("second", "not"),
        Passage("both", " "),
        Passage("first", "its way"),
        Passage("second", "here"),
        Passage("both", "."),
    )


@given(first=st.text(max_size=300), second=st.text(max_size=300))
def test_the_passages_make_both_texts_again(first: str, second: str) -> None:
    found = differences(first, second)
    assert "".join(one.text for one in found if one.place != "second") == first
    assert "".join(one.text for one in found if one.place != "first") == second


def test_long_answers_are_compared_by_their_beginning() -> None:
    found = differences("a " * 10_000, "b " * 10_000)
    assert sum(len(one.text) for one in found) <= 4 * WORDS_MAX


def test_answers_that_repeat_themselves_are_compared_in_no_time() -> None:
    begun = process_time()
    differences("a " * 10_000, "b " * 10_000)
    assert process_time() - begun < 2.0  # it takes 0.04 s; a search that starts over after each word took 13 s
