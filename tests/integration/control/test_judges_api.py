"""Judges over the API: those that come with Watchkeeper are there when they are asked for, and each has a version."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.integration.control.released import Asked, asked

from watchkeeper.api.judges import JudgeRefused, ensured
from watchkeeper.evals.judging.kinds import KINDS, feature_of
from watchkeeper.evals.judging.shipped import recipe
from watchkeeper.releases.authoring import authored
from watchkeeper.releases.recipe import release_id
from watchkeeper.testing import FakeClock

MODEL = "gpt-4o-mini"


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Asked]:
    async with asked(f"sqlite:///{tmp_path}/control.db", clock) as found:
        yield found


def own(kind: str = "rubric", **changes: Any) -> dict[str, Any]:
    """A judge of somebody's own, as people write it."""
    return authored(structs.replace(recipe(kind, MODEL), feature="strict")) | changes


async def push(api: Asked, written: dict[str, Any], parent: str = "") -> str:
    pushed = await api.post("/releases", recipe=written, parent=parent, message="mine")
    return str(pushed["release"]["id"])


async def promote(api: Asked, release: str, environment: str = "staging") -> None:
    await api.post(f"/environments/{environment}/promote", feature="strict", release=release)


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_judge_that_comes_with_watchkeeper_is_pushed_when_it_is_first_asked_for(api: Asked, kind: str) -> None:
    found = await api.post("/judges/resolve", kind=kind, judge=MODEL)
    release = release_id(recipe(kind, MODEL))
    assert found == {"model": f"feature/{feature_of(kind)}@{release}", "feature": feature_of(kind), "release": release}
    row = await api.control.releases.get(release)
    assert (row.author, row.recipe) == ("watchkeeper", recipe(kind, MODEL))
    assert api.told == ["told"], "the workers have it at hand"


async def test_asking_again_changes_nothing_and_another_model_is_another_release(api: Asked) -> None:
    first = await api.post("/judges/resolve", kind="rubric", judge=MODEL)
    other = await api.post("/judges/resolve", kind="rubric", judge="openai/gpt-4.1")
    assert other["release"] != first["release"]
    for _ in range(2):
        assert await api.post("/judges/resolve", kind="rubric", judge=MODEL) == first
    assert await api.control.releases.head("judge-rubric") == other["release"]
    assert len(await api.control.releases.of("judge-rubric")) == 2
    assert api.told == ["told"] * 2


async def test_several_who_ask_at_once_make_one_release(api: Asked) -> None:
    models = [MODEL, "openai/a", "openai/b", "support-chat"] * 3
    found = await asyncio.gather(*(ensured(api.services, "pairwise", model) for model in models))
    assert len(set(found)) == 4
    assert len(await api.control.releases.of("judge-pairwise")) == 4


@pytest.mark.parametrize(
    ("kind", "judge", "words"),
    [
        ("rubrik", MODEL, "did you mean `rubric`"),
        ("rubric", "gpt-4o-mni", "did you mean `gpt-4o-mini`"),
        ("rubric", "opnai/gpt", "there is no provider `opnai`"),
        ("rubric", "", "cannot judge: model"),
        ("rubric", "feature/strict", "write `feature/strict@production`"),
        ("rubric", "feature/strict@staging", "Nothing of 'strict' is live in 'staging'"),
        ("rubric", "feature/strict@wk1-aaaaaa", "There is no one release"),
        ("rubric", "wk1-aaaaaa", "There is no one release"),
    ],
)
async def test_what_is_no_judge_is_refused_and_nothing_is_pushed(api: Asked, kind: str, judge: str, words: str) -> None:
    refusal = await api.refused("/judges/resolve", kind=kind, judge=judge)
    assert refusal["status"] in (404, 422)
    assert words in refusal["message"]
    assert await api.control.releases.features() == []


async def test_a_feature_of_ones_own_is_pinned_to_what_is_live_now(api: Asked) -> None:
    first = await push(api, own())
    await promote(api, first)
    found = await api.post("/judges/resolve", kind="rubric", judge="feature/strict@staging")
    assert found["model"] == f"feature/strict@{first}"
    second = await push(api, own(parameters={"temperature": 0, "max_tokens": 50}), parent=first)
    assert await api.post("/judges/resolve", kind="rubric", judge="feature/strict@staging") == found
    await promote(api, second)
    found = await api.post("/judges/resolve", kind="rubric", judge="feature/strict@staging")
    assert found["release"] == second
    for judge in (f"feature/strict@{first}", first):
        pinned = await api.post("/judges/resolve", kind="rubric", judge=judge)
        assert pinned["model"] == f"feature/strict@{first}"
    wrong = await api.refused("/judges/resolve", kind="rubric", judge=f"feature/other@{first}")
    assert "is of `strict`, not of `other`" in wrong["message"]


async def test_a_feature_whose_answer_lacks_a_key_is_refused_with_the_key(api: Asked) -> None:
    schema = {"type": "object", "properties": {"analysis": {"type": "string"}}, "required": ["analysis"]}
    release = await push(api, own(output={"schema": schema}))
    refusal = await api.refused("/judges/resolve", kind="rubric", judge=release)
    assert (refusal["status"], refusal["code"]) == (422, "judge_refused")
    assert "its schema has no key `label`" in refusal["message"]
    other = await api.refused("/judges/resolve", kind="faithfulness", judge=release)
    assert "it takes no variable `statements`" in other["message"]
    with pytest.raises(JudgeRefused):
        await ensured(api.services, "rubric", release)


async def test_what_goes_before_the_verdict_of_ones_own_judge_is_asked_of_its_model(api: Asked) -> None:
    release = await push(api, own("faithfulness", model="support-chat"))
    assert await ensured(api.services, "faithfulness", release) == f"feature/strict@{release}"
    prepared = await ensured(api.services, "statements", release)
    wanted = release_id(recipe("statements", "support-chat"))
    assert prepared == f"feature/judge-statements@{wanted}"


async def test_who_may_only_read_gets_judges_that_are_there_and_makes_none(api: Asked) -> None:
    await api.person("vera", "read")
    await api.person("ana", "read", "write_releases", features=("support",))
    refusal = await api.refused("/judges/resolve", "vera", kind="rubric", judge=MODEL)
    assert (refusal["status"], refusal["code"]) == (403, "not_allowed")
    assert await api.control.releases.features() == []
    made = await api.post("/judges/resolve", "ana", kind="rubric", judge=MODEL)
    assert await api.post("/judges/resolve", "vera", kind="rubric", judge=MODEL) == made


async def test_a_judge_of_a_feature_that_one_may_not_read_is_not_given_out(api: Asked) -> None:
    release = await push(api, own())
    await api.person("otto", "read", "write_releases", features=("support",))
    for judge in (release, f"feature/strict@{release}"):
        refusal = await api.refused("/judges/resolve", "otto", kind="rubric", judge=judge)
        assert (refusal["status"], refusal["code"]) == (403, "not_allowed")
