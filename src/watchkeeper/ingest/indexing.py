"""Takes documents into an index: cuts and embeds those that are new, and makes a version of all of them."""

import asyncio
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from watchkeeper.core.errors import CallerError
from watchkeeper.releases.documents import Document, LeftOut
from watchkeeper.releases.passages import (
    EMBEDDING,
    PASSAGES_MAX,
    VERSION_LETTERS,
    Passage,
    content_hash,
    cut,
    embedded_text,
    method_of,
    set_hash,
)
from watchkeeper.store.indexes import Indexes, IndexVersion, NewDocument, StoredPassage

if TYPE_CHECKING:
    from watchkeeper.releases.embedding import Embedder, Vectors

VERSIONS_MAX = 50
"""Of one collection; each is a file on every host."""
COLLECTIONS_MAX = 200
LEFT_OUT_MAX = 500
"""So many of the files that no document was made of are named with a version."""
CHUNK_PASSAGES = 1_000
"""Embedded and written at once, unless one document has more."""


class IndexRefused(CallerError):
    """No version can be made of these documents; nothing was kept."""

    code = "index_refused"
    http_status = 422


class IndexConflict(CallerError):
    """The version is there with other documents, or there is no room for one more; nothing was kept."""

    code = "index_conflict"
    http_status = 409


class IndexUnknown(CallerError):
    """There is no such collection or version."""

    code = "index_not_found"
    http_status = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWish:
    """What a version is to be made of."""

    collection: str
    documents: Sequence[Document]
    """Their ids differ."""
    left_out: Sequence[LeftOut] = ()
    version: str = ""
    """A name of one's own; empty for one that follows from the content."""
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it."""

    version: IndexVersion
    is_new: bool
    """False where a version of the same content, and name, was there."""
    embedded: int
    """Passages that were embedded; the others were there already."""


@dataclass(frozen=True, slots=True)
class _Cut:
    document: Document
    content: str
    passages: list[Passage] | None
    """None where they are stored."""
    count: int


class Indexing:
    """Builds versions, one after the other, and searches them."""

    def __init__(self) -> None:
        self._building = asyncio.Lock()
        self._embedder: Embedder | None = None

    async def build(self, indexes: Indexes, wish: BuildWish) -> Built:
        """Make a version, or find it made; it is the newest of its collection then.

        Raises:
            IndexRefused: there are no documents, or too many passages.
            IndexConflict: the name belongs to other documents, or there are too many versions.
        """
        if not wish.documents:
            raise IndexRefused(f"There is no document that could be found in {wish.collection!r}; nothing was kept.")
        method = method_of(EMBEDDING)
        async with self._building:
            content, hashes = await asyncio.to_thread(_content_of, wish.documents, method)
            name = wish.version or content[:VERSION_LETTERS]
            versions = await indexes.versions(wish.collection)
            named = next((one for one in versions if one.version == name), None)
            if named is not None and named.content != content:
                raise IndexConflict(
                    f"The version {name!r} of {wish.collection!r} has other documents, and what a version holds never "
                    "changes; nothing was kept. Choose another name, or none."
                )
            same = named or next((one for one in versions if one.content == content), None)
            if named is None:
                await _require_room(indexes, wish.collection, len(versions))
            if same is not None:
                found = replace(same, version=name, built_at=wish.at, built_by=wish.by)
                await indexes.confirm(found)
                return Built(found, named is None, 0)
            known = await indexes.known(wish.collection, method)
            pieces = await asyncio.to_thread(_cut_all, wish.documents, hashes, known)
            version = _version(wish, name, content, pieces)
            await indexes.add(version, self._chunks(pieces))
            return Built(version, True, sum(one.count for one in pieces if one.passages is not None))

    async def search(
        self, indexes: Indexes, version: IndexVersion, words: str, *, top_k: int, min_score: float
    ) -> list[tuple[StoredPassage, float]]:
        """Return the passages nearest to some words, with the score of each, as the gateway finds them.

        Raises:
            IndexRefused: the version has vectors of another kind.
        """
        if version.embedding != EMBEDDING:
            raise IndexRefused(
                f"The version {version.version!r} was embedded as {version.embedding!r}, which this version of "
                "Watchkeeper does not know. Build the index again."
            )
        question = await asyncio.to_thread(self.embed, [words])
        return await indexes.search(version, question[0].tolist(), limit=top_k, min_score=min_score)

    async def remove(self, indexes: Indexes, version: IndexVersion, *, now: datetime) -> None:
        """Take a version away; one that is being built is finished first."""
        async with self._building:
            await indexes.remove(version, now=now)

    def _chunks(self, pieces: Sequence[_Cut]) -> Iterator[list[NewDocument]]:
        """Embed and yield documents; for a thread."""
        chunk: list[_Cut] = []
        for piece in pieces:
            chunk.append(piece)
            if sum(len(one.passages or ()) for one in chunk) >= CHUNK_PASSAGES or len(chunk) >= CHUNK_PASSAGES:
                yield self._embedded(chunk)
                chunk = []
        if chunk:
            yield self._embedded(chunk)

    def _embedded(self, pieces: Sequence[_Cut]) -> list[NewDocument]:
        texts = [embedded_text(passage) for piece in pieces for passage in piece.passages or ()]
        vectors = iter([vector.tobytes() for vector in self.embed(texts).astype("<f4")] if texts else ())
        return [
            NewDocument(
                piece.document.id,
                piece.content,
                piece.document.title,
                None
                if piece.passages is None
                else [
                    StoredPassage(passage.document, passage.title, passage.text, vector)
                    for passage, vector in zip(piece.passages, itertools.islice(vectors, piece.count), strict=True)
                ],
                piece.count,
            )
            for piece in pieces
        ]

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return a vector of length 1 for each text, in rows."""
        if self._embedder is None:
            from watchkeeper.releases.embedding import Embedder  # 0.4 s and 90 MB; few commands need it

            self._embedder = Embedder()
        return self._embedder.embed(texts)


