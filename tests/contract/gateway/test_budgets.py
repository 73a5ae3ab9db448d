"""Money that is limited: what is held before a call, what is settled after it, and what a client is told in between."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.money import CENT
from tests.contract.gateway.test_failing_over import call_of

from watchkeeper.core.call import Call
from watchkeeper.testing import Delivery, Reply, StreamCut, Upstream, overloaded

SHORT: dict[str, Any] = {"max_tokens": 50}
STRICT = {"x-wk-tags": "strict-dollar"}


@pytest.fixture(autouse=True)
def _fresh(gateway: Gateway) -> Iterator[None]:
    """Nobody has spent anything, and nobody holds anything."""
    yield
    gateway.ledger.is_away = False
    gateway.ledger.is_generous = True
    gateway.forget_money()
    gateway.ledger.settled.clear()
    gateway.ledger.leased.clear()


def ask(http: httpx.Client, tag: str, model: str = "gpt-4o-mini", **said: Any) -> httpx.Response:
    headers = {"x-wk-tags": tag, **said.pop("headers", {})}
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **said}
    return http.post("/chat/completions", json=body, headers=headers)


def charge_of(call: Call, rule: str) -> Any:
    return next(charge for charge in call.charges if charge.rule == rule)


def test_what_a_call_has_used_is_drawn_and_the_rest_of_its_hold_goes_back(gateway: Gateway, http: httpx.Client) -> None:
    call = call_of(gateway, ask(http, "cent", **SHORT))
    charge = charge_of(call, "cent")
    assert call.cost_nusd and charge.amount == charge.drawn == call.cost_nusd
    assert charge.held > charge.amount
    assert charge.key == "cent|cent" and call.holder == "worker-0.1"
    gateway.forget_money()
    assert gateway.ledger.leased["cent|cent"] == call.cost_nusd  # the ledger settles it when the record comes


def test_a_call_that_does_not_fit_is_refused_before_it_costs_anything(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    gateway.ledger.settled["cent|cent"] = CENT - 10
    reply = ask(http, "cent", **SHORT)
    assert reply.status_code == 429 and not upstream.received
    error = reply.json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
    assert reply.headers["x-should-retry"] == "false"
    assert "`cent` of tag cent" in error["message"] and "0.01 USD" in error["message"]
    assert "0.00999999 USD used" in error["message"] and "does not start again" in error["message"]
    call = call_of(gateway, reply)
    assert (call.status, call.error_class, call.charges, call.cost_nusd) == ("error", "budget_exceeded", [], 0)


def test_a_refusal_says_when_the_window_ends(gateway: Gateway, http: httpx.Client) -> None:
    gateway.ledger.settled["monthly|monthly"] = CENT
    message = ask(http, "monthly", **SHORT).json()["error"]["message"]
    assert "calendar month (Europe/Berlin)" in message and "It starts again at 20" in message


def test_an_anthropic_client_is_told_the_same(gateway: Gateway, http: httpx.Client) -> None:
    gateway.ledger.settled["cent|cent"] = CENT
    body = {"model": "sonnet", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    reply = http.post("/messages", json=body, headers={"x-wk-tags": "cent"})
    assert reply.status_code == 429
    assert reply.json()["error"]["type"] == "rate_limit_error" and reply.json()["error"]["code"] == "budget_exceeded"


def test_a_hold_covers_the_longest_answer_there_may_be(gateway: Gateway, http: httpx.Client) -> None:
    short, long = (charge_of(call_of(gateway, ask(http, "cent", max_tokens=n)), "cent") for n in (10, 2_000))
    assert 0 <= long.held - short.held - 1_990 * 600 < 1_000  # 0.60 USD for a million tokens; two bytes more are sent
    two = charge_of(call_of(gateway, ask(http, "cent", max_tokens=10, n=2)), "cent")
    assert 10 * 600 <= two.held - short.held < 10 * 600 + 2_000


def test_far_from_the_limit_a_hold_is_what_calls_mostly_need(gateway: Gateway, http: httpx.Client) -> None:
    first = charge_of(call_of(gateway, ask(http, "roomy", "alias", max_tokens=4_000)), "roomy")
    for _ in range(160):
        ask(http, "roomy", "alias", max_tokens=4_000)
    later = charge_of(call_of(gateway, ask(http, "roomy", "alias", max_tokens=4_000)), "roomy")
    assert later.amount <= later.held < first.held / 10
    strict = charge_of(call_of(gateway, ask(http, "strict-cent", "alias", max_tokens=4_000)), "strict-cent")
    assert strict.held == first.held


def test_many_at_once_never_spend_more_than_there_is(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(Reply("word " * 40, delivery=Delivery(head_s=0.05)))
    statuses: list[int] = []

    def some() -> None:
        with httpx.Client(base_url=str(http.base_url), headers=http.headers, timeout=30) as client:
            refused = 0
            while refused < 20:  # one after another: it is over
                statuses.append(status := ask(client, "strict-cent", max_tokens=2_000).status_code)
                refused = refused + 1 if status == 429 else 0
                time.sleep(0.02 if refused else 0)

    threads = [threading.Thread(target=some) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    charges = [charge for call in gateway.recorder.calls for charge in call.charges if charge.rule == "strict-cent"]
    spent = sum(charge.amount or 0 for charge in charges)
    assert CENT // 2 < spent <= CENT
    assert len(charges) == statuses.count(200)


def test_a_soft_budget_only_counts(gateway: Gateway, http: httpx.Client) -> None:
    gateway.ledger.settled["soft-cent|soft-cent"] = 2 * CENT
    asked = gateway.ledger.asked
    charge = charge_of(call_of(gateway, ask(http, "soft-cent", **SHORT)), "soft-cent")
    assert (charge.held, charge.drawn) == (0, 0) and charge.amount > 0
    assert gateway.ledger.asked == asked


def test_a_shadow_budget_says_what_it_would_have_refused(gateway: Gateway, http: httpx.Client) -> None:
    assert call_of(gateway, ask(http, "shadow-cent", **SHORT)).budget_notes == []
    gateway.forget_money()
    gateway.ledger.settled["shadow-cent|shadow-cent"] = CENT
    call = call_of(gateway, ask(http, "shadow-cent", **SHORT))
    assert (call.status, call.budget_notes) == ("ok", ["would_refuse shadow-cent"])
    assert charge_of(call, "shadow-cent").amount == call.cost_nusd


def test_a_budget_that_runs_low_sends_calls_to_a_cheaper_tier_then_to_the_cache_only(
    gateway: Gateway, http: httpx.Client, spare: Upstream
) -> None:
    assert call_of(gateway, ask(http, "degrading", "tiers", **SHORT)).attempts[0].provider == "scripted"
    gateway.forget_money()
    gateway.ledger.settled["degrading|degrading"] = 81 * CENT
    call = call_of(gateway, ask(http, "degrading", "tiers", **SHORT))
    assert (call.attempts[0].provider, call.budget_notes) == ("spare", ["degraded degrading"])
    gateway.forget_money()
    gateway.ledger.settled["degrading|degrading"] = 96 * CENT
    reply = ask(http, "degrading", "tiers", **SHORT)
    assert reply.status_code == 429 and "only the cache answers" in reply.json()["error"]["message"]


def test_each_person_has_a_budget_of_their_own(http: httpx.Client) -> None:
    statuses = [ask(http, "person", headers={"x-wk-subject": name}).status_code for name in "aabba"]
    assert statuses == [200, 200, 200, 200, 429]


def test_calls_and_tokens_are_counted_like_money(gateway: Gateway, http: httpx.Client) -> None:
    assert [ask(http, "three-calls").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    call = call_of(gateway, ask(http, "many-tokens", **SHORT))
    assert call.usage is not None
    assert charge_of(call, "many-tokens").amount == call.usage.input_tokens + call.usage.output_tokens


def test_a_call_that_failed_for_nothing_gives_its_hold_back(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.always(overloaded())
    reply = ask(http, "strict-cent", **SHORT)
    assert reply.status_code >= 500
    gateway.forget_money()
    assert gateway.ledger.leased["strict-cent|strict-cent"] == 0


def test_a_cut_stream_is_charged_for_what_came(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(StreamCut(after_tokens=3))
    with pytest.raises(httpx.RemoteProtocolError):
        ask(http, "cent", stream=True, max_tokens=2_000)
    call = gateway.last_call()
    charge = charge_of(call, "cent")
    assert call.cost_status == "estimated" and charge.amount == call.cost_nusd and 0 < charge.amount < charge.held


def test_nobody_spends_what_nobody_can_price(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    reply = ask(http, "cent", "unpriced/some-model")
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "price_unknown")
    assert not upstream.received
    call = call_of(gateway, ask(http, "careless", "unpriced/some-model"))
    assert (call.status, charge_of(call, "careless").amount) == ("ok", None)


def test_without_the_ledger_a_worker_spends_what_it_has_and_then_refuses(gateway: Gateway, http: httpx.Client) -> None:
    assert ask(http, "cent", **SHORT).status_code == 200
    gateway.ledger.is_away = True
    statuses = [ask(http, "cent", **SHORT).status_code for _ in range(400)]
    assert statuses[0] == 200 and statuses[-1] == 503
    refused = ask(http, "cent", **SHORT)
    assert refused.json()["error"]["code"] == "budget_unsure" and refused.headers["retry-after"]
    trusted = call_of(gateway, ask(http, "trusting", **SHORT))
    assert (trusted.status, trusted.budget_notes) == ("ok", ["unsure trusting"])


def test_a_neighbour_gets_back_what_lies_unused(gateway: Gateway, http: httpx.Client) -> None:
    ask(http, "cent", **SHORT)
    assert gateway.ledger.leased["cent|cent"] > 100_000
    gateway.run(lambda: gateway.purse.on_recall(("cent|cent", "nobody|x")))
    assert gateway.ledger.leased["cent|cent"] < 100_000
    assert ask(http, "cent", **SHORT).status_code == 200


def test_what_is_called_back_from_the_asker_itself_does_not_make_it_ask_for_ever(
    gateway: Gateway, http: httpx.Client
) -> None:
    gateway.ledger.is_generous = False
    charge = charge_of(call_of(gateway, ask(http, "strict-cent", max_tokens=2_000)), "strict-cent")
    gateway.ledger.settled["strict-cent|strict-cent"] = CENT - charge.held - 10_000
    asked = gateway.ledger.asked
    assert ask(http, "strict-cent", max_tokens=2_100).status_code == 429
    assert gateway.ledger.asked - asked < 4


def test_far_from_the_limit_what_calls_could_need_does_not_refuse_any(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    """Two hundred at once could need more than is left, and need a hundredth of it."""
    for _ in range(110):
        ask(http, "seventy", "alias", max_tokens=4_000)
    gateway.forget_money()
    gateway.ledger.settled["seventy|seventy"] = 70 * CENT // 2
    upstream.always(Reply("short", delivery=Delivery(head_s=0.2)))
    statuses: list[int] = []

    def some() -> None:
        with httpx.Client(base_url=str(http.base_url), headers=http.headers, timeout=30) as client:
            statuses.extend(ask(client, "seventy", "alias", max_tokens=4_000).status_code for _ in range(3))

    threads = [threading.Thread(target=some) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 300
    held = charge_of(gateway.recorder.calls[0], "seventy").held
    assert 100 * held > 15 * CENT, "all at once could need more than there is"


def test_an_absurd_request_is_refused_and_takes_nobody_with_it(http: httpx.Client) -> None:
    bodies: list[dict[str, Any]] = [{"n": 10**7, "max_tokens": 10**9}, {"n": 10**9, "max_tokens": 10**9}]
    for body in bodies:
        assert ask(http, "cent", **body).status_code == 429, body
    assert ask(http, "cent", **SHORT).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "answers"),
    [
        ("/completions", {"prompt": ["a"] * 20, "max_tokens": 50}, 20 * 50),
        ("/completions", {"prompt": [1, 2, 3], "max_tokens": 50}, 50),
        ("/completions", {"prompt": [[1, 2], [3]], "max_tokens": 50, "n": 2}, 2 * 2 * 50),
        ("/completions", {"prompt": "a", "best_of": 7, "n": 1, "max_tokens": 50}, 7 * 50),
        ("/chat/completions", {"messages": [], "max_completion_tokens": 1, "max_tokens": 90}, 90),
        ("/chat/completions", {"messages": [], "max_tokens": True}, 16_384),
    ],
)
def test_a_hold_counts_every_answer_that_is_paid_for(
    gateway: Gateway, http: httpx.Client, path: str, body: dict[str, Any], answers: int
) -> None:
    reply = http.post(path, json={"model": "gpt-4o-mini", **body}, headers=STRICT)
    assert charge_of(call_of(gateway, reply), "strict-dollar").held >= answers * 600


def test_what_is_not_in_the_body_is_held_too(gateway: Gateway, http: httpx.Client) -> None:
    body = {"model": "gpt-4o-mini", "input": "go on", "previous_response_id": "resp_1", "max_output_tokens": 1}
    reply = http.post("/responses", json=body, headers=STRICT)
    assert charge_of(call_of(gateway, reply), "strict-dollar").held >= 200_000 * 150
    kept = {"type": "item_reference", "id": "msg_1"}
    reply = http.post("/responses", json=body | {"previous_response_id": None, "input": [kept]}, headers=STRICT)
    assert charge_of(call_of(gateway, reply), "strict-dollar").held >= 200_000 * 150
    escaped = (
        b'{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":'
        b'[{"type":"\\u0069mage_url","\\u0069mage_url":{"url":"http://x"}}]}]}'
    )
    reply = http.post("/chat/completions", content=escaped, headers=STRICT)
    assert charge_of(call_of(gateway, reply), "strict-dollar").held >= 50_000 * 150


def test_no_call_waits_for_a_ledger_that_has_just_not_answered(gateway: Gateway, http: httpx.Client) -> None:
    gateway.ledger.is_away = True
    asked = gateway.ledger.asked
    assert {ask(http, "trusting", **SHORT).status_code for _ in range(20)} == {200}
    assert gateway.ledger.asked - asked == 1


def test_a_providers_own_api_keeps_to_a_budget_that_is_used_up(gateway: Gateway, http: httpx.Client) -> None:
    gateway.ledger.settled["many-tokens|many-tokens"] = 1_000_000
    headers = {"x-wk-tags": "many-tokens"}
    assert http.post(f"{gateway.origin}/scripted/anything", json={}, headers=headers).status_code == 429
    assert http.get(f"{gateway.origin}/scripted/anything", headers=headers).status_code != 429


def test_models_in_the_body_do_not_step_around_a_budget_that_runs_low(gateway: Gateway, http: httpx.Client) -> None:
    gateway.ledger.settled["degrading|degrading"] = 85 * CENT
    body = {"models": ["tiers"], "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 9}
    reply = http.post("/chat/completions", json=body, headers={"x-wk-tags": "degrading"})
    assert call_of(gateway, reply).attempts[0].provider == "spare"


def test_targets_that_a_failure_leads_to_must_be_priced_too(http: httpx.Client) -> None:
    assert ask(http, "cent", "falls-to-unpriced", **SHORT).json()["error"]["code"] == "price_unknown"


def test_a_long_answer_is_kept_within_the_budget_of_one_call(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    assert ask(http, "short").status_code == 200
    assert 0 < upstream.received[-1].json["max_tokens"] < 1_000
    assert ask(http, "short", max_tokens=100).status_code == 200
    assert upstream.received[-1].json["max_tokens"] == 100
    refused = ask(http, "short", max_tokens=1_500)
    assert refused.status_code == 429 and "for one call" in refused.json()["error"]["message"]
    assert ask(http, "cheap-call", max_tokens=1_000).status_code == 200
    assert ask(http, "cheap-call", max_tokens=2_000).status_code == 429


def test_the_client_itself_may_say_what_a_call_may_cost(http: httpx.Client) -> None:
    assert ask(http, "x", max_tokens=1_000, headers={"x-wk-max-cost": "0.001"}).status_code == 200
    refused = ask(http, "x", max_tokens=2_000, headers={"x-wk-max-cost": "0.001"})
    assert refused.status_code == 429 and "`x-wk-max-cost`" in refused.json()["error"]["message"]
    nonsense = ask(http, "x", headers={"x-wk-max-cost": "a lot"})
    assert nonsense.status_code == 400 and "x-wk-max-cost" in nonsense.json()["error"]["message"]


def test_a_missing_limit_of_tokens_is_put_into_the_request_where_the_route_says_so(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    ask(http, "x", "limiting")
    assert upstream.received[-1].json["max_tokens"] == 77
    ask(http, "x", "limiting", max_tokens=5)
    assert upstream.received[-1].json["max_tokens"] == 5
    ask(http, "x", "limiting", max_completion_tokens=6)
    assert "max_tokens" not in upstream.received[-1].json


def test_requests_in_a_window_are_limited_and_the_client_knows_where_it_stands(http: httpx.Client) -> None:
    replies = [ask(http, "three-a-minute") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
    assert [reply.headers["x-ratelimit-remaining-requests"] for reply in replies[:3]] == ["2", "1", "0"]
    assert replies[0].headers["x-ratelimit-limit-requests"] == "3"
    assert 0 < float(replies[0].headers["x-ratelimit-reset-requests"].rstrip("s")) <= 60
    last = replies[3]
    assert last.json()["error"]["code"] == "rate_limit_exceeded" and last.json()["error"]["type"] == "rate_limit_error"
    assert 0 < int(last.headers["retry-after"]) <= 60 and last.headers["x-should-retry"] == "true"


def test_a_window_that_is_over_starts_again(gateway: Gateway, http: httpx.Client) -> None:
    assert [ask(http, "three-a-minute").status_code for _ in range(4)][-1] == 429
    gateway.clock.added_s += 61
    assert ask(http, "three-a-minute").status_code == 200


def test_tokens_in_a_window_are_limited(http: httpx.Client) -> None:
    statuses = [ask(http, "tokens-a-minute", max_tokens=25_000).status_code for _ in range(2)]
    assert statuses == [200, 200]
    assert ask(http, "tokens-a-minute", max_tokens=59_000).status_code == 200  # the first two took far less


def test_calls_at_a_time_are_limited(http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Reply("slow", delivery=Delivery(head_s=0.5)))
    found: list[int] = []

    def slow() -> None:
        with httpx.Client(base_url=str(http.base_url), headers=http.headers, timeout=30) as client:
            found.append(ask(client, "one-at-a-time").status_code)

    thread = threading.Thread(target=slow)
    thread.start()
    while not upstream.received:
        pass
    refused = ask(http, "one-at-a-time")
    thread.join()
    assert (found, refused.status_code) == ([200], 429)
    assert "under way" in refused.json()["error"]["message"]
    assert ask(http, "one-at-a-time").status_code == 200


def test_a_session_that_does_not_end_is_stopped(http: httpx.Client) -> None:
    replies = [ask(http, "agent", headers={"x-wk-session": "s"}) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["error"]["code"] == "runaway"


@pytest.mark.parametrize(("times", "status"), [(3, 200), (4, 429)])
def test_the_same_tool_call_over_and_over_is_stopped(http: httpx.Client, times: int, status: int) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Look."}]
    for number in range(times):
        arguments = '{"a":1,"b":2}' if number % 2 else '{ "b": 2, "a": 1 }'
        called = {"id": f"c{number}", "type": "function", "function": {"name": "look", "arguments": arguments}}
        messages.append({"role": "assistant", "tool_calls": [called]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": "nothing"})
    reply = http.post("/chat/completions", json={"model": "gpt-4o-mini", "messages": messages})
    assert reply.status_code == status
    if status == 429:
        assert "`look` 4 times" in reply.json()["error"]["message"]


def test_a_huge_call_is_stopped(http: httpx.Client) -> None:
    reply = ask(http, "x", max_tokens=4_000_000)
    assert reply.status_code == 429 and "4,000,00" in reply.json()["error"]["message"]


def test_an_answer_from_the_cache_costs_no_budget_anything(gateway: Gateway, http: httpx.Client) -> None:
    first, second = (call_of(gateway, ask(http, "cent", "cached", **SHORT)) for _ in range(2))
    assert first.charges and second.served_from == "cache"
    assert all(not charge.amount for charge in second.charges)
