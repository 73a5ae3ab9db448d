"""The files that workers search follow the versions in the store."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from watchkeeper.core.clock import SystemClock
from watchkeeper.ingest.indexing import BuildWish, Indexing, find
from watchkeeper.releases.documents import Document
from watchkeeper.releases.index_file import Index
from watchkeeper.server.indexes import IndexFiles
from watchkeeper.store.analytics import AnalyticsStore


def now() -> datetime:
    return datetime.fromtimestamp(SystemClock().unix_ns() / 1e9, UTC)


async def test_every_version_in_the_store_has_a_file_and_nothing_else_has(tmp_path: Path) -> None:
    key, folder = b"i" * 32, tmp_path / "indexes"
    store = AnalyticsStore.open(f"chdb://{tmp_path}/analytics")
    indexing = Indexing()
    files = IndexFiles(folder, key, store.indexes)

    async def build(*texts: str, version: str = "") -> str:
        documents = [Document(f"{text}.md", text, f"About {text}.") for text in texts]
        wish = BuildWish(collection="kb", documents=documents, version=version, by="ana", at=now())
        return (await indexing.build(store.indexes, wish)).version.version

    def found() -> dict[str, int]:
        return {path.name: len(Index.open(path, key)) for path in folder.glob("*/*")}

    first, second = await build("parcels"), await build("parcels", "fees", version="named")
    await files.follow()
    assert found() == {first: 1, "named": 2}
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*/*")}
    await files.follow()
    await IndexFiles(folder, key, store.indexes).follow()
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*")} == stamps
    (folder / "kb" / first).write_bytes(b"spoilt")
    (folder / "kb" / "stray").write_bytes(b"x")
    await IndexFiles(folder, key, store.indexes).follow()
    assert found() == {first: 1, "named": 2}
    (folder / "kb" / first).unlink()
    await indexing.remove(store.indexes, await find(store.indexes, "kb", second), now=now())
    await build("hours", "parcels", "shops", version="named")
    await files.follow()
    assert found() == {first: 1, "named": 3}
    assert files.status() == {"files": 2, "trouble": None}
    shutil.rmtree(folder)
    folder.write_text("in the way")
    await files.follow()
    trouble = files.status()["trouble"]
    assert trouble.startswith("indexes cannot be written: ")
    folder.unlink()
    await files.follow()
    assert (found(), files.status()["trouble"]) == ({first: 1, "named": 3}, None)
    for version in (first, "named"):
        await indexing.remove(store.indexes, await find(store.indexes, "kb", version), now=now())
    await files.follow()
    assert list(folder.iterdir()) == []
    store.close()
