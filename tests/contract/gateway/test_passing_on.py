"""What only a provider understands is passed to it as it is, under its account, checked, recorded and metered."""

import hashlib
import http.client

import httpx
import pytest
from tests.contract.gateway.data_plane import PROVIDER_KEY, Gateway

from watchkeeper.testing import Document, Echo, ErrorReply, Reply, Upstream


@pytest.fixture
def raw(gateway: Gateway, upstream: Upstream) -> httpx.Client:
    upstream.elsewhere(Echo())
    return httpx.Client(
        base_url=gateway.base_url.removesuffix("/v1"), headers={"authorization": f"Bearer {gateway.key}"}, timeout=10
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["files/file-1/content", "v1/files/file-1/content"])
def test_any_method_and_path_reach_the_provider(gateway: Gateway, raw: httpx.Client, method: str, path: str) -> None:
    body = b"\x00\xffbytes" if method in ("POST", "PUT", "PATCH") else b""
    reply = raw.request(method, f"/scripted/{path}?after=x%20y&limit=2", content=body)
    heard = reply.json()
    assert (heard["method"], heard["path"]) == (method, "/v1/files/file-1/content")
    assert heard["query"] == "after=x%20y&limit=2"
    assert heard["body_sha256"] == hashlib.sha256(body).hexdigest()
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.surface, call.status, call.route) == ("passthrough", "ok", "scripted/*")


def test_the_providers_account_is_used_and_ours_is_not_told(raw: httpx.Client) -> None:
    headers = {"x-wk-subject": "jane", "cookie": "a=b", "content-type": "application/x-ndjson", "openai-beta": "x=1"}
    heard = dict(raw.post("/scripted/files", content=b"{}", headers=headers).json()["headers"])
    assert heard["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert heard["content-type"] == "application/x-ndjson"
    assert heard["openai-beta"] == "x=1"
    assert {"x-wk-subject", "cookie"}.isdisjoint(heard)


def test_without_a_key_nothing_is_passed_on(gateway: Gateway, upstream: Upstream, raw: httpx.Client) -> None:
    reply = raw.get("/scripted/files", headers={"authorization": "Bearer sk-wrong"})
    assert reply.status_code == 401
    assert upstream.received == []


@pytest.mark.parametrize("path", ["../admin", "a/../../admin", "a/%2e%2e/admin", "./a", "a/.."])
def test_a_path_cannot_climb_out_of_the_base_url(gateway: Gateway, upstream: Upstream, path: str) -> None:
    # Clients of higher level resolve such paths themselves.
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", f"/scripted/{path}", headers={"authorization": f"Bearer {gateway.key}"})
    assert connection.getresponse().status == 400
    connection.close()
    assert upstream.received == []


def test_usage_that_the_reply_states_is_counted_and_priced(
    gateway: Gateway, raw: httpx.Client, upstream: Upstream
) -> None:
    upstream.elsewhere(Document({"model": "gpt-4o-mini", "usage": {"input_tokens": 1000, "output_tokens": 10}}))
    reply = raw.put("/scripted/images", json={"model": "gpt-4o-mini"})
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.usage_status, call.cost_status, call.cost_nusd) == ("measured", "measured", 1000 * 150 + 10 * 600)
    assert (reply.headers["x-wk-cost"], reply.headers["x-wk-cost-status"]) == ("0.000156", "measured")
    assert float(reply.headers["x-wk-overhead-ms"]) > 0


def test_what_costs_something_unknown_is_unpriced_and_what_only_reads_is_free(
    gateway: Gateway, raw: httpx.Client
) -> None:
    made = gateway.call(raw.post("/scripted/audio/speech", content=b"{}").headers["x-wk-call-id"])
    read = gateway.call(raw.get("/scripted/files").headers["x-wk-call-id"])
    assert (made.cost_nusd, made.cost_status) == (None, "unpriced")
    assert (read.cost_nusd, read.cost_status) == (0, "measured")


def test_the_providers_error_comes_back_as_it_is(gateway: Gateway, raw: httpx.Client, upstream: Upstream) -> None:
    upstream.elsewhere(ErrorReply(409, message="There is one already.", code="conflict"))
    reply = raw.post("/scripted/files", content=b"{}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "conflict")
    assert gateway.call(reply.headers["x-wk-call-id"]).status == "error"


def test_a_stream_of_events_is_passed_piece_by_piece(gateway: Gateway, raw: httpx.Client, upstream: Upstream) -> None:
    upstream.elsewhere(Reply("one two"))
    with raw.stream("PUT", "/scripted/chat/completions", json={"model": "m", "stream": True}) as reply:
        text = reply.read().decode()
    assert text.rstrip().endswith("data: [DONE]")
    assert gateway.call(reply.headers["x-wk-call-id"]).status == "ok"


def test_an_unknown_provider_is_an_unknown_path(raw: httpx.Client) -> None:
    assert raw.get("/nobody/files").status_code == 404


def test_a_tenants_key_does_not_reach_what_all_tenants_have(gateway: Gateway, upstream: Upstream) -> None:
    address = f"{gateway.base_url.removesuffix('/v1')}/scripted/files"
    reply = httpx.get(address, headers={"authorization": f"Bearer {gateway.keys['acme'].key}"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "passthrough_refused")
    assert upstream.received == []
