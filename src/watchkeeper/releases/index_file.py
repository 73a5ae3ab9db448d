"""A version of an index as one file, which workers map into memory and share.

    file     = magic (8) | passages (4) | dimensions (4) | bytes of the head (8) | seal (32)
               | head | vectors | places | texts
    head     = an `IndexName` (MessagePack), filled up to a multiple of 64 bytes
    vectors  = passages x dimensions 32-bit floats; each row has the length 1, or is 0
    places   = passages + 1 offsets into the texts (8 bytes each), the last one their end
    texts    = passages (MessagePack), one behind the other

Integers and floats are little-endian. The seal is BLAKE2b over everything else, under a key of the node: a file that
was changed, cut or made elsewhere is not used. It holds texts in clear, as the analytics store does.
"""

import hashlib
import hmac
import itertools
import mmap
import os
import struct
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from watchkeeper.core.errors import OperatorError
from watchkeeper.releases.embedding import Vectors
from watchkeeper.releases.passages import PASSAGES_MAX, Passage, is_index_name

MAGIC = b"wkindex1"
KEY_BYTES = 32
ALIGNED_BYTES = 64
DIMENSIONS_MAX = 4_096

_HEAD = struct.Struct("<8sIIQ32s")
_SEAL = slice(24, 56)

_encode = msgspec.msgpack.Encoder().encode
_decode_passage = msgspec.msgpack.Decoder(Passage).decode


class IndexDamaged(OperatorError):
    """A file is no index of this node; it is written anew from the store when it is deleted."""

    code = "index_damaged"


class IndexName(Struct, frozen=True):
    """Which index a file is."""

    collection: str
    version: str
    content: str
    """Hash of what it holds."""
    embedding: str


class Match(Struct, frozen=True):
    """A passage that was found."""

    passage: Passage
    score: float
    """Cosine of the angle to the question, 1 at most."""


def index_path(folder: Path, collection: str, version: str) -> Path:
    """Return where the file of a version lies below the folder of all indexes; both must be names of indexes."""
    assert is_index_name(collection) and is_index_name(version)
    return folder / collection / version


class IndexDraft:
    """An index that is being put together; it holds what will stand in the file, and no more."""

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self._vectors: list[bytes] = []

    def add(self, passage: Passage, vector: bytes) -> None:
        """Add a passage with its vector: 32-bit floats, of length 1 or 0, as many for each."""
        self._texts.append(_encode(passage))
        self._vectors.append(vector)

    def write(self, path: Path, key: bytes, name: IndexName) -> None:
        """Write a file, or replace it as a whole; afterwards it survives a loss of power.

        Args:
            path: In a folder that exists.
            key: The node's, of 32 bytes.
            name: Of what.
        """
        assert len(self._texts) <= PASSAGES_MAX
        places = np.zeros(len(self._texts) + 1, "<u8")
        np.cumsum([len(text) for text in self._texts], out=places[1:])
        head = _encode(name)
        head += b"\xc0" * (-(_HEAD.size + len(head)) % ALIGNED_BYTES)
        dimensions = len(self._vectors[0]) // 4 if self._vectors else 0
        begin = _HEAD.pack(MAGIC, len(self._texts), dimensions, len(head), bytes(KEY_BYTES))
        seal = hashlib.blake2b(key=key, digest_size=32)
        part_file = path.with_name(f".{path.name}.part")
        with part_file.open("wb") as file:
            for part in itertools.chain((begin, head), self._vectors, (places.tobytes(),), self._texts):
                seal.update(part)
                file.write(part)
            file.seek(_SEAL.start)
            file.write(seal.digest())
            file.flush()
            os.fsync(file.fileno())
        part_file.replace(path)


class Index:
    """A file that is mapped; it may be searched by several threads at once."""

    def __init__(self, data: memoryview, name: IndexName, vectors: Vectors, texts_at: int) -> None:
        self._data = data
        self._vectors = vectors
        self._texts_at = texts_at
        places_at = texts_at - 8 * (len(vectors) + 1)
        self._places = np.frombuffer(data, "<u8", len(vectors) + 1, places_at)
        self.name = name

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self._data)

    @classmethod
    def open(cls, path: Path, key: bytes) -> "Index":
        """Map a file and check its seal: half a second for the largest.

        Raises:
            FileNotFoundError: there is none.
            IndexDamaged: it is not what this node has written.
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size <= _HEAD.size:
                raise _damaged(path)
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        magic, passages, dimensions, head_bytes, seal = _HEAD.unpack(data[: _HEAD.size])
        found = hashlib.blake2b(key=key, digest_size=32)
        found.update(data[: _SEAL.start])
        found.update(bytes(KEY_BYTES))
        found.update(data[_HEAD.size :])
        if magic != MAGIC or not hmac.compare_digest(found.digest(), seal):
            raise _damaged(path)
        vectors_at = _HEAD.size + head_bytes
        vectors = np.frombuffer(data, "<f4", passages * dimensions, vectors_at).reshape(passages, dimensions)
        head = bytes(data[_HEAD.size : vectors_at]).rstrip(b"\xc0")
        name = msgspec.msgpack.decode(head, type=IndexName)
        return cls(data, name, vectors, vectors_at + 4 * passages * dimensions + 8 * (passages + 1))

    def search(self, question: Vectors, *, top_k: int, min_score: float) -> list[Match]:
        """Return the passages nearest to a question, the nearest first; of equals, the earlier in the index.

        Args:
            question: One vector of length 1; one of zeros is near to nothing.
            top_k: At most so many.
            min_score: Less near ones are left out.
        """
        if not len(self) or top_k < 1 or not question.any():
            return []
        scores = self._vectors @ question
        count = min(top_k, len(scores))
        # All that are as near as the last one: which of equals is taken must not be chance.
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        near = np.flatnonzero(scores >= max(float(least), min_score))
        order = near[np.lexsort((near, -scores[near]))][:count]
        return [Match(self._passage(int(place)), min(1.0, float(scores[place]))) for place in order]

    def _passage(self, place: int) -> Passage:
        begin, end = int(self._places[place]), int(self._places[place + 1])
        return _decode_passage(self._data[self._texts_at + begin : self._texts_at + end])


def _damaged(path: Path) -> IndexDamaged:
    return IndexDamaged(
        f"{path} is not an index that this node has written, or was changed since; it is not searched. "
        "Delete it: the keeper writes it anew from the store."
    )
