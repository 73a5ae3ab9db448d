"""The indexes that this worker searches: files in the data folder, opened when a release first needs them."""

import asyncio
import os
from asyncio import AbstractEventLoop
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from watchkeeper.core.errors import OperatorError
from watchkeeper.releases.passages import is_index_name

if TYPE_CHECKING:
    from watchkeeper.releases.embedding import Embedder
    from watchkeeper.releases.index_file import Index, Match

OPEN_MAX = 32
"""Indexes that are mapped at once; the one that was not used for longest is let go for one more."""
THREADS = 2
QUICK_PASSAGES = 2_000
QUICK_LETTERS = 1_000
"""Up to here a search takes well under a millisecond and is made on the loop; a thread would take longer to reach."""

_T = TypeVar("_T")


class IndexMissing(OperatorError):
    """The index that a release names is not on this host, or not of the kind that it says."""

    code = "index_missing"


@dataclass(frozen=True, slots=True)
class _Opened:
    stamp: tuple[int, int]
    index: "Index"


@dataclass(frozen=True, slots=True)
class IndexAtHand:
    """An index and what turns a question into a vector."""

    _index: "Index"
    _embedder: "Embedder"
    _in_thread: "Callable[[Callable[[], list[Match]]], Awaitable[list[Match]]]"

    async def search(self, query: str, *, top_k: int, min_score: float) -> "list[Match]":
        """Return the passages nearest to a text, the nearest first: at most so many, and none less near."""

        def search() -> "list[Match]":
            return self._index.search(self._embedder.embed([query])[0], top_k=top_k, min_score=min_score)

        if len(self._index) <= QUICK_PASSAGES and len(query) <= QUICK_LETTERS:
            return search()
        return await self._in_thread(search)


class IndexShelf:
    """Finds indexes by name."""

    def __init__(self, folder: Path, key: bytes, *, loop: AbstractEventLoop) -> None:
        self._folder = folder
        self._key = key
        self._loop = loop
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="retrieval")
        self._opened: OrderedDict[Path, _Opened] = OrderedDict()
        self._opening: dict[Path, asyncio.Future[_Opened]] = {}
        self._embedder: asyncio.Future[Embedder] | None = None

    def close(self) -> None:
        """Let go of everything; searches under way are finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._opened.clear()

    async def take(self, collection: str, version: str, *, embedding: str) -> "IndexAtHand":
        """Return an index that can be searched; the first one waits for the weights, 0.4 s on a core.

        Args:
            collection: Which index.
            version: Of it.
            embedding: What it must have been embedded with; empty for whatever it was.

        Raises:
            IndexMissing: there is no such index here, or it is of another embedding.
            OperatorError: its file was changed, or cannot be read.
        """
        if not (is_index_name(collection) and is_index_name(version)):
            raise IndexMissing("the release names no version of an index; push it again")
        index = await self._index(self._folder / collection / version)
        if embedding and index.name.embedding != embedding:
            raise IndexMissing(
                f"the index {collection} {version} was embedded as {index.name.embedding}, and the release asks for "
                f"{embedding}; build the index again, or push the release again"
            )
        return IndexAtHand(index, await self._ready_embedder(), self._in_thread)

    async def _index(self, path: Path) -> "Index":
        """Return a file, mapped; one that was replaced is opened anew."""
        try:
            found = os.stat(path)  # noqa: PTH116 - two microseconds, where a thread would take fifty
        except OSError:
            self._opened.pop(path, None)
            raise IndexMissing(
                f"the index {path.parent.name} {path.name} is not on this host; `watchkeeper index list` names what "
                "there is, and the keeper writes the file within seconds"
            ) from None
        stamp = (found.st_mtime_ns, found.st_ino)
        known = self._opened.get(path)
        if known is not None and known.stamp == stamp:
            self._opened.move_to_end(path)
            return known.index
        opening = self._opening.get(path)
        if opening is None:
            opening = self._opening[path] = self._loop.create_task(self._open(path, stamp))
            opening.add_done_callback(lambda _: self._opening.pop(path, None))
        return (await asyncio.shield(opening)).index

    async def _open(self, path: Path, stamp: tuple[int, int]) -> _Opened:
        opened = _Opened(stamp, await self._in_thread(lambda: _open_index(path, self._key)))
        self._opened[path] = opened
        while len(self._opened) > OPEN_MAX:
            self._opened.popitem(last=False)
        return opened

    async def _ready_embedder(self) -> "Embedder":
        if self._embedder is None or (self._embedder.done() and self._embedder.exception() is not None):
            self._embedder = self._loop.create_task(self._in_thread(_load_embedder))
        return await asyncio.shield(self._embedder)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await self._loop.run_in_executor(self._threads, work)


def _open_index(path: Path, key: bytes) -> "Index":
    from watchkeeper.releases.index_file import Index  # numpy; few workers search anything

    try:
        return Index.open(path, key)
    except OSError as error:
        raise IndexMissing(f"the index {path} cannot be read: {error.strerror}") from error


def _load_embedder() -> "Embedder":
    from watchkeeper.releases.embedding import Embedder  # as above, and 90 MB of weights

    return Embedder()
