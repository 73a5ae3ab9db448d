"""A request that cannot be served is told why, in OpenAI's shape, reaches no upstream, and is recorded all the same."""

import gzip
import socket
from typing import Any

import httpx
import pytest
from tests.contract.gateway.data_plane import BODY_BYTES_MAX, Gateway

from watchkeeper.testing import Upstream

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'
BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "white space": (b"  \n", "empty"),
    "not json": (b"{model: gpt-4o-mini}", "not valid JSON"),
    "cut json": (b'{"model":"gpt-4o-mini",' + MESSAGES, "not valid JSON"),
    "two documents": (b'{"model":"gpt-4o-mini",' + MESSAGES + b"}{}", "not valid JSON"),
    "an array": (b"[]", "array"),
    "a string": (b'"hi"', "str"),
    "null": (b"null", "null"),
    "no model": (b"{" + MESSAGES + b"}", "`model` is required"),
    "no messages": (b'{"model":"gpt-4o-mini"}', "`messages` is required"),
    "model is a number": (b'{"model":4,' + MESSAGES + b"}", "`model` has the wrong type"),
    "model is null": (b'{"model":null,' + MESSAGES + b"}", "`model` has the wrong type"),
    "messages is a string": (b'{"model":"gpt-4o-mini","messages":"hi"}', "`messages` must be an array"),
    "messages is null": (b'{"model":"gpt-4o-mini","messages":null}', "`messages` must be an array"),
    "stream is a string": (b'{"model":"gpt-4o-mini","stream":"yes",' + MESSAGES + b"}", "`stream` has the wrong type"),
    "options is a list": (b'{"model":"gpt-4o-mini","stream_options":[],' + MESSAGES + b"}", "`stream_options`"),
    "user is an object": (b'{"model":"gpt-4o-mini","user":{},' + MESSAGES + b"}", "`user` has the wrong type"),
    "invalid utf-8": (b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"\xff\xfe"}]}', "not valid UTF-8"),
    "utf-8 cut short": (b'{"model":"gpt-4o-mini","messages":[{"content":"\xe6\xbc"}]}', "not valid UTF-8"),
    "utf-16": ('{"model":"gpt-4o-mini"}'.encode("utf-16"), "UTF-8"),
    "deep": (b'{"model":"gpt-4o-mini","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "a lone surrogate in a name": (b'{"\\ud800":1,"model":4,' + MESSAGES + b"}", ""),
}


def check(gateway: Gateway, reply: httpx.Response, *, status: int, code: str) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code), reply.text
    assert set(error) == {"message", "type", "param", "code"}
    assert reply.headers["x-request-id"] == reply.headers["x-wk-call-id"]
    call = gateway.call(reply.headers["x-wk-call-id"])
    assert (call.status, call.http_status, call.error_code, call.attempts) == ("error", status, code, [])
    assert (call.cost_nusd, call.cost_status) == (0, "measured")
    return error


@pytest.mark.parametrize(("body", "said"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_body_is_named(gateway: Gateway, http: httpx.Client, upstream: Upstream, body: bytes, said: str) -> None:
    reply = http.post("/chat/completions", content=body)
    error = check(gateway, reply, status=400, code="invalid_request")
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"
    assert gateway.last_call().request_body == body
    assert not upstream.received
    ok = http.post("/chat/completions", json={"model": "gpt-4o-mini", "messages": []})
    assert ok.status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"input":"a"}', "model"),
        (b'{"model":"text-embedding-3-small"}', "input"),
        (b'{"model":1,"input":"a"}', "model"),
    ],
)
def test_a_bad_embeddings_body_names_its_field(gateway: Gateway, http: httpx.Client, body: bytes, param: str) -> None:
    reply = http.post("/embeddings", content=body)
    assert check(gateway, reply, status=400, code="invalid_request")["param"] == param


@pytest.mark.parametrize(
    "model", ["gpt-4o-mini-", "nobody/gpt-4o", "scripted/", "/x", "x" * 10_000, "漢字", "gpt-4o-mini\n"]
)
def test_an_unknown_model_names_the_known_ones(gateway: Gateway, http: httpx.Client, model: str) -> None:
    reply = http.post("/chat/completions", json={"model": model, "messages": []})
    error = check(gateway, reply, status=404, code="model_not_found")
    assert error["param"] == "model"
    assert "`alias`" in error["message"]
    assert len(error["message"]) < 500


