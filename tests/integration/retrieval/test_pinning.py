"""A release names the version of the index that it looks into, from the moment it is pushed."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.released import BASIS, SUPPORT, Asked, asked

from watchkeeper.ingest.indexing import BuildWish, Indexing
from watchkeeper.releases.documents import Document
from watchkeeper.releases.passages import EMBEDDING
from watchkeeper.store.analytics import AnalyticsStore
from watchkeeper.testing import FakeClock


@pytest.fixture(scope="module")
def analytics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsStore]:
    store = AnalyticsStore.open(f"chdb://{tmp_path_factory.mktemp('pinning')}/analytics")
    yield store
    store.close()


@pytest.fixture
async def api(tmp_path: Path, analytics: AnalyticsStore) -> AsyncIterator[Asked]:
    async with asked(f"sqlite:///{tmp_path}/control.db", FakeClock()) as found:
        basis = replace(BASIS, retrievers=frozenset({"kb"}))
        found.services = replace(found.services, analytics=analytics, release_basis=lambda: basis)
        yield found


async def build(api: Asked, collection: str, text: str, version: str = "") -> str:
    api.clock.advance(1.0)
    wish = BuildWish(
        collection=collection,
        documents=[Document("a.md", "A", text)],
        version=version,
        by="ana",
        at=datetime.fromtimestamp(api.clock.unix_ns() / 1e9, UTC),
    )
    return (await Indexing().build(api.services.analytics.indexes, wish)).version.version


def looking_up(**retrieval: Any) -> dict[str, Any]:
    return SUPPORT | {"retrieval": {"query": "{{ question }}"} | retrieval}


async def push(api: Asked, recipe: dict[str, Any], parent: str = "") -> dict[str, Any]:
    pushed: dict[str, Any] = (await api.post("/releases", recipe=recipe, parent=parent))["release"]
    return pushed


async def test_a_release_without_a_version_gets_the_newest_and_keeps_it(api: Asked) -> None:
    old = await build(api, "handbook", "Old.")
    recipe = looking_up(collection="handbook")
    first = await push(api, recipe)
    assert first["recipe"]["retrieval"] == {
        "query": "{{ question }}", "collection": "handbook", "version": old, "embedding": EMBEDDING,
    }  # fmt: skip
    assert (await push(api, recipe, first["id"]))["id"] == first["id"], "nothing has changed"
    new = await build(api, "handbook", "New.")
    second = await push(api, recipe, first["id"])
    assert (second["recipe"]["retrieval"]["version"], second["id"] != first["id"]) == (new, True)
    assert (await api.get(f"/releases/{first['id']}"))["recipe"]["retrieval"]["version"] == old
    third = await push(api, first["recipe"], second["id"])
    assert third["id"] == first["id"], "what is pulled and pushed again stays what it was"


async def test_a_release_may_name_an_older_version_or_an_endpoint(api: Asked) -> None:
    await build(api, "faq", "Old.", version="old")
    await build(api, "faq", "New.")
    pushed = await push(api, looking_up(collection="faq", version="old"))
    assert pushed["recipe"]["retrieval"]["version"] == "old"
    asked_elsewhere = await push(api, looking_up(collection="faq", retriever="kb"), pushed["id"])
    assert "version" not in asked_elsewhere["recipe"]["retrieval"]


@pytest.mark.parametrize(
    ("retrieval", "place", "words"),
    [
        ({"collection": "nothing"}, "retrieval.collection", "`watchkeeper index build` makes one"),
        ({"collection": "known", "version": "furst"}, "retrieval.version", "did you mean `first`"),
        ({"collection": "known", "embedding": "other"}, "retrieval.embedding", f"embedded as `{EMBEDDING}`"),
        ({"collection": "../../etc"}, "retrieval", "names of indexes"),
        ({"collection": "known", "version": ".."}, "retrieval", "names of indexes"),
        ({"collection": "known", "top_k": 51}, "retrieval.top_k", "50"),
        ({"retriever": "kbb"}, "retrieval.retriever", "did you mean `kb`"),
    ],
)
async def test_what_cannot_be_looked_up_is_not_pushed(
    api: Asked, retrieval: dict[str, Any], place: str, words: str
) -> None:
    await build(api, "known", "Text.", version="first")
    refusal = await api.refused("/releases", recipe=looking_up(**retrieval))
    assert refusal["code"] == "recipe_refused"
    assert [one for one in refusal["detail"]["mistakes"] if one["place"] == place and words in one["message"]], refusal
