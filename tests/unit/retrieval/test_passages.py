"""Documents are cut so that nothing is lost and nothing is too long."""

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.releases.documents import Document
from watchkeeper.releases.passages import (
    OVERLAP_LETTERS,
    PASSAGE_LETTERS,
    Passage,
    content_hash,
    cut,
    set_hash,
)

WORDS = st.text(st.sampled_from("abcß.!? \n#`é日"), max_size=40)
TEXTS = st.lists(
    WORDS | st.sampled_from(["\n\n", "\n# head\n", "\n## sub\n", "```", "x" * 1_200, "one two. " * 200]), max_size=20
).map("".join)


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\s#]+", text))


@given(TEXTS)
def test_every_word_is_in_a_passage_and_no_passage_is_too_long(text: str) -> None:
    passages = cut(Document("d", "", text))
    assert all(0 < len(passage.text) <= PASSAGE_LETTERS for passage in passages)
    # A word longer than a passage is cut.
    short = {word for word in words(text) if len(word) < PASSAGE_LETTERS - OVERLAP_LETTERS - 2}
    assert short <= set().union(*(words(passage.text) | words(passage.title) for passage in passages))


def test_a_document_is_cut_at_its_headings() -> None:
    text = "Before.\n\n# Returns\n\n## Late\n\nToo late.\n\n## Empty\n# Fees\n\nTwo.\n\n```\n# not a heading\n```\n"
    assert cut(Document("g.md", "Guide", text)) == [
        Passage("g.md", "Guide", "Before."),
        Passage("g.md", "Guide > Returns > Late", "Too late."),
        Passage("g.md", "Guide > Returns > Empty", "Empty"),
        Passage("g.md", "Guide > Fees", "Two.\n\n```\n# not a heading\n```"),
    ]


def test_passages_of_one_section_overlap_at_whole_words() -> None:
    sentences = [f"Sentence number {number} says something." for number in range(100)]
    passages = cut(Document("d", "", " ".join(sentences)))
    assert len(passages) > 3
    for before, after in itertools.pairwise(passages):
        shared = after.text.partition("\n\n")[0]
        assert before.text.endswith(shared) and 0 < len(shared) <= OVERLAP_LETTERS


def test_the_same_documents_have_the_same_version_in_any_order() -> None:
    one, two = Document("a", "A", "x"), Document("b", "B", "y")
    hashes = [(document.id, content_hash(document)) for document in (one, two)]
    version = set_hash(hashes, "e")
    assert set_hash(reversed(hashes), "e") == version
    assert set_hash(hashes, "other") != version
    assert set_hash(hashes[:1], "e") != version
    assert set_hash([("a", hashes[1][1]), ("b", hashes[0][1])], "e") != version
    assert content_hash(Document("a", "A", "x ")) != hashes[0][1] != content_hash(Document("a", "Ax", ""))