def test_a_near_miss_is_guessed(http: httpx.Client) -> None:
    reply = http.post("/chat/completions", json={"model": "gpt-4o-minni", "messages": []})
    assert "Did you mean `gpt-4o-mini`?" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_api_key"),
        ("", "missing_api_key"),
        ("Bearer sk-fake-of-somebody-else", "invalid_api_key"),
        ("Bearer", "invalid_api_key"),
        ("Basic dXNlcjpmYWtl", "invalid_api_key"),
        ("Bearer sk-wk-AAAAAAAAAAAA-" + "0" * 40, "invalid_api_key"),
        ("Bearer sk-wk-漢字".encode().decode("latin-1"), "invalid_api_key"),
    ],
)
def test_a_key_that_is_none_of_ours_is_refused(gateway: Gateway, authorization: str | None, code: str) -> None:
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    body = b'{"model":"gpt-4o-mini","messages":[]}'
    reply = httpx.post(f"{gateway.base_url}/chat/completions", content=body, headers=headers)
    error = check(gateway, reply, status=401, code=code)
    assert error["type"] == "authentication_error"
    call = gateway.last_call()
    assert (call.key_id, call.request_body) == ("", b"")


@pytest.mark.parametrize("name", ["expired", "revoked"])
def test_a_key_that_was_ours_is_refused(gateway: Gateway, upstream: Upstream, name: str) -> None:
    headers = {"authorization": f"Bearer {gateway.keys[name].key}"}
    reply = httpx.post(f"{gateway.base_url}/chat/completions", content=b"{}", headers=headers)
    error = check(gateway, reply, status=401, code="invalid_api_key")
    assert name in error["message"]
    assert not upstream.received


def test_the_right_id_with_the_wrong_secret_is_refused(gateway: Gateway) -> None:
    forged = gateway.key[:-1] + ("a" if gateway.key[-1] != "a" else "b")
    reply = httpx.post(
        f"{gateway.base_url}/chat/completions", content=b"{}", headers={"authorization": f"Bearer {forged}"}
    )
    check(gateway, reply, status=401, code="invalid_api_key")


def test_an_oversized_body_is_refused_before_it_is_read(gateway: Gateway, upstream: Upstream) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_BYTES_MAX + 1}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer
    assert not upstream.received


def test_an_oversized_chunked_body_is_refused(http: httpx.Client) -> None:
    def parts() -> Any:
        for _ in range(BODY_BYTES_MAX // 65536 + 2):
            yield b"x" * 65536

    reply = http.post("/chat/completions", content=parts())
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("PUT", "/v1/embeddings", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/models/no-such", 404, "model_not_found"),
        ("GET", "/v1/models/no-such%2Fgpt-4o-mini", 404, "model_not_found"),
        ("GET", "/v1/models/%ff%00", 404, "model_not_found"),
        ("GET", "/v1/modelsgpt-4o-mini", 404, "not_found"),
        ("GET", "/v1/models%2Fgpt-4o-mini", 404, "not_found"),
        ("POST", "/v2/chat/completions", 404, "not_found"),
    ],
)
def test_a_path_or_method_that_is_not_served_says_what_is(
    gateway: Gateway, http: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    reply = http.request(method, f"http://127.0.0.1:{gateway.port}{path}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_another_host_cannot_read_what_each_feature_costs(gateway: Gateway) -> None:
    address = f"http://127.0.0.1:{gateway.port}/metrics"
    assert httpx.get(address).status_code == 200
    reply = httpx.get(address, headers={"x-forwarded-for": "192.0.2.7"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "metrics_closed")
    assert "metrics: {open: true}" in reply.json()["error"]["message"]


def test_the_list_of_models_needs_a_key(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.base_url}/models").status_code == 401


@pytest.mark.parametrize("model", ["m" * 5_000_000, "scripted/" + "m" * 5_000_000], ids=["unknown", "at a provider"])
def test_a_model_name_of_megabytes_is_neither_sent_nor_kept(gateway: Gateway, upstream: Upstream, model: str) -> None:
    headers = {"authorization": f"Bearer {gateway.key}"}
    body = {"model": model[: BODY_BYTES_MAX - 1_000], "messages": []}
    reply = httpx.post(f"{gateway.base_url}/chat/completions", json=body, headers=headers)
    check(gateway, reply, status=404, code="model_not_found")
    assert len(reply.content) < 2_000
    assert not upstream.received
    assert len(gateway.last_call().requested_model) <= 300


def test_a_compressed_body_is_asked_for_uncompressed(gateway: Gateway, http: httpx.Client) -> None:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    reply = http.post("/chat/completions", content=gzip.compress(b'{"model": "gpt-4o-mini"}'), headers=headers)
    error = check(gateway, reply, status=400, code="invalid_request")
    assert "uncompressed" in error["message"]
