"""Whatever an upstream does, the client learns the truth and the record keeps it; a part never passes for the whole."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from tests.contract.gateway.data_plane import Gateway

from watchkeeper.gateway.snapshot import Timeouts
from watchkeeper.gateway.watchdog import TICK_S
from watchkeeper.testing import (
    BrokenEvent,
    Delivery,
    Document,
    ErrorEvent,
    ErrorInside,
    ErrorReply,
    HtmlPage,
    NotJson,
    Raw,
    Reply,
    ResetBeforeHead,
    Script,
    Silence,
    Stall,
    StreamCut,
    Upstream,
    content_policy_violation,
    context_length_exceeded,
    overloaded,
    rate_limited,
    wait_until,
)
from watchkeeper.testing.steps import Close, Reset, chunk, head

ASKED: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one two three"}]}
STREAMED = {**ASKED, "stream": True}


class Expected(NamedTuple):
    status: int
    code: str
    error_class: str


REFUSALS: dict[str, tuple[Script, Expected]] = {
    "rate limit": (rate_limited(retry_after_s=7), Expected(429, "rate_limit_exceeded", "rate_limit")),
    "overloaded": (overloaded(), Expected(503, "overloaded", "capacity")),
    "server error": (ErrorReply(500), Expected(500, "server_error", "upstream_error")),
    "context length": (context_length_exceeded(), Expected(400, "context_length_exceeded", "context_length")),
    "content policy": (content_policy_violation(), Expected(400, "content_policy_violation", "content_policy")),
    "bad request": (ErrorReply(400, code="bad_thing"), Expected(400, "bad_thing", "bad_request")),
    "unprocessable": (ErrorReply(422, code="bad_thing"), Expected(422, "bad_thing", "bad_request")),
    "unknown model": (ErrorReply(404, code="model_not_found"), Expected(404, "model_not_found", "not_found")),
    "our key refused": (ErrorReply(401, code="invalid_api_key"), Expected(502, "invalid_api_key", "upstream_auth")),
    "our account barred": (ErrorReply(403, code="barred"), Expected(502, "barred", "upstream_auth")),
    "html page": (HtmlPage(502), Expected(502, "upstream_error", "upstream_error")),
    "error inside a 200": (ErrorInside(), Expected(502, "server_error", "upstream_error")),
    "not json": (NotJson(), Expected(502, "not_json", "malformed_reply")),
    "html inside a 200": (HtmlPage(200), Expected(502, "not_json", "malformed_reply")),
    "no choices": (Document({"object": "chat.completion"}), Expected(502, "no_choices", "malformed_reply")),
    "choices of null": (Document({"choices": None}), Expected(502, "no_choices", "malformed_reply")),
    "empty choices": (Document({"choices": [], "data": []}), Expected(502, "no_choices", "malformed_reply")),
    "choices that are no list": (Document({"choices": 5}), Expected(502, "no_choices", "malformed_reply")),
    "a redirect": (
        Raw(head(302, [("location", "http://127.0.0.1:1/"), ("content-length", "2")]) + b"{}"),
        Expected(502, "redirect", "malformed_reply"),
    ),
    "an array": (Raw(head(200, [("content-length", "2")]) + b"[]"), Expected(502, "not_json", "malformed_reply")),
    "reset": (ResetBeforeHead(), Expected(502, "connection_lost", "unreachable")),
    "closed": (Raw(b"", end=Close()), Expected(502, "connection_lost", "unreachable")),
    "half a head": (Raw(b"HTTP/1.1 200 O", end=Close()), Expected(502, "connection_lost", "unreachable")),
    "not http": (Raw(b"SSH-2.0-fake\r\n", end=Close()), Expected(502, "malformed_response", "malformed_reply")),
    "two lengths": (
        Raw(head(200, [("content-length", "2"), ("content-length", "3")]) + b"{}"),
        Expected(502, "malformed_response", "malformed_reply"),
    ),
    "false gzip": (
        Raw(head(200, [("content-encoding", "gzip"), ("content-length", "2")]) + b"{}"),
        Expected(502, "bad_compression", "malformed_reply"),
    ),
}
"""Faults that come before the first byte of an answer, so that the client gets a status."""

PLAIN_ONLY: dict[str, tuple[Script, Expected]] = {
    "cut body": (StreamCut(after_tokens=1), Expected(502, "body_cut", "broken_stream")),
    "reset body": (StreamCut(after_tokens=1, end=Reset()), Expected(502, "body_cut", "broken_stream")),
    "half a body": (StreamCut(after_tokens=1, end=None), Expected(502, "not_json", "malformed_reply")),
    "length too long": (Reply(delivery=Delivery(length_error=9)), Expected(502, "body_cut", "broken_stream")),
    "length too short": (Reply(delivery=Delivery(length_error=-9)), Expected(502, "not_json", "malformed_reply")),
}

BROKEN_STREAMS: dict[str, tuple[Script, str, str]] = {
    "cut": (StreamCut(after_tokens=3), "body_cut", "broken_stream"),
    "reset": (StreamCut(after_tokens=3, end=Reset()), "body_cut", "broken_stream"),
    "ended in order but too early": (StreamCut(after_tokens=3, end=None), "stream_cut", "broken_stream"),
    "cut where only the close ends it": (
        StreamCut(after_tokens=3, reply=Reply(delivery=Delivery(framing="close"))),
        "stream_cut",
        "broken_stream",
    ),
    "error event": (ErrorEvent(after_tokens=3), "server_error", "upstream_error"),
    "error event and a terminator": (
        ErrorEvent(after_tokens=3, is_terminated=True),
        "server_error",
        "upstream_error",
    ),
}


@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["plain", "stream"])
@pytest.mark.parametrize(("script", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_fault_before_the_answer_has_its_class_and_status(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, script: Script, expected: Expected, asked: dict[str, Any]
) -> None:
    upstream.always(script)
    reply = http.post("/chat/completions", json=asked)
    check_error(gateway, reply, expected)
    assert reply.headers.get("retry-after") == ("7" if expected.status == 429 else None)


@pytest.mark.parametrize(("script", "expected"), PLAIN_ONLY.values(), ids=PLAIN_ONLY.keys())
def test_a_plain_reply_that_is_not_whole_is_an_error(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, script: Script, expected: Expected
) -> None:
    upstream.always(script)
    check_error(gateway, http.post("/chat/completions", json=ASKED), expected)


def check_error(gateway: Gateway, reply: httpx.Response, expected: Expected) -> None:
    error = reply.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert call.status == "error"
    assert call.http_status == reply.status_code
    assert call.error_class == call.attempts[-1].error_class
    assert Expected(reply.status_code, error["code"] or error["type"], call.error_class) == expected


@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["plain", "stream"])
@pytest.mark.parametrize(
    "script",
    [
        context_length_exceeded(),
        content_policy_violation(),
        rate_limited(),
        ErrorReply(422, message="Odd: näin", code="x"),
    ],
    ids=["context length", "content policy", "rate limit", "unprocessable"],
)
def test_an_error_the_caller_can_act_on_is_shown_as_the_upstream_wrote_it(
    http: httpx.Client, upstream: Upstream, script: ErrorReply, asked: dict[str, Any]
) -> None:
    upstream.always(script)
    reply = http.post("/chat/completions", json=asked)
    error = {"message": script.message, "type": script.error_type, "param": script.param, "code": script.code}
    assert (reply.status_code, reply.json()) == (script.status, {"error": error})


@pytest.mark.parametrize(("script", "code", "error_class"), BROKEN_STREAMS.values(), ids=BROKEN_STREAMS.keys())
def test_a_stream_that_breaks_says_so_and_is_cut(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, script: Script, code: str, error_class: str
) -> None:
    upstream.plays(script)
    with http.stream("POST", "/chat/completions", json=STREAMED) as reply:
        received = read_until_cut(reply)
        call = gateway.call(reply.headers["x-wk-call-id"])
    last = json.loads(received.rstrip().rpartition(b"data: ")[2])
    assert last["error"]["code"] == code
    assert (call.status, call.error_class, call.error_code, call.http_status) == ("error", error_class, code, 200)
    assert b" the" in received
    assert call.response_body.count(b'"content"') >= 3


def read_until_cut(reply: httpx.Response, parts: Iterator[bytes] | None = None) -> bytes:
    """Read (on) until the connection is cut, which it must be; return what came."""
    received: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError):
        received.extend(parts or reply.iter_raw())
    return b"".join(received)


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(),
        Delivery(packets="split"),
        Delivery(packets="byte", pace_s=0.001),
    ],
    ids=["event", "split", "byte"],
)
def test_a_stream_without_done_is_whole_when_it_names_a_finish_reason(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, delivery: Delivery
) -> None:
    upstream.plays(Reply("Hi.", is_terminated=False, delivery=delivery))
    reply = http.post("/chat/completions", json=STREAMED)
    assert gateway.call(reply.headers["x-wk-call-id"]).status == "ok"


def test_a_stream_in_which_one_choice_is_unfinished_is_broken(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    form = '{"choices":[{"index":%d,"delta":{"content":"x"},"finish_reason":%s}]}'
    events = [form % (0, "null"), form % (1, "null"), form % (0, '"stop"')]
    body = "".join(f"data: {event}\n\n" for event in events).encode()
    headers = [("content-type", "text/event-stream"), ("connection", "close")]
    upstream.plays(Raw(head(200, headers) + body, end=Close()))
    with http.stream("POST", "/chat/completions", json={**STREAMED, "n": 2}) as reply:
        read_until_cut(reply)
        call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.error_class) == ("error", "broken_stream")


def test_a_stream_that_is_cut_behind_its_terminator_is_whole(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    headers = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
    upstream.plays(Raw(head(200, headers) + chunk(event), end=Close()))
    with http.stream("POST", "/chat/completions", json=STREAMED) as reply:
        parts = reply.iter_raw()
        received = next(parts)
        call = gateway.call(reply.headers["x-wk-call-id"])
    assert received == event
    assert call.status == "ok"


def test_a_document_in_place_of_a_stream_is_passed_on(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    document = {"choices": [{"message": {"content": "whole"}}], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
    upstream.plays(Document(document))
    reply = http.post("/chat/completions", json=STREAMED)
    assert reply.json() == document
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.usage_status) == ("ok", "measured")


def test_an_event_that_is_not_json_is_left_out_and_the_stream_goes_on(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.plays(BrokenEvent(after_tokens=2))
    reply = http.post("/chat/completions", json=STREAMED)
    assert reply.text.rstrip().endswith("data: [DONE]")
    assert "chatcmpl-broken" not in reply.text
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.usage_status, call.skipped_events) == ("ok", "measured", 1)


@pytest.mark.parametrize(
    ("asked", "code"), [(ASKED, "reply_timeout"), (STREAMED, "first_token_timeout")], ids=["plain", "stream"]
)
def test_an_upstream_that_never_answers_is_given_up(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, asked: dict[str, Any], code: str
) -> None:
    upstream.plays(Silence())
    with Later(gateway, upstream, Timeouts().reply_s + 1):
        reply = http.post("/chat/completions", json=asked)
    check_error(gateway, reply, Expected(504, code, "timeout"))
    wait_until(lambda: upstream.received[0].outcome == "client_left")


def test_a_plain_reply_that_stalls_is_given_up(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Stall(after_tokens=1))
    with Later(gateway, upstream, Timeouts().reply_s + 1):
        reply = http.post("/chat/completions", json=ASKED)
    check_error(gateway, reply, Expected(504, "idle_timeout", "timeout"))


def test_a_stream_that_stalls_is_cut_with_a_reason(gateway: Gateway, http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Stall(after_tokens=3))
    with http.stream("POST", "/chat/completions", json=STREAMED) as reply:
        parts = reply.iter_raw()
        while b" the" not in next(parts):
            pass
        gateway.clock.added_s += Timeouts().idle_s + 1
        received = read_until_cut(reply, parts)
        call = gateway.call(reply.headers["x-wk-call-id"])
    assert b'"code":"idle_timeout"' in received
    assert (call.status, call.error_class, call.usage_status) == ("error", "timeout", "estimated")


LEAPS = 3


class Later:
    """Lets time pass in the gateway once the upstream holds the request."""

    def __init__(self, gateway: Gateway, upstream: Upstream, seconds: float) -> None:
        def pass_time() -> None:
            wait_until(lambda: upstream.received)
            # More than once: what the upstream sends just after the first leap would count from there.
            for _ in range(LEAPS):
                gateway.clock.added_s += seconds
                time.sleep(2 * TICK_S)

        self._thread = threading.Thread(target=pass_time)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


@pytest.mark.parametrize(
    "script",
    [
        rate_limited(),
        overloaded(),
        ErrorReply(500),
        ErrorReply(401),
        HtmlPage(),
        ErrorInside(),
        NotJson(),
        ResetBeforeHead(),
        StreamCut(after_tokens=1),
    ],
    ids=lambda script: type(script).__name__,
)
def test_the_next_target_answers_when_the_first_fails(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream, script: Script
) -> None:
    upstream.always(script)
    spare.plays(Reply("from the spare"))
    reply = http.post("/chat/completions", json={**ASKED, "model": "backed-up"})
    assert reply.json()["choices"][0]["message"]["content"] == "from the spare"
    assert reply.headers["x-wk-attempts"] == "2"
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert [(attempt.provider, bool(attempt.error_class)) for attempt in call.attempts] == [
        ("scripted", True),
        ("spare", False),
    ]
    assert (call.status, call.error_class, call.http_status) == ("ok", "", 200)


@pytest.mark.parametrize("script", [context_length_exceeded(), content_policy_violation(), ErrorReply(422)], ids=str)
def test_a_request_at_fault_is_not_tried_elsewhere(
    http: httpx.Client, upstream: Upstream, spare: Upstream, script: ErrorReply
) -> None:
    upstream.plays(script)
    reply = http.post("/chat/completions", json={**ASKED, "model": "backed-up"})
    assert reply.status_code == script.status
    assert not spare.received


def test_a_stream_that_has_begun_is_not_begun_again_elsewhere(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.plays(StreamCut(after_tokens=2))
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/chat/completions", json={**STREAMED, "model": "backed-up"})
    assert not spare.received
    assert len(gateway.last_call().attempts) == 1


@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["plain", "stream"])
def test_a_target_where_nobody_listens_is_passed_over(
    gateway: Gateway, http: httpx.Client, spare: Upstream, asked: dict[str, Any]
) -> None:
    reply = http.post("/chat/completions", json={**asked, "model": "after-the-dead"})
    assert reply.status_code == 200
    first = gateway.call(reply.headers["x-wk-call-id"]).attempts[0]
    assert (first.error_class, first.http_status) == ("unreachable", 0)


def test_when_every_target_fails_the_last_failure_is_told(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, spare: Upstream
) -> None:
    upstream.plays(overloaded())
    spare.plays(rate_limited(retry_after_s=3))
    reply = http.post("/chat/completions", json={**ASKED, "model": "backed-up"})
    check_error(gateway, reply, Expected(429, "rate_limit_exceeded", "rate_limit"))
    assert reply.headers["x-wk-attempts"] == "2"
    assert reply.headers["retry-after"] == "3"
