"""Indexes of documents: their versions, and what each of them holds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from watchkeeper.store.batch import Row, Rows
from watchkeeper.store.questions import Parameters, sql


class Ask(Protocol):
    """Answers a question; texts come as bytes where that is wished."""

    async def __call__(self, text: str, values: Parameters, *, as_bytes: bool = False) -> Sequence[Row]:
        """Return the rows."""
        ...


Insert = Callable[[str, Rows, str], Awaitable[None]]
"""Writes rows into a table; a second time under the same token adds nothing."""
Command = Callable[[str, Parameters], Awaitable[None]]

LISTED_MAX = 10_000
CHUNK_PASSAGES = 4_000
"""Read at once: 4 MB of vectors."""
YOUNG = timedelta(hours=1)
"""A build takes less, by far."""
PASSAGE_COLUMNS = (
    "collection", "method", "document", "document_hash", "part", "title", "text", "vector", "added_at",
)  # fmt: skip
DOCUMENT_COLUMNS = ("collection", "build", "document", "document_hash", "title", "passages")
VERSION_COLUMNS = (
    "collection", "version", "content", "build", "embedding", "method", "documents", "passages", "letters",
    "left_out_paths", "left_out_reasons", "left_out", "built_at", "built_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexVersion:
    """A version of a collection; what it holds never changes."""

    collection: str
    version: str
    content: str
    """Hash of its documents and of the way in which they are cut and embedded."""
    build: str
    """Under which its documents are listed."""
    embedding: str
    method: str
    """How its passages were cut and embedded."""
    documents: int
    passages: int
    letters: int
    """Of all documents."""
    left_out_paths: tuple[str, ...]
    left_out_reasons: tuple[str, ...]
    left_out: int
    """How many files no document was made of; as many as fit are named."""
    built_at: datetime
    """When its documents were last found to be these."""
    built_by: str


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its vector."""

    document: str
    title: str
    text: str
    vector: bytes
    """32-bit floats, little-endian."""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document of a version that is being built."""

    id: str
    content: str
    title: str
    passages: Sequence[StoredPassage] | None
    """None where they are stored already."""
    count: int
    """How many it has."""


class Indexes:
    """Keeps versions."""

    def __init__(self, ask: Ask, insert: Insert, command: Command) -> None:
        self._ask = ask
        self._insert = insert
        self._command = command

    async def versions(self, collection: str = "", version: str = "") -> list[IndexVersion]:
        """List versions, the latest built first; of one collection, or of one name."""
        terms = [f"{name} = {{{name}:String}}" for name, value in _named(collection, version).items() if value]
        text = sql("index_versions").format(where=" AND ".join(terms) or "true")
        rows = await self._ask(text, _named(collection, version) | {"limit": LISTED_MAX})
        return [_version(row) for row in rows]

    async def known(self, collection: str, method: str) -> dict[tuple[str, str], int]:
        """Return the documents, by id and content, whose passages are stored, and how many each has."""
        rows = await self._ask(sql("index_known"), {"collection": collection, "method": method})
        return {(str(document), str(content)): int(count) for document, content, count in rows}

    async def add(self, version: IndexVersion, chunks: Iterator[Sequence[NewDocument]]) -> None:
        """Keep a version with its documents, and those of their passages that are new. It is found once all is there.

        Args:
            version: Complete.
            chunks: Read in other threads, one after the other. A document's passages are stored whole or not at all.
        """
        added_us, number = _us(version.built_at), 0
        while chunk := await asyncio.to_thread(next, chunks, None):
            listed, passages = await asyncio.to_thread(_rows, version, chunk, added_us)
            await self._insert("index_passages", passages, f"{version.build}:{number}")
            await self._insert("index_documents", listed, f"{version.build}:{number}")
            number += 1
        await self.confirm(version)

    async def confirm(self, version: IndexVersion) -> None:
        """Say of a version whose documents are stored that it is the latest."""
        row = Rows(VERSION_COLUMNS)
        row.add(tuple(_plain(getattr(version, name)) for name in VERSION_COLUMNS))
        await self._insert("index_versions", row, f"{version.build}:{version.version}:{_us(version.built_at)}")

    async def passages(self, version: IndexVersion) -> AsyncIterator[list[StoredPassage]]:
        """Yield a version's passages in order of their documents, thousands at a time."""
        of = {"collection": version.collection, "build": version.build}
        documents = [(str(row[0]), int(row[3])) for row in await self._ask(sql("index_documents"), of)]
        for first, last in _stretches(documents):
            values = of | {"method": version.method, "first": first, "last": last}
            rows = await self._ask(sql("index_chunk"), values, as_bytes=True)
            yield [
                StoredPassage(document.decode(), title.decode(), text.decode(), vector)
                for document, title, text, vector in rows
            ]

    async def search(
        self, version: IndexVersion, question: Sequence[float], *, limit: int, min_score: float
    ) -> list[tuple[StoredPassage, float]]:
        """Return the passages nearest to a vector, the nearest first, with the cosine of each."""
        values = {
            "collection": version.collection,
            "build": version.build,
            "method": version.method,
            "question": list(question),
            "limit": limit,
            "min_score": min_score,
        }
        rows = await self._ask(sql("index_search"), values)
        return [(StoredPassage(document, title, text, b""), float(score)) for document, title, text, score in rows]

    async def remove(self, version: IndexVersion, *, now: datetime) -> None:
        """Take a version away, and what no other version holds."""
        of = {"collection": version.collection, "version": version.version, "build": version.build}
        await self._command(sql("index_remove_version"), of)
        await self._command(sql("index_remove_documents"), of)
        await self._command(sql("index_remove_passages"), of | {"before": now.astimezone(UTC) - YOUNG})


def _rows(version: IndexVersion, documents: Sequence[NewDocument], added_us: int) -> tuple[Rows, Rows]:
    listed, passages = Rows(DOCUMENT_COLUMNS), Rows(PASSAGE_COLUMNS)
    for document in documents:
        listed.add((version.collection, version.build, document.id, document.content, document.title, document.count))
        for part, one in enumerate(document.passages or ()):
            passages.add(
                (version.collection, version.method, one.document, document.content, part, one.title, one.text,
                 one.vector, added_us)
            )  # fmt: skip
    return listed, passages


def _named(collection: str, version: str) -> Parameters:
    return {"collection": collection, "version": version}


def _version(row: Row) -> IndexVersion:
    values = dict(zip(VERSION_COLUMNS, row, strict=True))
    for name in ("left_out_paths", "left_out_reasons"):
        values[name] = tuple(values[name])
    return IndexVersion(**values)


def _plain(value: Any) -> Any:
    return _us(value) if isinstance(value, datetime) else value


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _stretches(documents: Sequence[tuple[str, int]]) -> list[tuple[str, str]]:
    """Cut a list of documents and their numbers of passages into stretches; return the first and last of each."""
    found: list[tuple[str, str]] = []
    first, count = "", 0
    for id_, passages in documents:
        first = first or id_
        count += passages
        if count >= CHUNK_PASSAGES:
            found.append((first, id_))
            first, count = "", 0
    if first:
        found.append((first, documents[-1][0]))
    return found