async def find(indexes: Indexes, collection: str, version: str = "") -> IndexVersion:
    """Return a version; without a name, the newest.

    Raises:
        IndexUnknown: there is none.
    """
    found = await indexes.versions(collection, version)
    if not found:
        named = f"no version {version!r} of the index {collection!r}" if version else f"no index {collection!r}"
        raise IndexUnknown(f"There is {named}. `watchkeeper index list` names what there is.")
    return found[0]


async def _require_room(indexes: Indexes, collection: str, versions: int) -> None:
    if versions >= VERSIONS_MAX:
        raise IndexConflict(
            f"The index {collection!r} has {versions} versions, which is as many as are kept; nothing was kept. "
            "Remove one that no release names with `watchkeeper index remove`."
        )
    if not versions and len({one.collection for one in await indexes.versions()}) >= COLLECTIONS_MAX:
        raise IndexConflict(f"There are {COLLECTIONS_MAX} indexes, which is as many as are kept. Remove one first.")


def _content_of(documents: Sequence[Document], method: str) -> tuple[str, list[str]]:
    hashes = [content_hash(document) for document in documents]
    return set_hash(zip((document.id for document in documents), hashes, strict=True), method), hashes


def _cut_all(documents: Sequence[Document], hashes: Sequence[str], known: Mapping[tuple[str, str], int]) -> list[_Cut]:
    found: list[_Cut] = []
    total = 0
    for document, content in sorted(zip(documents, hashes, strict=True), key=lambda pair: pair[0].id):
        count = known.get((document.id, content))
        passages = cut(document) if count is None else None
        found.append(_Cut(document, content, passages, len(passages) if passages is not None else count or 0))
        total += found[-1].count
        if total > PASSAGES_MAX:
            raise IndexRefused(
                f"The documents have more than {PASSAGES_MAX} passages, which is as many as a version may have; "
                "nothing was kept. Make several collections of them."
            )
    return found


def _version(wish: BuildWish, name: str, content: str, pieces: Sequence[_Cut]) -> IndexVersion:
    named = wish.left_out[:LEFT_OUT_MAX]
    return IndexVersion(
        collection=wish.collection,
        version=name,
        content=content,
        build=secrets.token_hex(8),
        embedding=EMBEDDING,
        method=method_of(EMBEDDING),
        documents=len(pieces),
        passages=sum(piece.count for piece in pieces),
        letters=sum(len(document.text) for document in wish.documents),
        left_out_paths=tuple(one.path for one in named),
        left_out_reasons=tuple(one.reason for one in named),
        left_out=len(wish.left_out),
        built_at=wish.at,
        built_by=wish.by,
    )
