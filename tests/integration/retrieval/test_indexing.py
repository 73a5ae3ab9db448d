"""Documents become versions of an index: named by what they hold, embedded once, found again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.unit.retrieval.written import write_index

from watchkeeper.ingest import indexing
from watchkeeper.ingest.indexing import BuildWish, Built, IndexConflict, Indexing, IndexRefused, IndexUnknown, find
from watchkeeper.releases.documents import Document, LeftOut
from watchkeeper.releases.embedding import DIMENSIONS, Embedder
from watchkeeper.releases.index_file import Index, IndexName
from watchkeeper.releases.passages import Passage, content_hash
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.store.indexes import IndexVersion
from watchkeeper.testing import FakeClock

HOSTILE = "a'b\\\n\"{id:String}ü"
RETURNS = Document("returns.md", "Returns", "Goods can be returned within 30 days of delivery.")
FEES = Document("fees.md", "Fees", "A late payment costs two euros.")
HOURS = Document("hours.md", "Hours", "The shop is open from nine to five, and closed on Sundays.")


@pytest.fixture(scope="module")
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('indexes')}/analytics")
    yield store
    store.close()


class Shelf:
    """A collection of its own for each test."""

    def __init__(self, analytics: AnalyticsStore, name: str) -> None:
        self.clock = FakeClock()
        self.store = analytics.indexes
        self.indexing = Indexing()
        self.name = name

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.unix_ns() / 1e9, UTC)

    async def build(self, *documents: Document, version: str = "", left_out: tuple[LeftOut, ...] = ()) -> Built:
        self.clock.advance(1.0)
        return await self.indexing.build(
            self.store,
            BuildWish(
                collection=self.name, documents=documents, version=version, left_out=left_out, by="ana", at=self.now
            ),
        )

    async def found(self, version: IndexVersion, words: str) -> list[str]:
        return [
            one.document for one, _ in await self.indexing.search(self.store, version, words, top_k=2, min_score=0.1)
        ]

    async def texts(self, version: IndexVersion) -> list[str]:
        return [one.text async for chunk in self.store.passages(version) for one in chunk]


@pytest.fixture
def shelf(analytics: AnalyticsStore, request: pytest.FixtureRequest) -> Shelf:
    return Shelf(analytics, request.node.name)


async def test_what_was_built_is_found(shelf: Shelf) -> None:
    built = await shelf.build(RETURNS, FEES, HOURS, left_out=(LeftOut("a.bin", "is binary"),))
    assert built.is_new and built.embedded == 3
    assert await find(shelf.store, shelf.name) == built.version
    assert (built.version.documents, built.version.passages, built.version.built_by) == (3, 3, "ana")
    assert (built.version.left_out_paths, built.version.left_out_reasons) == (("a.bin",), ("is binary",))
    assert (await shelf.found(built.version, "how do I send something back?"))[0] == "returns.md"
    assert (await shelf.found(built.version, "when are you open?"))[0] == "hours.md"
    assert await shelf.texts(built.version) == [FEES.text, HOURS.text, RETURNS.text]


async def test_the_same_documents_are_the_same_version(shelf: Shelf) -> None:
    first = await shelf.build(RETURNS, FEES)
    again = await shelf.build(FEES, RETURNS)
    assert (again.is_new, again.embedded) == (False, 0)
    assert again.version == replace(first.version, built_at=again.version.built_at)
    assert await shelf.store.versions(shelf.name) == [again.version]


async def test_one_changed_document_makes_a_new_version_and_only_it_is_embedded(shelf: Shelf) -> None:
    first = await shelf.build(RETURNS, FEES, HOURS)
    changed = Document("fees.md", "Fees", "A late payment costs three euros.")
    second = await shelf.build(RETURNS, changed, HOURS)
    assert second.version.version != first.version.version
    assert (second.is_new, second.embedded) == (True, 1)
    assert await shelf.texts(first.version) == [FEES.text, HOURS.text, RETURNS.text]
    assert await shelf.texts(second.version) == [changed.text, HOURS.text, RETURNS.text]


async def test_who_goes_back_to_earlier_documents_has_the_earlier_version_as_the_newest(shelf: Shelf) -> None:
    first = await shelf.build(RETURNS)
    await shelf.build(FEES)
    await shelf.build(RETURNS)
    assert (await find(shelf.store, shelf.name)).version == first.version.version


async def test_a_name_of_ones_own_belongs_to_one_content(shelf: Shelf) -> None:
    await shelf.build(RETURNS, version="2026-11")
    assert not (await shelf.build(RETURNS, version="2026-11")).is_new
    named = await shelf.build(RETURNS, version="autumn")
    assert named.is_new and await shelf.texts(named.version) == [RETURNS.text]
    with pytest.raises(IndexConflict):
        await shelf.build(FEES, version="2026-11")
    assert [one.version for one in await shelf.store.versions(shelf.name)] == ["autumn", "2026-11"]


async def test_what_is_removed_is_gone_and_what_others_share_stays(shelf: Shelf) -> None:
    first = await shelf.build(RETURNS, FEES)
    second = await shelf.build(RETURNS, HOURS)
    shelf.clock.advance(7_200.0)
    await shelf.indexing.remove(shelf.store, first.version, now=shelf.now)
    with pytest.raises(IndexUnknown):
        await find(shelf.store, shelf.name, first.version.version)
    assert await shelf.texts(second.version) == [HOURS.text, RETURNS.text]
    assert set(await shelf.store.known(shelf.name, second.version.method)) == {
        (document.id, content)
        for document, content in zip((RETURNS, HOURS), await _contents(shelf, (RETURNS, HOURS)), strict=True)
    }
    rebuilt = await shelf.build(RETURNS, FEES)
    assert (rebuilt.is_new, rebuilt.embedded) == (True, 1)
    assert await shelf.texts(rebuilt.version) == [FEES.text, RETURNS.text]


async def _contents(shelf: Shelf, documents: tuple[Document, ...]) -> list[str]:
    return [content_hash(document) for document in documents]


async def test_a_build_that_fails_half_way_leaves_no_version(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "CHUNK_PASSAGES", 1)
    embed, calls = Embedder.embed, 0

    def failing(self: Embedder, texts: list[str]) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise MemoryError
        return embed(self, texts)

    monkeypatch.setattr(Embedder, "embed", failing)
    with pytest.raises(MemoryError):
        await shelf.build(RETURNS, FEES, HOURS)
    with pytest.raises(IndexUnknown):
        await find(shelf.store, shelf.name)
    built = await shelf.build(RETURNS, FEES, HOURS)
    assert (built.is_new, built.embedded) == (True, 2)
    assert await shelf.texts(built.version) == [FEES.text, HOURS.text, RETURNS.text]


async def test_no_documents_and_too_many_are_refused(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IndexRefused, match="no document"):
        await shelf.build()
    monkeypatch.setattr(indexing, "PASSAGES_MAX", 1)
    with pytest.raises(IndexRefused, match="more than 1 passages"):
        await shelf.build(RETURNS, FEES)
    monkeypatch.setattr(indexing, "VERSIONS_MAX", 1)
    await shelf.build(RETURNS)
    assert not (await shelf.build(RETURNS)).is_new
    with pytest.raises(IndexConflict, match="1 versions"):
        await shelf.build(FEES)


async def test_hostile_names_and_texts_come_back_as_they_were(shelf: Shelf) -> None:
    document = Document(HOSTILE, HOSTILE, HOSTILE)
    shelf.name = HOSTILE
    built = await shelf.build(document, version=HOSTILE)
    assert await find(shelf.store, HOSTILE, HOSTILE) == built.version
    assert await shelf.texts(built.version) == [HOSTILE]
    assert await shelf.found(built.version, HOSTILE) == [HOSTILE]


async def test_the_store_and_the_file_find_the_same(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchkeeper.store.indexes.CHUNK_PASSAGES", 7)
    documents = [
        Document(f"doc-{number}.md", f"Thing {number}", f"The {word} of number {number} is {number * 7 % 5} days old.")
        for number, word in enumerate(["fee", "parcel", "return", "invoice", "password", "shop"] * 8)
    ]
    built = await shelf.build(*documents)
    stored = [one async for chunk in shelf.store.passages(built.version) for one in chunk]
    assert [one.document for one in stored] == sorted(document.id for document in documents)
    embedder = Embedder()
    vectors = np.frombuffer(b"".join(one.vector for one in stored), "<f4").reshape(len(stored), DIMENSIONS)
    name = IndexName(shelf.name, built.version.version, built.version.content, built.version.embedding)
    write_index(
        tmp_path / "i", bytes(32), name, [Passage(one.document, one.title, one.text) for one in stored], vectors
    )
    index = Index.open(tmp_path / "i", bytes(32))
    for words in ("late fees", "where is my parcel?", "xyzzy"):
        matches = index.search(embedder.embed([words])[0], top_k=5, min_score=0.2)
        rows = await shelf.indexing.search(shelf.store, built.version, words, top_k=5, min_score=0.2)
        assert [match.passage.document for match in matches] == [row.document for row, _ in rows]
        assert [match.score for match in matches] == pytest.approx([score for _, score in rows], abs=1e-5)
