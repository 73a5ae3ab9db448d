"""Scorers that compare an answer with a reference text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.scorers.asked import mark_of, scorer_of

from watchkeeper.evals.scorers import ngrams
from watchkeeper.evals.scorers.ngrams import words_of

TEXT_TYPES = ("levenshtein", "rouge", "bleu", "gleu", "meteor")
WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "dogs", "dog"]), max_size=12)


def plain(word: str) -> str:
    return word


def stem(word: str) -> str:
    return word.removesuffix("s")


def test_rouge_counts_as_in_its_paper() -> None:
    """Lin 2004, 3.1: against `police killed the gunman`."""
    reference = words_of("police killed the gunman")
    second, third = words_of("police kill the gunman"), words_of("the gunman kill police")
    assert ngrams.rouge_l(second, reference).f1 == pytest.approx(0.75)
    assert ngrams.rouge_l(third, reference).f1 == pytest.approx(0.5)
    assert ngrams.rouge_n(second, reference, 2) == ngrams.rouge_n(third, reference, 2)
    assert ngrams.rouge_n(second, reference, 2).recall == pytest.approx(1 / 3)


def test_bleu_counts_a_word_as_often_as_a_reference_has_it() -> None:
    """Papineni et al. 2002, 2.1: `the` seven times has a precision of 2/7."""
    references = [words_of("the cat is on the mat"), words_of("there is a cat on the mat")]
    one_word = ["the"] * 7
    expected = ((2 / 7) * (1 / 2 / 6) * (1 / 4 / 5) * (1 / 8 / 4)) ** 0.25
    assert ngrams.bleu(one_word, references) == pytest.approx(expected)


def test_bleu_is_less_for_a_short_answer() -> None:
    reference = words_of("a b c d e f g h")
    assert ngrams.bleu(reference[:4], [reference]) == pytest.approx(2.718281828 ** (1 - 8 / 4))


def test_gleu_is_the_smaller_of_precision_and_recall() -> None:
    assert ngrams.gleu(words_of("the cat"), words_of("the cat sat")) == pytest.approx(3 / 6)
    assert ngrams.gleu(words_of("the cat sat"), words_of("the cat")) == pytest.approx(3 / 6)


def test_meteor_counts_chunks_as_in_its_paper() -> None:
    """Banerjee and Lavie 2005, 2.2: six of seven words in two chunks."""
    answer = words_of("the president spoke to the audience")
    reference = words_of("the president then spoke to the audience")
    mean = 10 * 1 * (6 / 7) / (6 / 7 + 9)
    assert ngrams.meteor(answer, reference, plain) == pytest.approx(mean * (1 - 0.5 * (2 / 6) ** 3))


def test_meteor_takes_stems_where_words_differ() -> None:
    assert ngrams.meteor(["dogs"], ["dog"], plain) == 0
    assert ngrams.meteor(["dogs"], ["dog"], stem) == 1


@given(WORDS, WORDS)
def test_figures_lie_between_0_and_1(answer: list[str], reference: list[str]) -> None:
    found = [ngrams.rouge_l(answer, reference).f1, ngrams.gleu(answer, reference), ngrams.bleu(answer, [reference])]
    found += [ngrams.rouge_n(answer, reference, order).f1 for order in (1, 2)]
    found.append(ngrams.meteor(answer, reference, stem))
    assert all(0 <= one <= 1 + 1e-12 for one in found)


@given(WORDS.filter(bool))
def test_a_text_agrees_with_itself(words: list[str]) -> None:
    found = [ngrams.rouge_l(words, words).f1, ngrams.gleu(words, words), ngrams.bleu(words, [words])]
    found += [ngrams.rouge_n(words, words, 1).f1, ngrams.meteor(words, words, stem)]
    assert found == [pytest.approx(1)] * 5


@given(WORDS.filter(bool), WORDS.filter(bool))
def test_each_word_is_paired_once_for_meteor(answer: list[str], reference: list[str]) -> None:
    """With all words paired that can be, precision and recall count the smaller number of each."""
    shared = sum(min(answer.count(word), reference.count(word)) for word in set(answer))
    score = ngrams.meteor(answer, reference, plain)
    if not shared:
        assert score == 0
        return
    precision, recall = shared / len(answer), shared / len(reference)
    mean = 10 * precision * recall / (recall + 9 * precision)
    assert 0.5 * mean - 1e-12 <= score <= mean + 1e-12


def test_words_of_scripts_without_blanks_are_letters() -> None:
    assert words_of("Ein Haus, ein HAUS") == ["ein", "haus", "ein", "haus"]
    assert words_of("東京は大きい") == list("東京は大きい")


@pytest.mark.parametrize("type_", TEXT_TYPES)
def test_the_nearest_of_several_references_counts(type_: str) -> None:
    scorer = scorer_of(type_, ["something else altogether here", "the cat sat on the mat"])
    assert mark_of(scorer, "the cat sat on the mat").score == pytest.approx(1)


@pytest.mark.parametrize("type_", TEXT_TYPES)
def test_an_empty_answer_has_nothing_in_common(type_: str) -> None:
    mark = mark_of(scorer_of(type_, "the cat sat"), "")
    assert (mark.status, mark.score) == ("failed", 0)


@pytest.mark.parametrize("type_", [*TEXT_TYPES, "similar"])
def test_without_a_reference_nobody_knows(type_: str) -> None:
    assert mark_of(scorer_of(type_), "the cat sat").status == "unmeasured"


def test_edits_may_be_limited_by_their_number() -> None:
    scorer = scorer_of("levenshtein", "kitten", options={"max_distance": 3})
    near, far = mark_of(scorer, "sitting"), mark_of(scorer, "sittings")
    assert (near.status, near.detail) == ("passed", {"edits": 3})
    assert near.score == pytest.approx(4 / 7)
    assert far.status == "failed"


def test_rouge_knows_its_variants() -> None:
    def score(**options: str) -> float | None:
        return mark_of(scorer_of("rouge", "a b c d", options=options), "b a").score

    assert score(variant="1", measure="precision") == 1
    assert score(variant="1", measure="recall") == 0.5
    assert score(variant="2") == 0
    assert score() == pytest.approx(1 / 3)


def test_texts_that_mean_the_same_are_similar() -> None:
    near = mark_of(scorer_of("similar", "The weather is nice today."), "It is lovely weather today.")
    far = mark_of(scorer_of("similar", "The weather is nice today."), "Quarterly revenue fell.")
    same = mark_of(scorer_of("similar", "The weather is nice today."), "The weather is nice today.")
    assert near.score is not None and far.score is not None
    assert near.score > far.score + 0.2
    assert same.score == pytest.approx(1)
