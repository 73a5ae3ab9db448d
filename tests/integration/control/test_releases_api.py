"""Releases over the API: pushed, compared, tried, and put live by the rules of each environment."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.released import SUPPORT, Asked, asked, variant

from watchkeeper.store.environments import LEAD
from watchkeeper.testing import FakeClock


@pytest.fixture
async def api(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Asked]:
    async with asked(f"sqlite:///{tmp_path}/control.db", clock) as found:
        yield found


async def test_a_release_is_read_as_it_was_written_and_its_id_is_that_of_its_content(api: Asked) -> None:
    pushed = await api.post("/releases", recipe=SUPPORT, message="first")
    assert pushed["is_new"] and pushed["release"]["recipe"] == SUPPORT
    again = await api.reply("POST", "/releases", json={"recipe": SUPPORT, "parent": pushed["release"]["id"]})
    assert (again.status_code, again.json()["is_new"]) == (200, False)
    read = await api.get(f"/releases/{pushed['release']['id'][:12]}")
    assert read == pushed["release"] | {"is_head": True}
    assert (await api.get("/releases/support"))["id"] == read["id"]
    assert (read["author"], read["message"], read["parent"]) == ("local", "first", "")


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"model": "gpt-4o-mni"}, "model", "did you mean `gpt-4o-mini`"),
        ({"model": "opnai/gpt"}, "model", "there is no provider `opnai`"),
        ({"modle": "x"}, "modle", "unknown key; did you mean `model`"),
        ({"messages": [{"role": "user", "content": "{{ nobody }}"}]}, "messages[0].content", "`nobody`: not declared"),
        ({"messages": [{"role": "user", "content": "{% for"}]}, "messages[0].content", "line 1"),
        ({"output": {"schema": {"type": "strin"}}}, "output.schema", "it is not valid"),
        ({"limits": {"max_cost": "0.50"}}, "limits.max_cost", "such as `500 USD`"),
        ({"limits": {"timeout": 3}}, "limits.timeout", "with its unit"),
        ({"blocks": {"tone": {"id": "wkb1-nothere"}}}, "blocks.tone.id", "no block of this id"),
        ({"variables": {"a b": {}}}, "variables.a b", "is not a name"),
        ({"tools": [{"name": "x"}, {"name": "x"}]}, "tools[1].name", "another tool"),
        ({"retrieval": {"query": "{{ question }}"}}, "retrieval", "neither a `collection`"),
    ],
)
async def test_what_cannot_be_served_is_not_kept_and_every_mistake_has_its_place(
    api: Asked, change: dict[str, Any], place: str, words: str
) -> None:
    refusal = await api.refused("/releases", recipe=SUPPORT | change)
    assert (refusal["status"], refusal["code"]) == (422, "recipe_refused")
    assert [one for one in refusal["detail"]["mistakes"] if one["place"] == place and words in one["message"]]
    assert (await api.get("/releases"))["releases"] == []


async def test_a_push_from_an_older_release_is_refused_with_what_both_sides_changed(api: Asked) -> None:
    first = await api.push("You answer shortly.")
    theirs = await api.push("You answer briefly.", parent=first)
    refusal = await api.refused("/releases", recipe=variant("You answer slowly.", model="support-chat"), parent=first)
    detail = refusal["detail"]
    assert (refusal["status"], refusal["code"]) == (409, "release_conflict")
    assert (detail["head"], detail["ancestor"]) == (theirs, first)
    assert {change["place"] for change in detail["mine"]} == {"model", "messages[0].content"}
    [change] = detail["theirs"]
    parts = [part for part in change["lines"][1]["parts"] if part["is_changed"]]
    assert parts == [{"text": "briefly", "is_changed": True}]
    assert (await api.get("/releases/support"))["id"] == theirs


async def test_nothing_is_promoted_before_every_rule_holds_and_the_refusal_says_how_to_get_there(api: Asked) -> None:
    author, approver = await api.person("ana"), await api.person("ben")
    release = await api.push("One.", by="ana")
    wish = {"feature": "support", "release": release}
    refusal = await api.refused("/environments/production/promote", "ana", **wish)
    assert (refusal["status"], refusal["code"]) == (409, "promotion_refused")
    assert [one["rule"] for one in refusal["detail"]["missing"]] == ["approvals", "gate"]
    assert f"watchkeeper release request support {release} --to production" in refusal["message"]
    assert f"watchkeeper release gate {release} --name answers" in refusal["message"]

    review = await api.post("/reviews", "ana", release=release, environment="production", message="please")
    assert (await api.reply("POST", "/reviews", "ben", json={"release": release, "environment": "production"})).json()[
        "id"
    ] == review["id"]
    own = await api.post(f"/reviews/{review['id']}/votes", "ana", verdict="approve")
    assert f"other than {author}" in own["missing"][0]["message"]
    await api.post(f"/releases/{release}/gates", "ben", name="answers", run="run-1", passed=False)
    await api.post(f"/reviews/{review['id']}/votes", "ben", verdict="reject", comment="too short")
    refusal = await api.refused("/environments/production/promote", "ana", **wish)
    assert [one["rule"] for one in refusal["detail"]["missing"]] == ["rejection", "approvals", "gate"]
    assert "has failed for it" in refusal["message"]

    await api.post(f"/releases/{release}/gates", "ben", name="answers", run="run-2", passed=True)
    ready = await api.post(f"/reviews/{review['id']}/votes", "ben", verdict="approve", comment="now")
    assert ready["missing"] == [] and [vote["by"] for vote in ready["votes"]] == [author, approver]
    done = await api.post("/environments/production/promote", "ana", **wish)
    standing = done["standing"]
    assert (standing["release"], standing["review"], standing["eval_run"]) == (release, review["id"], "run-2")
    assert (await api.get(f"/reviews/{review['id']}"))["state"] == "promoted"
    assert api.told == ["told"]


async def test_votes_are_for_one_release_and_whoever_wrote_any_part_of_it_does_not_count(api: Asked) -> None:
    for name in ("ana", "ben", "cy"):
        await api.person(name)
    first = await api.push("One.", by="ana")
    second = await api.push("Two.", parent=first, by="ben")
    review = await api.post("/reviews", "ben", release=first, environment="production")
    await api.post(f"/reviews/{review['id']}/votes", "cy", verdict="approve")
    for release in (first, second):
        await api.post(f"/releases/{release}/gates", "cy", name="answers", passed=True)
    wish = {"feature": "support", "release": second}
    assert "nobody has been asked" in (await api.refused("/environments/production/promote", "ben", **wish))["message"]
    review = await api.post("/reviews", "ben", release=second, environment="production")
    state = await api.post(f"/reviews/{review['id']}/votes", "ana", verdict="approve")
    assert "other than token:ana, token:ben" in state["missing"][0]["message"], "both wrote what is not live yet"
    await api.post("/environments/production/promote", "cy", feature="support", release=first)
    assert (await api.get(f"/reviews/{review['id']}"))["missing"] == [], "what ana wrote has been approved by cy"
    await api.post("/environments/production/promote", "ben", **wish)


async def test_a_freeze_holds_promotions_and_not_rollbacks(api: Asked) -> None:
    one = await api.push("One.")
    two = await api.push("Two.", parent=one)
    for release in (one, two):
        await api.post("/environments/free/promote", feature="support", release=release)
        api.clock.advance(10)
    await api.post("/environments/free/freeze", message="sale")
    assert not (await api.post("/environments/free/freeze"))["has_changed"]
    refusal = await api.refused("/environments/free/promote", feature="support", release=one)
    assert "free is frozen by local since" in refusal["message"] and "(sale)" in refusal["message"]
    assert "watchkeeper release unfreeze free" in refusal["message"]
    done = await api.post("/environments/free/rollback", feature="support", message="bad answers")
    assert (done["standing"]["release"], done["before"]["release"]) == (one, two)
    assert "free is frozen" in done["passed_over"][0]
    assert (await api.post("/environments/free/unfreeze"))["has_changed"]
    await api.post("/environments/free/promote", feature="support", release=two)


async def test_a_rollback_brings_in_nothing_new(api: Asked) -> None:
    one = await api.push("One.")
    two = await api.push("Two.", parent=one)
    assert (await api.refused("/environments/free/rollback", feature="support"))["code"] == "nothing_before"
    await api.post("/environments/free/promote", feature="support", release=one)
    refusal = await api.refused("/environments/free/rollback", feature="support", to=two)
    assert "never stood" in refusal["message"] and "release promote support" in refusal["message"]
    other = (await api.post("/releases", recipe=SUPPORT | {"feature": "other"}))["release"]["id"]
    refusal = await api.refused("/environments/free/promote", feature="support", release=other)
    assert (refusal["status"], refusal["code"]) == (404, "release_not_found")


async def test_what_was_live_is_told_to_the_microsecond(api: Asked) -> None:
    one = await api.push("One.")
    two = await api.push("Two.", parent=one)
    first = (await api.post("/environments/free/promote", feature="support", release=one))["standing"]
    api.clock.advance(60)
    second = (await api.post("/environments/free/promote", feature="support", release=two))["standing"]
    since, until = (datetime.fromisoformat(standing["since"]) for standing in (first, second))

    async def at(moment: datetime, feature: str = "support") -> list[tuple[str, str | None]]:
        found = await api.get("/environments/at", feature=feature, environment="free", at=moment.isoformat())
        return [(standing["release"], standing["until"]) for standing in found["standings"]]

    tick = timedelta(microseconds=1)
    assert await at(since - tick) == []
    assert await at(since) == await at(until - tick) == [(one, second["since"])]
    assert await at(until) == await at(until, "*") == [(two, None)]
    assert since - datetime.fromtimestamp(api.clock.unix_ns() / 1e9 - 60, UTC) == LEAD


async def test_a_prompt_is_tried_with_real_variables_and_what_is_wrong_with_them_is_named(api: Asked) -> None:
    found = await api.post("/releases/preview", recipe=SUPPORT, variables={"company": "Acme", "question": "Why?"})
    assert found["messages"] == [
        {"role": "system", "content": "You answer for Acme, in English."},
        {"role": "user", "content": "Why?"},
    ]
    found = await api.post("/releases/preview", recipe=SUPPORT, variables={"company": 3})
    assert found["messages"] == [] and found["mistakes"][0]["place"] in ("variables.company", "variables.question")
    await api.push("One.")
    found = await api.post("/releases/preview", release="support", variables={"company": "A", "question": "B"})
    assert found["messages"][0]["content"] == "One."


async def test_two_releases_are_compared_by_place(api: Asked) -> None:
    one = await api.push("One.")
    two = await api.push("Two.", parent=one, parameters={"temperature": 1})
    found = await api.get(f"/releases/{two}/changes", since=one)
    assert {(change["place"], change["kind"]) for change in found["changes"]} == {
        ("messages[0].content", "changed"),
        ("parameters.temperature", "changed"),
        ("parameters.max_tokens", "removed"),
    }
    await api.post("/environments/free/promote", feature="support", release=one)
    assert (await api.get("/releases/support/changes", since="support@free"))["changes"] == found["changes"]


async def test_somebody_with_one_feature_sees_and_changes_no_other(api: Asked) -> None:
    await api.push("One.")
    other = (await api.post("/releases", recipe=SUPPORT | {"feature": "other"}))["release"]["id"]
    await api.person("nobody", "read")
    await api.person("eve", features=("support",))
    seen = (await api.reply("GET", "/releases", "eve")).json()["releases"]
    assert [release["feature"] for release in seen] == ["support"]
    for method, path, body in (
        ("GET", f"/releases/{other}", None),
        ("POST", "/releases", {"recipe": SUPPORT | {"feature": "other"}, "parent": other}),
        ("POST", "/environments/free/promote", {"feature": "other"}),
        ("GET", "/environments/history?feature=other", None),
    ):
        assert (await api.reply(method, path, "eve", json=body)).status_code == 403, path
    assert (await api.reply("POST", "/releases", "nobody", json={"recipe": SUPPORT})).status_code == 403


async def test_a_name_that_nobody_declares_is_noted_where_it_is_used(api: Asked) -> None:
    api.services = replace(api.services, declared_features=lambda: frozenset({"billing"}))
    pushed = await api.post("/releases", recipe=variant("One."), parent="", message="")
    assert "feature" in [warning["place"] for warning in pushed["warnings"]]
    user = await api.post("/users", name="ana", password="long enough a word", feature="biling")
    assert "does not declare the feature 'biling'" in user["note"]
    key = await api.post("/keys", feature="billing", environment="stagin")
    assert key["note"] == "There is no environment 'stagin'; did you mean `staging`?"
    assert (await api.post("/keys", feature="billing"))["note"] is None


async def test_a_release_with_parameters_that_no_upstream_takes_or_with_guards_is_not_kept(api: Asked) -> None:
    recipe = variant("One.", parameters={"temperature": 3}, guards="strict", model="nowhere/gpt")
    refused = await api.refused("/releases", recipe=recipe, parent="", message="")
    for said in (
        "parameters.temperature: it must be a number from 0 to 2",
        "there are no guard policies yet; leave `guards` out",
        "there is no provider `nowhere`",
    ):
        assert said in refused["message"]
