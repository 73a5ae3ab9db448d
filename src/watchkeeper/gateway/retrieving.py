"""Looks documents up for a call of a release, before its prompt is written: in the embedded index or at an endpoint."""

import asyncio
from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

from watchkeeper.core.call import Hit
from watchkeeper.core.errors import OperatorError
from watchkeeper.gateway.endpoint import EndpointFailed, Endpoints
from watchkeeper.gateway.indexes import IndexShelf
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.refusals import RetrievalFailed
from watchkeeper.gateway.serving import Found
from watchkeeper.gateway.snapshot import RetrieverEntry, Snapshot
from watchkeeper.gateway.wire.client import Pool
from watchkeeper.releases.recipe import Retrieval

QUERY_LETTERS_MAX = 8_000
"""Of a question, its beginning is looked for."""
TOP_K_MAX = 50
LOAD_S = 15.0
"""How long the first calls of a worker may wait for an index and the weights: that is no fault of the release's."""


class LookedUp(NamedTuple):
    """What was looked up."""

    documents: list[dict[str, Any]]
    """The best first: `id`, `title`, `text`, `score`, as templates see them. The score is a cosine, 1 at most, in the
    embedded index; at an endpoint whatever it says, None where it says nothing."""
    hits: list[Hit]
    """The same, as they are recorded on the call."""
    trouble: str = ""
    """Why nothing could be looked up, where the release goes on without."""


class Retriever:
    """Finds documents; a `gateway.serving.Finder`."""

    def __init__(self, loop: AbstractEventLoop, pool: Pool, shelf: IndexShelf, *, now: Callable[[], float]) -> None:
        self._loop = loop
        self._endpoints = Endpoints(loop, pool)
        self._shelf = shelf
        self._now = now
        self._entries: Mapping[str, RetrieverEntry] = {}

    def follow(self, snapshot: Snapshot) -> None:
        """Ask the endpoints of this configuration from now on."""
        self._entries = snapshot.retrievers

    def close(self) -> None:
        """Let go of all indexes."""
        self._shelf.close()

    async def find(self, retrieval: Retrieval, query: str, *, passage: Passage) -> Found:
        """Look documents up for a call; where it goes on without them, it says so. Raises as `look_up`."""
        began = self._now()
        try:
            found = await self.look_up(retrieval, query, left_s=max(0.001, passage.ends_by - began))
        finally:
            if retrieval.retriever:  # what others take is not the gateway's own time
                passage.upstream_s += self._now() - began
        if found.trouble:
            call = passage.call
            call.change = f"{call.change}; {found.trouble}" if call.change else found.trouble
        return Found(found.documents, found.hits)

    async def look_up(self, retrieval: Retrieval, query: str, *, left_s: float = inf) -> LookedUp:
        """Return the documents for a question. It may be awaited in a run as well as in a task.

        Args:
            retrieval: What the release says; `query` in it is a template and is not looked at.
            query: The question, as that template was rendered.
            left_s: The call has no longer, whatever the release says.

        Raises:
            RetrievalFailed: they could not be looked up in time, and the release does not go on without.
        """
        timeout_s = min(retrieval.timeout_s, left_s)
        query = query[:QUERY_LETTERS_MAX].encode("utf-8", "replace").decode()
        looking = self._loop.create_task(
            self._ask(retrieval, query, timeout_s)
            if retrieval.retriever
            else self._search(retrieval, query, timeout_s, load_s=min(LOAD_S, left_s))
        )
        try:
            return await looking
        except CancelledError:
            looking.cancel()
            raise
        except (EndpointFailed, OperatorError, TimeoutError) as error:
            where = f"the retriever `{retrieval.retriever}`" if retrieval.retriever else "the embedded index"
            why = f"it took longer than {timeout_s:g} s" if isinstance(error, TimeoutError) else str(error).rstrip(".")
            if retrieval.on_failure == "continue":
                return LookedUp([], [], f"no documents from {where}: {why}")
            raise RetrievalFailed(
                f"The documents for this call could not be looked up by {where}: {why}. "
                "Nothing was sent to a model; nothing is wrong with the request. Try again."
            ) from error

    async def _search(self, retrieval: Retrieval, query: str, timeout_s: float, *, load_s: float) -> LookedUp:
        collection, version = retrieval.collection, retrieval.version
        async with asyncio.timeout(load_s):
            index = await self._shelf.take(collection, version, embedding=retrieval.embedding)
        async with asyncio.timeout(timeout_s):
            matches = await index.search(query, top_k=min(retrieval.top_k, TOP_K_MAX), min_score=retrieval.min_score)
        found = LookedUp([], [])
        for match in matches:
            passage, score = match.passage, round(match.score, 6)
            found.documents.append(
                {"id": passage.document, "title": passage.title, "text": passage.text, "score": score}
            )
            found.hits.append(Hit(collection, passage.document, version, score))
        return found

    async def _ask(self, retrieval: Retrieval, query: str, timeout_s: float) -> LookedUp:
        entry = self._entries.get(retrieval.retriever)
        if entry is None:
            raise EndpointFailed("the configuration has no retriever of this name; the operator can add it")
        async with asyncio.timeout(timeout_s):
            answered = await self._endpoints.ask(
                entry,
                query,
                collection=retrieval.collection,
                version=retrieval.version,
                top_k=min(retrieval.top_k, TOP_K_MAX),
            )
        found = LookedUp([], [])
        collection = retrieval.collection or retrieval.retriever
        for one in answered:
            if one.score is None or one.score >= retrieval.min_score:
                found.documents.append({"id": one.id, "title": one.title, "text": one.text, "score": one.score})
                found.hits.append(Hit(collection, one.id, one.version or retrieval.version, one.score))
        return found
