"""Documents for a call: from a file of the data folder or from an endpoint, in time, or not at all and said so."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contract.retrieval.endpoint import Endpoint, answer, listening
from tests.unit.retrieval.written import write_index

from watchkeeper.core.call import Hit
from watchkeeper.gateway import indexes as shelves
from watchkeeper.gateway.indexes import IndexShelf
from watchkeeper.gateway.refusals import RetrievalFailed
from watchkeeper.gateway.retrieving import LookedUp, Retriever
from watchkeeper.gateway.snapshot import RetrieverEntry, Snapshot
from watchkeeper.gateway.wire.client import Pool, PoolLimits
from watchkeeper.releases.embedding import Embedder
from watchkeeper.releases.index_file import IndexName
from watchkeeper.releases.passages import EMBEDDING, Passage, embedded_text
from watchkeeper.releases.recipe import Retrieval

KEY = b"i" * 32
EMBEDDED = Retrieval(query="{{ question }}", collection="kb", version="v1", top_k=2, timeout_s=10.0)
ASKED = Retrieval(query="{{ question }}", collection="faq", retriever="kb", top_k=2, timeout_s=2.0)
RETURNS = Passage("returns.md", "Returns", "Goods can be sent back within 30 days.")
HOURS = Passage("hours.md", "Hours", "We are open from nine to five.")
FEES = Passage("fees.md", "Fees", "A late payment costs two euros.")


def put(folder: Path, *passages: Passage, version: str = "v1") -> Path:
    path = folder / "kb" / version
    path.parent.mkdir(exist_ok=True)
    vectors = Embedder().embed([embedded_text(passage) for passage in passages])
    write_index(path, KEY, IndexName("kb", version, "c", EMBEDDING), passages, vectors)
    return path


@pytest.fixture
async def retriever(tmp_path: Path) -> AsyncIterator[Retriever]:
    loop = asyncio.get_running_loop()
    pool, shelf = Pool(loop, PoolLimits()), IndexShelf(tmp_path, KEY, loop=loop)
    yield Retriever(loop, pool, shelf, now=time.monotonic)
    shelf.close()
    await pool.close()


async def look_up(retriever: Retriever, retrieval: Retrieval, query: str, endpoint: Endpoint | None = None) -> LookedUp:
    url = endpoint.url if endpoint is not None else "http://127.0.0.1:1/"
    retriever.follow(a_snapshot({"kb": RetrieverEntry("kb", url, "sk-of-kb", {"x-tenant": "acme"})}))
    return await retriever.look_up(retrieval, query)


def a_snapshot(retrievers: dict[str, RetrieverEntry]) -> Snapshot:
    return Snapshot(
        version="v", durability="interval", providers={}, routes={}, features=frozenset(), keys={}, price_lists={},
        retrievers=retrievers,
    )  # fmt: skip


def a_document(passage: Passage, score: float) -> dict[str, object]:
    return {"id": passage.document, "title": passage.title, "text": passage.text, "score": score}


async def test_the_embedded_index_finds_what_is_near(retriever: Retriever, tmp_path: Path) -> None:
    put(tmp_path, RETURNS, HOURS, FEES)
    found = await look_up(retriever, EMBEDDED, "how can I send something back?")
    assert found.documents[0] == a_document(RETURNS, found.documents[0]["score"])
    assert found.hits == [Hit("kb", one["id"], "v1", one["score"]) for one in found.documents]
    assert len(found.hits) == 2 and found.trouble == ""
    near = await look_up(retriever, replace(EMBEDDED, min_score=0.99), "how can I send something back?")
    assert near.documents == []


async def test_a_replaced_index_is_searched_anew_and_a_removed_one_is_missed(
    retriever: Retriever, tmp_path: Path
) -> None:
    put(tmp_path, RETURNS)
    assert (await look_up(retriever, EMBEDDED, "opening hours")).documents[0]["id"] == "returns.md"
    path = put(tmp_path, HOURS)
    assert (await look_up(retriever, EMBEDDED, "opening hours")).documents[0]["id"] == "hours.md"
    path.unlink()
    with pytest.raises(RetrievalFailed, match="kb v1 is not on this host"):
        await look_up(retriever, EMBEDDED, "opening hours")


@pytest.mark.parametrize(
    ("retrieval", "why"),
    [
        (replace(EMBEDDED, version="v2"), "kb v2 is not on this host"),
        (replace(EMBEDDED, version=""), "names no version"),
        (replace(EMBEDDED, collection="../../secret"), "names no version"),
        (replace(EMBEDDED, version=".."), "names no version"),
        (replace(EMBEDDED, embedding="other"), "was embedded as"),
    ],
)
async def test_an_index_that_is_not_there_fails_the_call_or_is_said(
    retriever: Retriever, tmp_path: Path, retrieval: Retrieval, why: str
) -> None:
    put(tmp_path, RETURNS)
    with pytest.raises(RetrievalFailed, match=why) as failed:
        await look_up(retriever, retrieval, "x")
    assert (failed.value.code, failed.value.error_class, failed.value.http_status) == (
        "retrieval_failed",
        "upstream_error",
        502,
    )
    found = await look_up(retriever, replace(retrieval, on_failure="continue"), "x")
    assert found.documents == [] and found.hits == [] and why in found.trouble


async def test_a_changed_index_is_not_searched(retriever: Retriever, tmp_path: Path) -> None:
    path = put(tmp_path, RETURNS)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"!")
    with pytest.raises(RetrievalFailed, match="was changed since"):
        await look_up(retriever, EMBEDDED, "x")
    path.write_bytes(data)
    assert (await look_up(retriever, EMBEDDED, "x")).documents


async def test_many_calls_at_once_open_an_index_once_and_few_stay_open(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    open_index = shelves._open_index

    def counting(path: Path, key: bytes) -> object:
        opened.append(path)
        return open_index(path, key)

    monkeypatch.setattr(shelves, "_open_index", counting)
    monkeypatch.setattr(shelves, "OPEN_MAX", 2)
    versions = [f"v{number}" for number in range(4)]
    for version in versions:
        put(tmp_path, RETURNS, version=version)
    await asyncio.gather(*(look_up(retriever, EMBEDDED, "x") for _ in range(20)))
    assert len(opened) == 1
    for version in (*versions, *versions):
        assert (await look_up(retriever, replace(EMBEDDED, version=version), "x")).documents
    assert len(opened) > 4


async def test_a_long_question_and_a_large_index_do_not_hold_up_the_loop(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "QUICK_PASSAGES", 0)
    put(tmp_path, RETURNS, HOURS)
    for question in ("opening hours", "w " * 1_000_000, "\ud800 nonsense"):
        assert (await look_up(retriever, replace(EMBEDDED, min_score=-1.0), question)).documents


async def test_the_first_call_waits_for_the_weights_whatever_the_release_says(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, RETURNS)
    load = shelves._load_embedder

    def slow() -> Embedder:
        time.sleep(0.5)
        return load()

    monkeypatch.setattr(shelves, "_load_embedder", slow)
    hasty = replace(EMBEDDED, timeout_s=0.2)
    with pytest.raises(RetrievalFailed, match="took longer"):
        await retriever.look_up(hasty, "x", left_s=0.1)
    found = await asyncio.gather(*(look_up(retriever, hasty, "sent back?") for _ in range(3)))
    assert [one.documents[0]["id"] for one in found] == ["returns.md"] * 3


async def test_an_endpoint_is_asked_and_its_documents_are_taken(retriever: Retriever) -> None:
    documents = [
        {"id": "a", "text": "A.", "title": "T", "score": 3.5, "version": "7"},
        {"id": "b", "text": "B.", "extra": True},
        {"id": "c", "text": "C."},
    ]
    async with listening(lambda head, body: answer({"documents": documents})) as endpoint:
        found = await look_up(retriever, ASKED, "what?", endpoint)
        await look_up(retriever, ASKED, "\ud800", endpoint)
        low = await look_up(retriever, replace(ASKED, min_score=4.0), "what?", endpoint)
    assert found.documents == [
        {"id": "a", "title": "T", "text": "A.", "score": 3.5},
        {"id": "b", "title": "", "text": "B.", "score": None},
    ]
    assert found.hits == [Hit("faq", "a", "7", 3.5), Hit("faq", "b", "", None)]
    assert [one["id"] for one in low.documents] == ["b"]
    assert endpoint.questions[0] == {"query": "what?", "top_k": 2, "collection": "faq", "version": ""}
    assert endpoint.heads[0].startswith(b"POST /search?v=1 HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nauthorization: Bearer sk-of-kb\r\n" in endpoint.heads[0]
    assert b"\r\nx-tenant: acme\r\n" in endpoint.heads[0]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (answer({"error": "no"}, status=503), "the status 503"),
        (answer(b"<html>"), "not what was asked for"),
        (answer({"documents": [{"id": "a"}]}), "not what was asked for"),
        (answer({"documents": [{"id": "", "text": "x"}]}), "without an id"),
        (answer(b"[" * 100_000), "not what was asked for"),
        (answer({"documents": [{"id": "a", "text": "x" * (5 << 20)}]}), "more than 4 MiB"),
        (b"nonsense\r\n\r\n", "retriever `kb`"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", "longer than"),
        (b"", "longer than"),
    ],
)
async def test_a_failing_endpoint_fails_the_call_or_is_said(retriever: Retriever, reply: bytes, why: str) -> None:
    async with listening(lambda head, body: reply) as endpoint:
        retrieval = replace(ASKED, timeout_s=0.3)
        with pytest.raises(RetrievalFailed, match=why):
            await look_up(retriever, retrieval, "x", endpoint)
        found = await look_up(retriever, replace(retrieval, on_failure="continue"), "x", endpoint)
        assert (found.documents, found.hits) == ([], []) and why in found.trouble


async def test_a_connection_that_breaks_is_tried_once_more(retriever: Retriever) -> None:
    replies = [None, answer({"documents": []})]
    async with listening(lambda head, body: replies.pop(0)) as endpoint:
        assert (await look_up(retriever, ASKED, "x", endpoint)).documents == []
    async with listening(lambda head, body: None) as endpoint:
        with pytest.raises(RetrievalFailed):
            await look_up(retriever, ASKED, "x", endpoint)
        assert len(endpoint.heads) == 2


async def test_nobody_listening_and_no_such_name_are_failures(retriever: Retriever) -> None:
    with pytest.raises(RetrievalFailed, match="Nobody listens"):
        await look_up(retriever, ASKED, "x")
    with pytest.raises(RetrievalFailed, match="has no retriever of this name"):
        await look_up(retriever, replace(ASKED, retriever="nobody"), "x")


async def test_who_gives_up_waiting_leaves_nothing_behind(retriever: Retriever) -> None:
    async with listening(lambda head, body: b"") as endpoint:
        waiting = asyncio.ensure_future(look_up(retriever, ASKED, "x", endpoint))
        while not endpoint.heads:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)
        assert [task for task in asyncio.all_tasks() if "_ask" in repr(task)] == []
