"""The files that workers search: one for each version of an index in the store, on every host."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

from watchkeeper.releases.index_file import Index, IndexDamaged, IndexDraft, IndexName, index_path
from watchkeeper.releases.passages import Passage, is_index_name
from watchkeeper.server.rounds import Duty
from watchkeeper.store.indexes import IndexVersion, StoredPassage

LOOK_EVERY_S = 5.0
"""How soon a version that another host has built can be searched on this one."""

_log = logging.getLogger("watchkeeper.keeper")


class Versions(Protocol):
    """Where versions are kept."""

    async def versions(self) -> list[IndexVersion]:
        """List all."""
        ...

    def passages(self, version: IndexVersion) -> AsyncIterator[list[StoredPassage]]:
        """Yield what one holds."""
        ...


class IndexFiles:
    """Keeps the files in step with the store."""

    def __init__(self, folder: Path, key: bytes, store: Versions) -> None:
        self._folder = folder
        self._key = key
        self._store = store
        self._following = asyncio.Lock()
        self._known: dict[Path, str] = {}
        """Files that are as they should be, and the content of each."""
        self._trouble = ""

    def status(self) -> dict[str, Any]:
        """Tell how many indexes workers can search, and why others cannot be written."""
        return {"files": len(self._known), "trouble": self._trouble or None}

    def duties(self) -> tuple[Duty, ...]:
        """Return what is to be done again and again."""
        return (Duty("writing indexes", LOOK_EVERY_S, self.follow),)

    async def follow(self) -> None:
        """Write the files that are missing or wrong, and delete those of versions that are gone.

        A disk that does not take them is told by `status`, and they are tried again at the next look.
        """
        try:
            await self._follow()
        except OSError as error:
            if not self._trouble:
                _log.error("indexes cannot be written, and are tried again every %g s: %s", LOOK_EVERY_S, error)
            self._trouble = f"indexes cannot be written: {error.strerror or error}"
        else:
            self._trouble = ""

    async def _follow(self) -> None:
        async with self._following:
            wanted = {
                index_path(self._folder, one.collection, one.version): one
                for one in await self._store.versions()
                if is_index_name(one.collection) and is_index_name(one.version)
            }
            for path, version in wanted.items():
                if self._known.get(path) != version.content or not path.exists():
                    if not await asyncio.to_thread(self._is_good, path, version):
                        await self._write(path, version)
                    self._known[path] = version.content
            await asyncio.to_thread(_forget_others, self._folder, frozenset(wanted))
            self._known = {path: self._known[path] for path in wanted}

    def _is_good(self, path: Path, version: IndexVersion) -> bool:
        with contextlib.suppress(FileNotFoundError, IndexDamaged):
            return Index.open(path, self._key).name.content == version.content
        return False

    async def _write(self, path: Path, version: IndexVersion) -> None:
        draft = IndexDraft()
        async for chunk in self._store.passages(version):
            for one in chunk:
                draft.add(Passage(one.document, one.title, one.text), one.vector)
        name = IndexName(version.collection, version.version, version.content, version.embedding)
        await asyncio.to_thread(_write, draft, path, self._key, name)


def _write(draft: IndexDraft, path: Path, key: bytes, name: IndexName) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft.write(path, key, name)


def _forget_others(folder: Path, wanted: frozenset[Path]) -> None:
    for path in folder.glob("*/*"):
        if path not in wanted:
            path.unlink(missing_ok=True)
    for collection in folder.glob("*"):
        with contextlib.suppress(OSError):  # it is not empty
            collection.rmdir()
