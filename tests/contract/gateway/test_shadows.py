"""A copy of a call is made under the release that is tried; the client notices nothing."""

from collections.abc import Iterator

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import call_of, said

from watchkeeper.core.call import Call
from watchkeeper.releases.recipe import Message, Recipe
from watchkeeper.releases.standing import Arm, Rollout
from watchkeeper.testing import ErrorReply, Reply, Upstream, wait_until

STANDING = Recipe(feature="echo", model="gpt-4o-mini", messages=(Message("user", "Say {{ a }}"),), variables={"a": {}})
TRIED = Recipe(feature="echo", model="gpt-4o-mini", messages=(Message("user", "Tell {{ a }}"),), variables={"a": {}})


@pytest.fixture
def tried(gateway: Gateway) -> Iterator[str]:
    tried = gateway.push(TRIED)
    gateway.push(STANDING, rollout=Rollout("ro-s", "shadow", (Arm(tried, 1.0),)))
    yield tried
    gateway.features.follow(type(gateway.features.live)(0, {}))


def ask(http: httpx.Client, model: str = "feature/echo", **headers: str) -> httpx.Response:
    body = {"model": model, "variables": {"a": "x"}, "stream": False}
    return http.post("/chat/completions", json=body, headers=headers)


def shadow_of(gateway: Gateway, call_id: str) -> Call:
    return wait_until(lambda: next((call for call in gateway.recorder.calls if call.origin_call == call_id), None))


def test_a_copy_is_made_under_the_release_that_is_tried(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, tried: str
) -> None:
    upstream.plays(Reply("first"), Reply("second"))
    reply = ask(http, **{"x-wk-subject": "ana", "x-wk-cache": "off"})
    assert said(reply) == "first"
    original, copy = call_of(gateway, reply), shadow_of(gateway, reply.headers["x-wk-call-id"])
    assert (copy.origin, copy.release, original.origin) == ("shadow", tried, "client")
    assert (copy.subject, copy.feature, copy.environment, copy.rollout) == (
        original.subject, "echo", "production", "ro-s",
    )  # fmt: skip
    assert [one.json["messages"][0]["content"] for one in upstream.received] == ["Say x", "Tell x"]
    assert copy.cost_nusd


def test_a_copy_that_fails_harms_nobody(gateway: Gateway, http: httpx.Client, upstream: Upstream, tried: str) -> None:
    upstream.plays(Reply("first"), ErrorReply(500), Reply("third"), Reply("fourth"))
    reply = ask(http)
    assert said(reply) == "first"
    assert shadow_of(gateway, reply.headers["x-wk-call-id"]).status == "error"
    assert said(ask(http)) == "third"


def test_a_share_of_the_calls_is_copied(gateway: Gateway, http: httpx.Client, upstream: Upstream, tried: str) -> None:
    gateway.push(STANDING, rollout=Rollout("ro-t", "shadow", (Arm(tried, 0.3),), "call"))
    for _ in range(40):
        ask(http)
    wait_until(lambda: len(gateway.recorder.calls) > 40 or None)
    copies = [call for call in gateway.recorder.calls if call.origin == "shadow"]
    assert 2 <= len(copies) <= 28
    assert not any(call.origin_call in {copy.id for copy in copies} for call in copies)
