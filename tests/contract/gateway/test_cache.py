"""An answer is kept for those who may share it, never a broken one, and never for long."""

import contextlib
from typing import Any

import httpx
import pytest
from openai import OpenAI
from tests.contract.gateway.data_plane import Gateway
from tests.contract.gateway.test_failing_over import TEXT, ask, call_of, said

from watchkeeper.gateway.cache import Cache, Entry
from watchkeeper.gateway.snapshot import Purge
from watchkeeper.testing import FakeClock, Reply, StreamCut, Tool, Upstream, overloaded


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_request_is_answered_from_memory(
    gateway: Gateway, http: httpx.Client, upstream: Upstream, stream: bool
) -> None:
    upstream.always(Reply(TEXT))
    first, second = (ask(http, "cached", stream=stream) for _ in range(2))
    assert len(upstream.received) == 1
    assert (first.headers["x-wk-cache"], second.headers["x-wk-cache"]) == ("miss", "hit")
    assert second.content == first.content
    assert said(second) == TEXT
    paid, kept = call_of(gateway, first), call_of(gateway, second)
    assert (kept.served_from, kept.attempts, kept.cost_nusd) == ("cache", [], 0)
    assert kept.saved_nusd == paid.cost_nusd
    assert second.headers["x-wk-attempts"] == "0"


def test_an_official_client_cannot_tell_a_kept_answer_from_a_new_one(client: OpenAI, upstream: Upstream) -> None:
    upstream.always(Reply(TEXT))
    texts = [
        "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(
            model="cached", messages=[{"role": "user", "content": "count"}], stream=True) if chunk.choices)
        for _ in range(2)
    ]  # fmt: skip
    assert texts == [TEXT, TEXT]
    assert len(upstream.received) == 1


@pytest.mark.parametrize("change", [{"temperature": 0.5}, {"stream": True}, {"user": "b"}, {"metadata": {"a": "b"}}])
def test_any_other_request_is_another_one(http: httpx.Client, upstream: Upstream, change: dict[str, Any]) -> None:
    ask(http, "cached")
    ask(http, "cached", **change)
    assert len(upstream.received) == 2


def test_tenants_do_not_share_answers(http: httpx.Client, upstream: Upstream) -> None:
    for tenant in ("acme", "other", "acme"):
        ask(http, "cached", headers={"x-wk-tenant": tenant})
    assert len(upstream.received) == 2


def test_a_client_may_go_past_the_cache(http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Reply("first"), Reply("second"), Reply("third"))
    ask(http, "cached")
    assert said(ask(http, "cached", headers={"x-wk-cache": "off"})) == "second"
    assert said(ask(http, "cached")) == "first"
    assert said(ask(http, "cached", headers={"x-wk-cache": "refresh"})) == "third"
    assert said(ask(http, "cached")) == "third"


def test_an_answer_is_served_as_long_as_the_route_and_the_client_say(
    gateway: Gateway, http: httpx.Client, upstream: Upstream
) -> None:
    upstream.plays(Reply("first"), Reply("second"), Reply("third"))
    ask(http, "cached")
    gateway.clock.added_s += 20
    assert said(ask(http, "cached", headers={"x-wk-cache": "ttl=30"})) == "first"
    assert said(ask(http, "cached", headers={"x-wk-cache": "ttl=10"})) == "second"
    gateway.clock.added_s += 61
    assert said(ask(http, "cached")) == "third"


@pytest.mark.parametrize("said_", ["on", "ttl=", "ttl=-1", "ttl=1e9", "off,refresh"])
def test_a_wish_that_means_nothing_is_refused(http: httpx.Client, said_: str) -> None:
    reply = ask(http, "cached", headers={"x-wk-cache": said_})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "x-wk-cache")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "first",
    [
        overloaded(),
        StreamCut(after_tokens=2, reply=Reply(TEXT)),
        Reply("", tools=(Tool("look", {"a": 1}),)),
    ],
    ids=["error", "partial", "tool call"],
)
def test_what_is_no_plain_answer_is_never_kept(
    http: httpx.Client, upstream: Upstream, first: Any, stream: bool
) -> None:
    upstream.always(first)
    for asked_before in range(2):
        assert len(upstream.received) == asked_before
        with contextlib.suppress(httpx.RemoteProtocolError):  # a cut stream has no proper end
            ask(http, "cached", stream=stream, headers={"x-stainless-retry-count": "1"})
    assert len(upstream.received) == 2


def entry(size: int = 100, *, tenant: str = "", release: str = "", subject: str = "") -> Entry:
    return Entry(b"x" * size, "m", 1_000, 5, tenant, release, subject)


def test_memory_is_bounded_in_bytes_and_the_least_used_goes_first() -> None:
    cache = Cache(FakeClock(), bytes_max=5 * entry().bytes)
    for number in range(5):
        cache.keep(b"%d" % number, entry())
    assert cache.find(b"0", younger_than_s=1e12) is not None
    cache.keep(b"5", entry())
    assert cache.bytes <= 5 * entry().bytes
    assert cache.find(b"0", younger_than_s=1e12) is not None
    assert cache.find(b"1", younger_than_s=1e12) is None


@pytest.mark.parametrize(
    ("purge", "left"),
    [
        (Purge(2_000), []),
        (Purge(999), ["a", "b", "c", "d"]),
        (Purge(2_000, tenant="acme"), ["c", "d"]),
        (Purge(2_000, tenant="acme", subject="jane"), ["b", "c", "d"]),
        (Purge(2_000, release="wk1-1"), ["a", "b", "c"]),
    ],
)
def test_a_purge_drops_what_it_names_and_nothing_else(purge: Purge, left: list[str]) -> None:
    cache = Cache(FakeClock())
    cache.keep(b"a", entry(tenant="acme", subject="jane"))
    cache.keep(b"b", entry(tenant="acme"))
    cache.keep(b"c", entry(tenant="other"))
    cache.keep(b"d", entry(release="wk1-1"))
    cache.purge((purge,))
    assert [name for name in "abcd" if cache.find(name.encode(), younger_than_s=1e12)] == left


def test_a_purge_is_obeyed_once_and_drops_nothing_that_was_kept_after_it() -> None:
    cache = Cache(FakeClock())
    cache.purge((Purge(500),))
    cache.keep(b"a", entry())
    cache.purge((Purge(500), Purge(400, tenant="acme")))
    assert cache.find(b"a", younger_than_s=1e12) is not None
    cache.purge((Purge(500), Purge(2_000)))
    assert cache.find(b"a", younger_than_s=1e12) is None
