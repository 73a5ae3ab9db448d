"""Rollouts over the control API: what is started, who may, and in which words what makes no sense is refused."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.control.served import Clients, Quality
from tests.integration.control.staffed import Recorded, Staffed, staffed
from tests.integration.store.filled import batch_of

from watchkeeper.access.roles import Grant
from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.store.environments import StandingDraft
from watchkeeper.testing import FakeClock

ROLLOUTS = "/api/v1/rollouts"


@dataclass(frozen=True)
class House:
    """The application with one release of a feature live and another one to be tried."""

    app: Staffed
    clock: FakeClock
    standing: str
    candidate: str

    async def started(self, **wish: Any) -> dict[str, Any]:
        """Start a rollout of the candidate, which must succeed."""
        plain = {"feature": "support", "arms": [{"release": self.candidate}]}
        reply = await self.app.ask_locally(ROLLOUTS, method="POST", json=plain | wish)
        assert reply.status_code == 201, reply.text
        self.clock.advance(1)
        found: dict[str, Any] = reply.json()
        return found

    async def refused(self, path: str = "", **wish: Any) -> tuple[int, str]:
        """Ask for what is refused; return status and message."""
        plain = {} if path else {"feature": "support", "arms": [{"release": self.candidate}]}
        reply = await self.app.ask_locally(f"{ROLLOUTS}{path}", method="POST", json=plain | wish)
        return reply.status_code, str(reply.json()["error"]["message"])

    async def said(self, path: str, **wish: Any) -> dict[str, Any]:
        """Ask for a change, which must succeed."""
        reply = await self.app.ask_locally(f"{ROLLOUTS}/{path}", method="POST", json=wish)
        assert reply.status_code == 200, reply.text
        self.clock.advance(1)
        found: dict[str, Any] = reply.json()
        return found

    async def seen(self, path: str) -> dict[str, Any]:
        reply = await self.app.ask_locally(f"{ROLLOUTS}{path}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    yield from Recorded.of(tmp_path_factory.mktemp("rollouts"))


def a_recipe(text: str, feature: str = "support") -> Recipe:
    return Recipe(feature=feature, model="support-chat", messages=(Message("system", text),))


@pytest.fixture
async def house(recorded: Recorded, tmp_path: Path) -> AsyncIterator[House]:
    async with staffed(recorded, tmp_path) as app:
        releases = app.control.releases
        first, _ = await releases.push(a_recipe("You help."), parent="", author="ana", message="first")
        second, _ = await releases.push(a_recipe("You help well."), parent=first.id, author="ana", message="better")
        draft = StandingDraft(feature="support", environment="production", kind="promote", release=first.id, by="ana")
        await app.control.environments.put(draft)
        recorded.clock.advance(1)
        yield House(app, recorded.clock, first.id, second.id)


async def test_a_canary_of_which_little_is_said_has_the_usual_plan(house: House) -> None:
    started = await house.started()
    plan = started["plan"]
    assert [step["share"] for step in plan["steps"]] == [0.05, 0.2, 0.5, 1.0]
    assert plan["guards"] == {"errors": 0.01, "parse_failures": 0.01, "latency": 0.05, "cost": 0.1, "feedback": 0.05}
    assert (plan["error_budget"], plan["widening"], plan["sticky"], plan["goal"]) == (0.05, "proven", "subject", None)
    assert (started["kind"], started["state"], started["step"]) == ("canary", "running", 1)
    assert started["arms"] == [{"release": house.candidate, "share": 0.05}]
    assert started["baseline"] == house.standing


async def test_a_release_may_be_named_by_the_beginning_of_its_id(house: House) -> None:
    started = await house.started(arms=[{"release": house.candidate[:12]}])
    assert started["arms"][0]["release"] == house.candidate


async def test_everything_of_a_plan_can_be_said(house: House) -> None:
    started = await house.started(
        steps=[0.1, 0.4], bake_s=60, least_calls=10, sticky="session", guards={"errors": None, "cost": 0.3},
        widening="unrefuted", reason="cheaper",
    )  # fmt: skip
    assert started["plan"]["steps"] == [
        {"share": 0.1, "bake_s": 60, "least_calls": 10},
        {"share": 0.4, "bake_s": 60, "least_calls": 10},
    ]
    assert started["plan"]["guards"] == {"errors": 0.01, "cost": 0.3}


async def test_the_first_share_alone_goes_on_with_the_larger_usual_ones(house: House) -> None:
    started = await house.started(arms=[{"release": house.candidate, "share": 0.3}])
    assert [step["share"] for step in started["plan"]["steps"]] == [0.3, 0.5, 1.0]


@pytest.mark.parametrize(("wish", "words"), [
    ({"steps": [0.5, 0.2]}, "the steps must grow"),
    ({"steps": [1.0]}, "the steps must grow"),
    ({"goal": "cost"}, "`goal` is of an A/B test"),
    ({"kind": "shadow", "guards": {"errors": None}}, "a shadow has no guards"),
    ({"kind": "ab", "steps": [0.5]}, "are of a canary"),
    ({"kind": "ab", "goal": "cost", "guards": {"cost": 0.1}}, "no guard of it as well"),
    ({"arms": [{"release": "wk1-aaaa"}, {"release": "wk1-bbbb"}]}, "only an A/B test tries several"),
    ({"kind": "ab", "arms": [{"release": "wk1-aaaa"}, {"release": "wk1-aaaa"}]}, "name the same release"),
    ({"kind": "ab", "arms": [{"release": "wk1-aaaa", "share": 0.6}, {"release": "wk1-bbbb", "share": 0.4}]},
     "must leave a share to the release that stands"),
    ({"sticky": "cookie"}, "sticky"),
    ({"shares": 1}, "`shares` is not known"),
])  # fmt: skip
async def test_what_is_no_plan_is_refused_in_words(house: House, wish: dict[str, Any], words: str) -> None:
    status, message = await house.refused(**wish)
    assert status == 422 and words in message
    assert (await house.seen(""))["rollouts"] == []


async def test_an_unknown_release_is_refused(house: House) -> None:
    assert await house.refused(arms=[{"release": "wk1-zzzz"}]) == (
        404, "There is no one release 'wk1-zzzz': `watchkeeper release history FEATURE` lists."
    )  # fmt: skip


async def test_a_release_of_another_feature_is_refused(house: House) -> None:
    other, _ = await house.app.control.releases.push(
        a_recipe("You count.", "payroll"), parent="", author="ana", message="first"
    )
    status, message = await house.refused(arms=[{"release": other.id}])
    assert status == 404 and "is a release of payroll and not of support" in message


async def test_a_rollout_goes_on_by_hand_to_its_end(house: House) -> None:
    started = await house.started()
    rollout = started["id"]
    assert (await house.said(f"{rollout}/pause", reason="lunch"))["state"] == "paused"
    assert (await house.said(f"{rollout}/resume"))["state"] == "running"
    assert (await house.said(f"{rollout}/widen"))["arms"][0]["share"] == 0.2
    await house.said(f"{rollout}/widen")
    done = await house.said(f"{rollout}/widen", reason="enough")
    assert (done["state"], done["outcome"]) == ("done", "enough")
    (standing,) = await house.app.control.environments.current("support")
    assert standing.release == house.candidate and standing.rollout is None
    status, message = await house.refused(f"/{rollout}/widen")
    assert status == 409 and "has ended (done)" in message
    whole = await house.seen(f"/{rollout}")
    assert [look["decision"] for look in whole["decisions"]] == ["by hand"] * 5


async def test_a_test_is_concluded_with_its_winner(house: House) -> None:
    started = await house.started(kind="ab", goal="cost", guards={"errors": None})
    assert started["arms"][0]["share"] == 0.5
    status, message = await house.refused(f"/{started['id']}/conclude", winner="wk1-other")
    assert status == 409 and "is no release of" in message
    done = await house.said(f"{started['id']}/conclude", winner=house.candidate[:14])
    assert done["state"] == "done"
    (standing,) = await house.app.control.environments.current("support")
    assert (standing.kind, standing.release) == ("ab_done", house.candidate)


async def test_figures_name_money_with_its_status_and_errors_by_class(house: House) -> None:
    started = await house.started()
    clients = Clients(house.clock, seed=5)
    made = [
        clients.one(house.standing, Quality(errors=0, cost_nusd=2_000_000), rollout=started["id"], subject=f"s{number}")
        for number in range(5)
    ]
    made += [
        clients.one(house.candidate, Quality(errors=1), rollout=started["id"], subject="s9"),
        clients.one(house.candidate, Quality(errors=0, cost_nusd=None), rollout=started["id"], subject="s9"),
    ]
    house.app.services.analytics.insert_calls(batch_of(made), token=started["id"])
    arms = {arm["release"]: arm for arm in (await house.seen(f"/{started['id']}"))["figures"]}
    assert arms[house.standing]["calls"] == 5 and float(arms[house.standing]["cost_usd"]) > 0
    assert arms[house.candidate]["errors"] == {"upstream_error": 1}
    assert (arms[house.candidate]["unpriced"], arms[house.candidate]["cost_usd"]) == (1, "0")


async def test_a_shadow_shows_where_answers_differ_and_that_somebody_has_read_them(house: House) -> None:
    started = await house.started(kind="shadow")
    clients = Clients(house.clock, seed=6)
    own = clients.one(house.standing, Quality(errors=0), rollout=started["id"], subject="s1")
    copy = clients.one(
        house.candidate, Quality(errors=0), rollout=started["id"], subject="s1", origin="shadow", of=own.id
    )
    copy.response_body = copy.response_body.replace(b"on its way", b"not there")
    house.app.services.analytics.insert_calls(batch_of([own, copy]), token=started["id"])
    whole = await house.seen(f"/{started['id']}")
    assert (whole["pairs"]["pairs"], whole["pairs"]["same"]) == (1, 0)
    assert [arm["is_shadow"] for arm in whole["figures"]] == [False, True]

    viewer = await house.app.user("cleo", Grant("viewer", "support"))
    assert (await house.app.ask(f"{ROLLOUTS}/{started['id']}/differences", viewer)).status_code == 403
    reader = await house.app.user("ana", Grant("author", "support"))
    reply = await house.app.ask(f"{ROLLOUTS}/{started['id']}/differences", reader)
    (difference,) = reply.json()["differences"]
    assert (difference["call"], difference["copy_call"]) == (own.id, copy.id)
    assert "".join(one["text"] for one in difference["passages"] if one["place"] != "second") == "It is on its way."
    assert "".join(one["text"] for one in difference["passages"] if one["place"] != "first") == "It is not there."
    assert {change.detail["call"] for change in await house.app.changes("access")} == {own.id, copy.id}


async def test_rollouts_are_for_who_may_promote_and_are_seen_by_who_may_read_the_feature(house: House) -> None:
    started = await house.started()
    wish = {"feature": "support", "arms": [{"release": house.candidate}]}
    viewer = await house.app.token("viewer", "read", features=["support"])
    stranger = await house.app.token("stranger", "read", "promote", features=["payroll"])
    assert (await house.app.ask(ROLLOUTS, viewer, method="POST", json=wish)).status_code == 403
    assert (await house.app.ask(ROLLOUTS, stranger, method="POST", json=wish)).status_code == 403
    assert (await house.app.ask(f"{ROLLOUTS}/{started['id']}", stranger)).status_code == 403
    assert (await house.app.ask(ROLLOUTS, stranger)).json() == {"rollouts": []}
    assert len((await house.app.ask(ROLLOUTS, viewer)).json()["rollouts"]) == 1
    stop = f"{ROLLOUTS}/{started['id']}/stop"
    assert (await house.app.ask(stop, viewer, method="POST", json={})).status_code == 403
    operator = await house.app.token("operator", "read", "operate", features=["support"])
    widen = f"{ROLLOUTS}/{started['id']}/widen"
    assert (await house.app.ask(widen, operator, method="POST", json={})).status_code == 403
    assert (await house.app.ask(stop, operator, method="POST", json={})).json()["state"] == "stopped"


async def test_an_unknown_rollout_is_a_404_that_says_where_to_look(house: House) -> None:
    reply = await house.app.ask_locally(f"{ROLLOUTS}/rollout-0")
    assert reply.status_code == 404 and "rollout list" in reply.json()["error"]["message"]
    assert (await house.refused("/rollout-0/dance"))[0] == 422
