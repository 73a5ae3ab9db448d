"""An index as a file: found is what is nearest, and a file that was changed is not used."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.retrieval.written import write_index

from watchkeeper.releases.embedding import DIMENSIONS, Embedder, Vectors
from watchkeeper.releases.index_file import Index, IndexDamaged, IndexName
from watchkeeper.releases.passages import Passage

KEY = bytes(range(32))
NAME = IndexName("kb", "v1", "c", "e")


def passages(count: int) -> list[Passage]:
    return [Passage(f"d{number}", f"T{number}", f"text {number} ü") for number in range(count)]


def unit(rows: list[list[float]]) -> Vectors:
    found = np.array(rows, np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def written(path: Path, vectors: Vectors) -> Path:
    write_index(path, KEY, NAME, passages(len(vectors)), vectors)
    return path


@given(
    rows=st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3).filter(any), min_size=1, max_size=30),
    question=st.lists(st.integers(-3, 3), min_size=3, max_size=3).filter(any),
    top_k=st.integers(1, 40),
    min_score=st.sampled_from([-1.0, 0.0, 0.5, 0.99]),
)
@settings(max_examples=200)
def test_found_is_what_a_plain_search_finds(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[float]],
    question: list[float],
    top_k: int,
    min_score: float,
) -> None:
    path = written(tmp_path_factory.getbasetemp() / "index", unit(rows))
    asked = unit([question])[0]
    scores = unit(rows) @ asked
    expected = sorted(range(len(rows)), key=lambda place: (-scores[place], place))[:top_k]
    found = Index.open(path, KEY).search(asked, top_k=top_k, min_score=min_score)
    assert [match.passage.document for match in found] == [
        f"d{place}" for place in expected if scores[place] >= np.float32(min_score)
    ]


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    index = Index.open(written(tmp_path / "v1", unit([[1, 2], [2, 1]])), KEY)
    assert (index.name, len(index)) == (NAME, 2)
    assert index.search(unit([[1, 2]])[0], top_k=1, min_score=0)[0].passage == Passage("d0", "T0", "text 0 ü")
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_question_without_a_known_word_finds_nothing(tmp_path: Path) -> None:
    index = Index.open(written(tmp_path / "v1", unit([[1, 2]])), KEY)
    assert index.search(np.zeros(2, np.float32), top_k=5, min_score=-1.0) == []


def test_an_index_without_passages_finds_nothing(tmp_path: Path) -> None:
    index = Index.open(written(tmp_path / "v1", np.zeros((0, 2), np.float32)), KEY)
    assert index.search(unit([[1, 2]])[0], top_k=5, min_score=-1.0) == []


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "v1", unit([[1, 2], [2, 1]]))
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(IndexDamaged):
            Index.open(path, KEY)
    for end in (0, 10, 56, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(IndexDamaged):
            Index.open(path, KEY)
    path.write_bytes(data)
    with pytest.raises(IndexDamaged):
        Index.open(path, bytes(32))
    assert len(Index.open(path, KEY)) == 2


def test_a_mapped_index_serves_on_when_its_file_is_replaced_or_removed(tmp_path: Path) -> None:
    path = written(tmp_path / "v1", unit([[1, 2], [2, 1]]))
    index = Index.open(path, KEY)
    written(path, unit([[5, 1]]))
    path.unlink()
    assert index.search(unit([[1, 2]])[0], top_k=1, min_score=0)[0].passage.document == "d0"


def test_vectors_of_like_texts_are_near() -> None:
    embedder = Embedder()
    near, also_near, far, none = embedder.embed(["reset a password", "change my password", "grilled fish", ""])
    assert near.shape == (DIMENSIONS,)
    assert np.linalg.norm(near) == pytest.approx(1.0)
    assert near @ also_near > near @ far + 0.2
    assert not none.any() or np.linalg.norm(none) == pytest.approx(1.0)
    assert embedder.embed([]).shape == (0, DIMENSIONS)
