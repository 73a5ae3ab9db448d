"""Writes an index at once."""

from collections.abc import Sequence
from pathlib import Path

from watchkeeper.releases.embedding import Vectors
from watchkeeper.releases.index_file import IndexDraft, IndexName
from watchkeeper.releases.passages import Passage


def write_index(path: Path, key: bytes, name: IndexName, passages: Sequence[Passage], vectors: Vectors) -> None:
    draft = IndexDraft()
    for passage, vector in zip(passages, vectors, strict=True):
        draft.add(passage, vector.astype("<f4").tobytes())
    draft.write(path, key, name)
