"""A fault that is injected is met as in earnest, is marked on the call, and touches nobody else."""

import contextlib
import time

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import TEXT, ask, call_of, said

from watchkeeper.gateway.faults import KINDS
from watchkeeper.testing import Reply, Upstream


@pytest.fixture(autouse=True)
def healthy(upstream: Upstream) -> None:
    upstream.always(Reply(TEXT))


def test_every_kind_has_a_route_here(gateway: Gateway) -> None:
    assert {f"fault-{kind}" for kind in KINDS} <= set(gateway.route_names)


@pytest.mark.parametrize(
    ("kind", "status", "error_class"),
    [("rate_limit", 429, "rate_limit"), ("server_error", 503, "capacity"), ("reset", 502, "unreachable")],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/messages"])
def test_a_refusal_stands_in_for_the_upstream(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, kind: str, status: int, error_class: str, path: str
) -> None:
    body = {"model": f"fault-{kind}", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    reply = http.post(path, json=body, headers={"x-stainless-retry-count": "1"})
    assert reply.status_code == status
    assert upstream.received == [], "nothing is sent"
    call = call_of(gateway, reply)
    assert (call.error_class, call.faults, call.attempts[0].fault) == (error_class, [f"f-{kind}"], f"f-{kind}")


def test_the_first_token_comes_late(gateway: Gateway, http: httpx.Client) -> None:
    reply = ask(http, "fault-slow_first_token", stream=True)
    assert said(reply) == TEXT
    call = call_of(gateway, reply)
    assert (call.first_token_ms or 0) >= 300
    assert call.faults == ["f-slow_first_token"]


def test_the_stream_drips(http: httpx.Client) -> None:
    began_at = time.monotonic()
    assert said(ask(http, "fault-slow_drip", stream=True)) == TEXT
    assert time.monotonic() - began_at >= 0.3


def test_the_stream_is_cut(gateway: Gateway, http: httpx.Client) -> None:
    asked = {"model": "fault-cut", "messages": [{"role": "user", "content": "x"}], "stream": True}
    with http.stream("POST", "/chat/completions", json=asked) as reply, contextlib.suppress(httpx.RemoteProtocolError):
        reply.read()
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.error_class, call.faults) == ("error", "broken_stream", ["f-cut"])


def test_a_chunk_is_malformed(gateway: Gateway, http: httpx.Client) -> None:
    reply = ask(http, "fault-malformed_chunk", stream=True)
    assert said(reply) == TEXT
    call = call_of(gateway, reply)
    assert (call.status, call.skipped_events, call.faults) == ("ok", 1, ["f-malformed_chunk"])


@pytest.mark.parametrize("stream", [False, True])
def test_the_usage_is_wrong(gateway: Gateway, http: httpx.Client, stream: bool) -> None:
    right = call_of(gateway, ask(http, "one", stream=stream)).usage
    wrong = call_of(gateway, ask(http, "fault-wrong_usage", stream=stream)).usage
    assert right is not None
    assert wrong is not None
    assert wrong.output_tokens == 10 * right.output_tokens


def test_a_share_of_the_calls_is_touched(gateway: Gateway, http: httpx.Client) -> None:
    replies = [ask(http, "fault-half") for _ in range(40)]
    touched = [call_of(gateway, reply).faults for reply in replies]
    assert 4 <= sum(bool(found) for found in touched) <= 36
    for reply, found in zip(replies, touched, strict=True):
        assert (reply.status_code == 200) is not bool(found)


def test_a_fault_that_has_ended_touches_nobody(gateway: Gateway, http: httpx.Client) -> None:
    reply = ask(http, "fault-over")
    assert (reply.status_code, call_of(gateway, reply).faults) == (200, [])


def test_a_fault_for_one_tenant_touches_no_other(http: httpx.Client) -> None:
    assert ask(http, "fault-acme").status_code == 200
    assert ask(http, "fault-acme", headers={"x-wk-tenant": "acme"}).status_code == 500
