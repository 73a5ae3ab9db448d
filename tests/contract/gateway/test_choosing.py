"""Which target answers first, and why."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import ask, call_of

from watchkeeper.testing import Delivery, Reply, Upstream, overloaded

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def routing(gateway: Gateway, reply: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call_of(gateway, reply).routing)
    return found


def test_a_single_target_has_no_routing_to_explain(gateway: Gateway, http: httpx.Client) -> None:
    assert call_of(gateway, ask(http, "one")).routing == b""


def test_shares_are_kept(http: httpx.Client, upstream: Upstream, spare: Upstream) -> None:
    for _ in range(60):
        ask(http, "split")
    assert len(upstream.received) + len(spare.received) == 60
    assert 12 <= len(upstream.received) <= 48  # six standard deviations


def test_the_same_session_always_gets_the_same_target(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    where = {}
    for number in range(20):
        replies = [ask(http, "sticky", headers={"x-wk-session": f"s{number}"}) for _ in range(3)]
        targets = {call_of(gateway, reply).attempts[0].provider for reply in replies}
        assert len(targets) == 1
        where[number] = targets.pop()
    assert set(Counter(where.values())) == {"scripted", "spare"}


def test_a_draw_that_fails_falls_back_to_the_other(http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(overloaded())
    assert {ask(http, "split").status_code for _ in range(10)} == {200}


def test_the_quickest_of_late_is_asked_first(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(Reply("slow", delivery=Delivery(head_s=0.2)))
    for _ in range(2):
        ask(http, "quickest")  # both are measured
    before = len(spare.received)
    found = routing(gateway, ask(http, "quickest"))
    assert len(spare.received) == before + 1
    scores = {one["target"]: one["score"] for one in found["candidates"]}
    assert scores["scripted/gpt-4o-mini"] > scores["spare/gpt-4o"] > 0
    gateway.clock.added_s += 40  # an idle connection is closed later
    upstream.always(Reply("quick now"))
    spare.always(Reply("slow now", delivery=Delivery(head_s=0.4)))
    for _ in range(3):
        ask(http, "quickest")
    assert routing(gateway, ask(http, "quickest"))["candidates"][0]["target"] == "scripted/gpt-4o-mini"


def test_the_cheapest_for_this_request_is_asked_first(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    found = routing(gateway, ask(http, "cheapest"))
    assert len(upstream.received) == 1, "gpt-4o-mini costs less than gpt-4o"
    prices = [one["score"] for one in found["candidates"]]
    assert prices == sorted(prices)
    assert (found["strategy"], found["candidates"][0]["target"]) == ("price", "scripted/gpt-4o-mini")


@pytest.mark.parametrize(
    ("fields", "headers", "rule"),
    [
        ({}, {}, None),
        ({"tools": [TOOL]}, {}, 1),
        ({"messages": [{"role": "user", "content": "word " * 200}]}, {}, 2),
        ({"messages": [{"role": "user", "content": "Wie spät ist es gerade in Berlin, bitte?"}]}, {}, 3),
        ({}, {"x-wk-meta-plan": "gold", "x-wk-tenant": "acme"}, 4),
        ({}, {"x-wk-meta-plan": "gold"}, None),
        ({}, {"x-wk-tags": "beta, vip"}, 5),
    ],
)
def test_a_rule_on_the_request_picks_the_tier(
    gateway: Gateway, http: httpx.Client, fields: dict[str, Any], headers: dict[str, str], rule: int | None
) -> None:
    reply = ask(http, "tiered", headers=headers, **fields)
    found = routing(gateway, reply)
    assert (found.get("rule"), found["tier"]) == (rule, "cheap" if rule is None else "best")
    assert call_of(gateway, reply).attempts[0].provider == ("scripted" if rule is None else "spare")
