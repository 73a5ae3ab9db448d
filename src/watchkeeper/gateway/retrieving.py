"""Looks documents up for a call of a release, before its prompt is written."""

import asyncio
from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec import Struct

from watchkeeper.core.call import Hit
from watchkeeper.core.errors import OperatorError, UpstreamError
from watchkeeper.gateway.endpoint import EndpointFailed, Endpoints
from watchkeeper.gateway.refusals import Refusal
from watchkeeper.gateway.indexes import IndexShelf
from watchkeeper.gateway.snapshot import RetrieverEntry
from watchkeeper.gateway.wire.client import Pool
from watchkeeper.releases.recipe import Retrieval

QUERY_LETTERS_MAX = 8_000
"""Of a question, its beginning is looked for."""
TOP_K_MAX = 50


class RetrievalFailed(Refusal, UpstreamError):
    """The documents that a release needs could not be looked up; nothing was sent to a model."""

    code = "retrieval_failed"
    http_status = 502
    error_class = "upstream_error"
    error_type = "server_error"
    may_retry = True


class Document(Struct, frozen=True):
    """What a template sees of a document."""

    id: str
    title: str
    text: str
    score: float | None
    """Cosine, 1 at most, of the embedded index; whatever a retriever says; None where it says nothing."""


class Found(NamedTuple):
    """What was looked up."""

    documents: list[Document]
    """The best first."""
    hits: list[Hit]
    """The same, as they are recorded on the call."""
    took_ms: float
    trouble: str = ""
    """Why nothing could be looked up, where the release goes on without."""


class Retriever:
    """Finds documents in the embedded index, or asks an endpoint."""

    def __init__(self, loop: AbstractEventLoop, pool: Pool, shelf: IndexShelf, *, now: Callable[[], float]) -> None:
        self._loop = loop
        self._endpoints = Endpoints(loop, pool)
        self._shelf = shelf
        self._now = now

    async def find(self, retrieval: Retrieval, query: str, endpoints: Mapping[str, RetrieverEntry]) -> Found:
        """Return the documents for a question. It may be awaited in a run as well as in a task.

        Args:
            retrieval: What the release says; `query` in it is a template and is not looked at.
            query: The question, as that template was rendered.
            endpoints: By name, of the configuration in force.

        Raises:
            RetrievalFailed: they could not be looked up in time, and the release does not go on without.
        """
        began = self._now()
        query = query[:QUERY_LETTERS_MAX].encode("utf-8", "replace").decode()
        looking = self._loop.create_task(self._look(retrieval, query, endpoints))
        try:
            documents, hits = await looking
        except CancelledError:
            looking.cancel()
            raise
        except (EndpointFailed, OperatorError, TimeoutError) as error:
            where = f"the retriever `{retrieval.retriever}`" if retrieval.retriever else "the embedded index"
            why = f"it took longer than {retrieval.timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
            if retrieval.on_failure == "continue":
                return Found([], [], (self._now() - began) * 1000, f"no documents from {where}: {why}")
            raise RetrievalFailed(
                f"The documents for this call could not be looked up by {where}: {why.rstrip('.')}. "
                "Nothing was sent to a model; nothing is wrong with the request. Try again."
            ) from error
        return Found(documents, hits, (self._now() - began) * 1000)

    async def _look(
        self, retrieval: Retrieval, query: str, endpoints: Mapping[str, RetrieverEntry]
    ) -> tuple[list[Document], list[Hit]]:
        async with asyncio.timeout(retrieval.timeout_s):
            if retrieval.retriever:
                return await self._ask(retrieval, query, endpoints)
            return await self._search(retrieval, query)

    async def _search(self, retrieval: Retrieval, query: str) -> tuple[list[Document], list[Hit]]:
        collection, version = retrieval.collection, retrieval.version
        matches = await self._shelf.search(
            collection,
            version,
            query,
            embedding=retrieval.embedding,
            top_k=min(retrieval.top_k, TOP_K_MAX),
            min_score=retrieval.min_score,
        )
        passages = [(match.passage, round(match.score, 6)) for match in matches]
        return (
            [Document(passage.document, passage.title, passage.text, score) for passage, score in passages],
            [Hit(collection, passage.document, version, score) for passage, score in passages],
        )

    async def _ask(
        self, retrieval: Retrieval, query: str, endpoints: Mapping[str, RetrieverEntry]
    ) -> tuple[list[Document], list[Hit]]:
        entry = endpoints.get(retrieval.retriever)
        if entry is None:
            raise EndpointFailed("the configuration has no retriever of this name; the operator can add it")
        answered = await self._endpoints.ask(
            entry,
            query,
            collection=retrieval.collection,
            version=retrieval.version,
            top_k=min(retrieval.top_k, TOP_K_MAX),
        )
        kept = [one for one in answered if one.score is None or one.score >= retrieval.min_score]
        collection = retrieval.collection or retrieval.retriever
        return (
            [Document(one.id, one.title, one.text, one.score) for one in kept],
            [Hit(collection, one.id, one.version or retrieval.version, one.score) for one in kept],
        )
