"""When an attempt fails, what happens next was decided on purpose, is bounded, and is written down."""

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.routes import ROUTES

from watchkeeper.core.call import Call
from watchkeeper.testing import (
    Asked,
    BrokenEvent,
    Delivery,
    ErrorReply,
    Reply,
    Script,
    Silence,
    StreamCut,
    Upstream,
    content_policy_violation,
    context_length_exceeded,
    overloaded,
    rate_limited,
)
from watchkeeper.testing.steps import Step

TEXT = "one two three four five six seven eight"
ASK: list[dict[str, Any]] = [{"role": "user", "content": "count"}]


def ask(http: httpx.Client, model: str, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    return http.post("/chat/completions", json={"model": model, "messages": ASK, **fields}, headers=headers or {})


def call_of(gateway: Gateway, reply: httpx.Response) -> Call:
    return gateway.call(reply.headers["x-wk-call-id"])


def said(reply: httpx.Response) -> str:
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return str(reply.json()["choices"][0]["message"]["content"])
    chunks = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", ()))


def decisions(call: Call) -> list[str]:
    return [decision["then"] for decision in json.loads(call.routing).get("decisions", ())]


class TooLong:
    """Refuses a conversation of more turns than fit."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        is_too_long = len(asked.json["messages"]) > self._turns
        return (context_length_exceeded() if is_too_long else Reply(TEXT)).steps(asked)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "failure", [overloaded(), ErrorReply(500), BrokenEvent(after_tokens=0)], ids=["503", "500", "junk"]
)
def test_a_passing_failure_is_tried_again_at_the_same_target(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream, failure: Script, stream: bool
) -> None:
    if stream and isinstance(failure, BrokenEvent):
        pytest.skip("a stream goes on behind an event that cannot be read")
    upstream.plays(failure, Reply(TEXT))
    reply = ask(http, "two", stream=stream)
    assert said(reply) == TEXT
    assert (len(upstream.received), len(spare.received)) == (2, 0)
    call = call_of(gateway, reply)
    assert [attempt.kind for attempt in call.attempts] == ["first", "retry"]
    assert decisions(call) == ["retry"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_lasting_failure_is_left_for_the_next_target(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream, stream: bool
) -> None:
    upstream.always(overloaded())
    spare.plays(Reply(TEXT))
    reply = ask(http, "two", stream=stream)
    assert said(reply) == TEXT
    assert reply.headers["x-wk-target"] == "spare/gpt-4o"
    call = call_of(gateway, reply)
    assert [attempt.kind for attempt in call.attempts] == ["first", "retry", "fallback"]
    assert (call.status, call.served_from) == ("ok", "upstream")


def test_retry_after_is_kept_where_there_is_no_other_target(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.plays(rate_limited(retry_after_s=1.2), Reply(TEXT))
    reply = ask(http, "one")
    assert said(reply) == TEXT
    first, second = upstream.received
    assert second.came_at - first.came_at >= 1.2
    assert call_of(gateway, reply).attempts[1].waited_ms >= 1200


def test_a_target_that_asks_for_a_pause_is_left_alone_by_all_calls(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.plays(rate_limited(retry_after_s=9))
    assert ask(http, "two").status_code == 200
    reply = ask(http, "two")
    assert (len(upstream.received), len(spare.received)) == (1, 2)
    [first, _] = json.loads(call_of(gateway, reply).routing)["candidates"]
    assert "asked to be left alone" in first["excluded"]
    gateway.clock.added_s += 10
    ask(http, "two")
    assert len(upstream.received) == 2


def test_a_client_that_tries_again_itself_gets_no_retries_on_top(http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(overloaded())
    ask(http, "one", headers={"x-stainless-retry-count": "1"})
    assert len(upstream.received) == 1


def test_retries_add_a_bounded_share_to_a_targets_load(http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(ErrorReply(429))
    for _ in range(40):
        ask(http, "one")
    assert len(upstream.received) <= 40 + 10 + 40 * 0.2 + 1


@pytest.mark.parametrize(("failures", "told"), [(1, "true"), (2, "false")])
def test_the_error_says_whether_trying_again_is_worth_it(
    http: httpx.Client, upstream: Upstream, failures: int, told: str
) -> None:
    upstream.always(overloaded())
    headers = {"x-stainless-retry-count": "1"} if failures == 1 else {}
    assert ask(http, "one", headers=headers).headers["x-should-retry"] == told


@pytest.mark.parametrize(
    "failure", [ErrorReply(400, code="bad"), content_policy_violation(), context_length_exceeded()], ids=str
)
def test_what_another_target_would_refuse_too_is_not_tried_again(
    http: httpx.Client, upstream: Upstream, spare: Upstream, failure: Script
) -> None:
    upstream.always(failure)
    reply = ask(http, "two")
    assert (reply.status_code, len(upstream.received), len(spare.received)) == (400, 1, 0)
    assert reply.headers["x-should-retry"] == "false"


def test_a_route_can_decide_otherwise(http: httpx.Client, upstream: Upstream, spare: Upstream) -> None:
    upstream.always(ErrorReply(400, code="bad"))
    assert ask(http, "insisting").status_code == 200
    assert (len(upstream.received), len(spare.received)) == (2, 1)


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_target_is_asked_once_and_left(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream, stream: bool
) -> None:
    upstream.always(Silence())
    reply = ask(http, "patient", stream=stream)
    assert reply.status_code == 200
    assert (len(upstream.received), len(spare.received)) == (1, 1)
    code = call_of(gateway, reply).attempts[0].error_code
    assert code == ("first_token_timeout" if stream else "reply_timeout")


def test_a_head_is_no_first_token(gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream) -> None:
    upstream.always(Reply(TEXT, delivery=Delivery(first_s=2.0)))
    spare.plays(Reply(TEXT))
    reply = ask(http, "patient", stream=True)
    assert said(reply) == TEXT
    assert call_of(gateway, reply).attempts[0].error_code == "first_token_timeout"


def test_nothing_is_begun_that_cannot_end_in_time(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(rate_limited(retry_after_s=5))
    began_at = time.monotonic()
    reply = ask(http, "hasty")
    assert (reply.status_code, len(upstream.received)) == (429, 1)
    assert time.monotonic() - began_at < 1.0
    assert reply.headers["x-should-retry"] == "true"
    upstream.always(Silence())
    gateway.healths.clear()
    reply = ask(http, "one", headers={"x-wk-timeout": "0.6"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (504, "total_timeout")


@pytest.mark.parametrize("stream", [False, True])
def test_a_longer_context_is_used_where_the_route_names_one(
    http: httpx.Client, upstream: Upstream, spare: Upstream, stream: bool
) -> None:
    upstream.always(context_length_exceeded())
    spare.plays(Reply(TEXT))
    assert said(ask(http, "larger", stream=stream)) == TEXT
    assert len(upstream.received) == 1
    assert spare.received[0].json["model"] == "large"


def test_the_oldest_turns_are_left_out_where_the_route_says_so(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.always(TooLong(5))
    turns = [{"role": ("user", "assistant")[number % 2], "content": f"turn {number}"} for number in range(11)]
    messages = [{"role": "system", "content": "be brief"}, *turns]
    reply = ask(http, "trimmed", messages=messages)
    assert said(reply) == TEXT
    sent = upstream.received[-1].json["messages"]
    assert (sent[0], sent[-1]) == (messages[0], messages[-1])
    assert sent[1]["role"] == "user"
    call = call_of(gateway, reply)
    assert "of the oldest turns were left out" in call.change
    assert json.loads(call.sent_body or b"")["messages"] == sent
    assert json.loads(call.request_body)["messages"] == messages


def test_a_conversation_that_cannot_be_shortened_stays_refused(http: httpx.Client, upstream: Upstream) -> None:
    upstream.always(TooLong(0))
    reply = ask(http, "trimmed")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert len(upstream.received) == 1


def test_the_oldest_turns_are_summarised_where_the_route_says_so(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(TooLong(4))
    spare.always(Reply("they spoke of ships"))
    turns = [{"role": ("user", "assistant")[number % 2], "content": "long " * 1500} for number in range(9)]
    reply = ask(http, "summarised", messages=turns)
    assert said(reply) == TEXT
    assert len(spare.received) > 2, "piece by piece, then the pieces"
    assert "they spoke of ships" in upstream.received[-1].json["messages"][0]["content"]
    call = call_of(gateway, reply)
    assert "were summarised by spare/large" in call.change
    assert [attempt.kind for attempt in call.attempts].count("summary") == len(spare.received)
    assert call.cost_status == "unpriced", "the summaries are on the bill, and nobody knows the price of `large`"


def test_a_summary_that_fails_does_not_change_what_the_client_is_told(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(TooLong(4))
    spare.always(ErrorReply(500, message="The summariser is broken."))
    turns = [{"role": ("user", "assistant")[number % 2], "content": "long"} for number in range(9)]
    reply = ask(http, "summarised", messages=turns)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "context_length_exceeded")
    call = call_of(gateway, reply)
    assert json.loads(call.sent_body or b"")["messages"] == turns
    assert b"context_length_exceeded" in call.response_body


def test_the_last_target_is_tried_though_it_is_only_coming_back(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(overloaded())
    spare.always(Reply(TEXT))
    spare_health = gateway.healths.of("spare/gpt-4o")
    now = gateway.clock.monotonic()
    for _ in range(20):
        spare_health.breaker.failed(now, ROUTES["broken"].breaker, is_trial=False)
    gateway.clock.added_s += 11.5
    assert {ask(http, "broken").status_code for _ in range(20)} == {200}, "on its way back it is the only one left"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/messages", "/completions"])
def test_a_stated_answer_comes_in_the_shape_the_client_reads(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, path: str, stream: bool
) -> None:
    upstream.always(overloaded())
    body = {
        "model": "graceful",
        "messages": ASK,
        "input": "count",
        "prompt": "count",
        "max_tokens": 9,
        "stream": stream,
    }
    unknown = {"/chat/completions": ("input", "prompt"), "/responses": ("messages", "prompt", "max_tokens"),
               "/messages": ("input", "prompt"), "/completions": ("messages", "input")}[path]  # fmt: skip
    reply = http.post(path, json={name: value for name, value in body.items() if name not in unknown})
    assert reply.status_code == 200
    assert reply.headers["x-wk-answer"] == "set"
    assert "Please try again later." in reply.text
    call = call_of(gateway, reply)
    assert (call.status, call.error_class, call.served_from) == ("error", "capacity", "set_answer")


def test_a_stale_answer_stands_in_for_a_failure(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Reply(TEXT))
    upstream.always(overloaded())
    ask(http, "remembering")
    gateway.clock.added_s += 120
    reply = ask(http, "remembering")
    assert said(reply) == TEXT
    assert reply.headers["x-wk-cache-stale"] == "true"
    call = call_of(gateway, reply)
    assert (call.status, call.error_class, call.served_from) == ("error", "capacity", "stale_cache")


def test_a_whole_stream_is_held_until_it_is_whole(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(StreamCut(after_tokens=5, reply=Reply(TEXT)))
    spare.plays(Reply(TEXT))
    reply = ask(http, "whole", stream=True)
    assert said(reply) == TEXT
    assert reply.headers["x-wk-cost-status"] == "estimated", "the cost is known before the first byte is sent"
    call = call_of(gateway, reply)
    assert [attempt.error_class for attempt in call.attempts] == ["broken_stream", "broken_stream", ""]


def test_a_stream_that_breaks_is_continued(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(StreamCut(after_tokens=5, reply=Reply(TEXT)))
    spare.plays(Reply(TEXT))
    reply = ask(http, "going-on", stream=True)
    assert said(reply) == TEXT
    assert [attempt.kind for attempt in call_of(gateway, reply).attempts] == ["first", "continued", "continued"]


def test_an_answer_that_differs_is_not_taken_for_the_rest(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(StreamCut(after_tokens=5, reply=Reply(TEXT)))
    spare.plays(Reply("quite another answer than the first one"))
    received = b""
    asked = {"model": "going-on", "messages": ASK, "stream": True}
    with http.stream("POST", "/chat/completions", json=asked) as reply, contextlib.suppress(httpx.RemoteProtocolError):
        for part in reply.iter_raw():
            received += part
    assert b"answers_differ" in received
    assert gateway.last_call().status == "error"


def test_a_breaker_opens_lets_one_call_try_and_closes_by_steps(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(overloaded())
    for _ in range(6):
        assert ask(http, "broken").status_code == 200
    assert len(upstream.received) == 4, "it opens at the fourth failure"
    gateway.clock.added_s += 11.5
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(http, "broken"), range(8)))
    assert len(upstream.received) == 5, "one call tries"
    upstream.always(Reply(TEXT))
    gateway.clock.added_s += 23
    ask(http, "broken")
    assert len(upstream.received) == 6
    gateway.clock.added_s += 11
    for _ in range(5):
        ask(http, "broken")
    assert len(upstream.received) == 11


def test_a_target_that_is_down_is_not_asked_and_the_client_is_told_when_to_come_back(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.always(overloaded())
    for _ in range(2):
        ask(http, "lonely")
    reply = ask(http, "lonely")
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "targets_down")
    assert 1 <= int(reply.headers["retry-after"]) <= 11
    assert len(upstream.received) == 2
    call = call_of(gateway, reply)
    assert (call.attempts, call.cost_nusd, call.cost_status) == ([], 0, "measured")


def test_models_in_the_body_are_tried_in_their_order(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.always(ErrorReply(401))
    reply = http.post("/chat/completions", json={"models": ["scripted/a", "spare/b"], "messages": ASK})
    assert reply.status_code == 200
    assert [one.json["model"] for one in (*upstream.received, *spare.received)] == ["a", "b"]
    assert "models" not in upstream.received[0].json
    assert json.loads(call_of(gateway, reply).routing)["strategy"] == "models"


def test_every_route_of_these_tests_is_used() -> None:
    text = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in ROUTES if f'"{name}"' not in text and not name.startswith("fault-")] == []
