"""What a client sends reaches the upstream byte for byte, and what the upstream sends reaches the client so."""

import json
from typing import Any

import httpx
import pytest

from watchkeeper.testing import Delivery, Raw, Reply, StreamCut, Tool, Upstream
from watchkeeper.testing.asked import Asked
from watchkeeper.testing.scripts import Packets
from watchkeeper.testing.steps import Send, head

MESSAGES = [{"role": "user", "content": "one two three"}]

ODD_BODIES = {
    "spaces and order": b'{ "messages" : [ {"content":"a",   "role":"user"} ],\n\t"model":"gpt-4o-mini" }\n',
    "new fields": b'{"model":"gpt-4o-mini","messages":[],"x":{"deep":[1,2,{"a":null}]},"seed":18446744073709551616}',
    "numbers kept": b'{"model":"gpt-4o-mini","messages":[],"temperature":1.0,"top_p":1e-3,"x":1.000000000000000000}',
    "escapes": b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"\\u00e9\\ud83d\\ude00\\/"}]}',
    "utf-8": '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"é😀漢字"}]}'.encode(),
    "escaped model": b'{"model":"gpt\\u002d4o-mini","messages":[]}',
    "stream with usage": b'{"model":"gpt-4o-mini","stream":true, "stream_options" : {"include_usage":true,"x":1},'
    b'"messages":[]}',
    "stream that is none": b'{"model":"gpt-4o-mini","stream":false,"stream_options":null,"messages":[]}',
    "image": b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"image_url","image_url":'
    b'{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}',
    "structured output": b'{"model":"gpt-4o-mini","messages":[],"response_format":{"type":"json_schema","json_schema":'
    b'{"name":"a","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}}}',
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
def test_a_body_that_needs_no_change_is_sent_on_as_received(
    http: httpx.Client, upstream: Upstream, body: bytes
) -> None:
    assert http.post("/chat/completions", content=body).status_code == 200
    assert upstream.received[0].body == body


def test_the_same_holds_without_the_version_prefix(http: httpx.Client, upstream: Upstream) -> None:
    body = ODD_BODIES["spaces and order"]
    url = str(http.base_url).removesuffix("/v1/") + "/chat/completions"
    assert http.post(url, content=body).status_code == 200
    assert upstream.received[0].body == body
    assert upstream.received[0].path == "/v1/chat/completions"


def test_embeddings_are_sent_on_as_received(http: httpx.Client, upstream: Upstream) -> None:
    body = b'{"input": ["a",  "b"], "model":"text-embedding-3-small", "encoding_format":"base64"}'
    reply = http.post("/embeddings", content=body)
    assert reply.json()["data"][1]["object"] == "embedding"
    assert upstream.received[0].body == body
    assert upstream.received[0].path == "/v1/embeddings"


def test_another_model_name_upstream_changes_that_field_only(http: httpx.Client, upstream: Upstream) -> None:
    http.post("/chat/completions", content=b'{"temperature":1.0, "model":"alias", "messages":[ {"role" : "user"} ]}')
    assert upstream.received[0].body == b'{"temperature":1.0,"model":"gpt-4o-mini","messages":[ {"role" : "user"} ]}'


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (
            b'{"model":"gpt-4o-mini","stream":true,"messages":[],"top_p":1.0}',
            b'{"model":"gpt-4o-mini","stream":true,"messages":[],"top_p":1.0,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream_options":{"x": 1},"model":"gpt-4o-mini","stream":true,"messages":[]}',
            b'{"stream_options":{"x":1,"include_usage":true},"model":"gpt-4o-mini","stream":true,"messages":[]}',
        ),
        (
            b'{"stream_options":{"include_usage":false},"model":"gpt-4o-mini","stream":true,"messages":[]}',
            b'{"stream_options":{"include_usage":true},"model":"gpt-4o-mini","stream":true,"messages":[]}',
        ),
        (
            b'{"stream_options":null,"model":"gpt-4o-mini","stream":true,"messages":[]}',
            b'{"stream_options":{"include_usage":true},"model":"gpt-4o-mini","stream":true,"messages":[]}',
        ),
    ],
    ids=["absent", "other options", "declined", "null"],
)
def test_a_streams_usage_is_asked_for_and_nothing_else_changes(
    http: httpx.Client, upstream: Upstream, sent: bytes, received: bytes
) -> None:
    http.post("/chat/completions", content=sent)
    assert upstream.received[0].body == received


def test_the_upstream_sees_its_own_key_and_nothing_of_the_clients(http: httpx.Client, upstream: Upstream) -> None:
    private = {
        "cookie": "session=fake",
        "x-api-key": "fake",
        "api-key": "fake",
        "x-wk-tenant": "acme",
        "x-wk-subject": "ana",
        "x-litellm-tags": "a",
        "helicone-auth": "Bearer fake",
        "x-portkey-api-key": "fake",
        "x-forwarded-for": "10.0.0.1",
    }
    http.post("/chat/completions", json={"model": "gpt-4o-mini", "messages": MESSAGES}, headers=private)
    [received] = upstream.received
    assert received.header("authorization") == "Bearer sk-fake-of-the-provider"
    assert b"sk-wk-" not in received.head
    assert not [name for name in private if received.header(name) is not None]


def test_a_reply_comes_back_byte_for_byte(http: httpx.Client, upstream: Upstream) -> None:
    body = b'{ "choices":[{"index":0, "message":{"content":"\\u00e9"}}],\n "usage":{"prompt_tokens":1}, "new":1.0 }\n'
    headers = [("content-type", "application/json; charset=utf-8"), ("content-length", str(len(body)))]
    upstream.plays(Raw(head(200, headers) + body))
    reply = http.post("/chat/completions", json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert reply.content == body
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("packets", ["event", "byte", "bundle", "split"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("has_comments", [False, True], ids=["bare", "comments"])
def test_a_stream_comes_back_byte_for_byte(
    http: httpx.Client, upstream: Upstream, packets: Packets, newline: Any, has_comments: bool
) -> None:
    delivery = Delivery(packets=packets, newline=newline, has_comments=has_comments)
    reply = Reply('Usage of "error": [DONE] in a text\nis no usage.', delivery=delivery)
    upstream.plays(reply)
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
    answer = http.post("/chat/completions", json=asked)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.content == _events(reply, upstream.received[0].asked)


def test_events_are_passed_on_when_they_come(http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Reply("one two three", delivery=Delivery(pace_s=0.05)))
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True}
    with http.stream("POST", "/chat/completions", json=asked) as answer:
        parts = answer.iter_raw()
        first = next(parts)
        assert upstream.received[0].outcome == "answering"
        assert first.count(b"data: ") == 1


def test_tool_calls_pass_in_both_directions(http: httpx.Client, upstream: Upstream) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    upstream.always(Reply("", tools=(Tool("get_weather", {"city": "Köln"}),)))
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES, "tools": tools, "tool_choice": "auto"}
    plain = http.post("/chat/completions", json=asked).json()
    assert json.loads(plain["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "Köln"}
    streamed = http.post("/chat/completions", json={**asked, "stream": True}).text
    assert streamed.count('"tool_calls":[') > 2
    assert upstream.received[1].json["tools"] == tools


@pytest.mark.parametrize("choices", [1, 3])
def test_every_choice_asked_for_comes_back(http: httpx.Client, choices: int) -> None:
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES, "n": choices, "logprobs": True}
    plain = http.post("/chat/completions", json=asked).json()
    assert [choice["index"] for choice in plain["choices"]] == list(range(choices))
    assert plain["choices"][-1]["logprobs"]["content"][0]["token"] == "Hello"
    streamed = http.post("/chat/completions", json={**asked, "stream": True}).text
    assert streamed.count('"finish_reason":"stop"') == choices


def test_a_compressed_reply_is_what_the_client_can_read(http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(Reply(delivery=Delivery(is_gzipped=True)))
    reply = http.post("/chat/completions", json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert reply.json()["choices"][0]["message"]["content"] == "Hello from the scripted upstream."


def test_a_reply_of_many_megabytes_arrives_whole(http: httpx.Client, upstream: Upstream) -> None:
    reply = Reply(" ".join(["x" * 32_768] * 256))
    upstream.always(reply)
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES}
    assert http.post("/chat/completions", json=asked).content == reply.document(upstream.received[0].asked)
    streamed = http.post("/chat/completions", json={**asked, "stream": True, "stream_options": {"include_usage": True}})
    assert streamed.content == _events(reply, upstream.received[1].asked)


def test_a_body_of_some_hundred_kilobytes_arrives_whole(http: httpx.Client, upstream: Upstream) -> None:
    url = "data:image/png;base64," + "A" * 900_000
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]}).encode()
    assert http.post("/chat/completions", content=body).status_code == 200
    assert upstream.received[0].body == body


def test_connections_to_the_upstream_are_used_again(http: httpx.Client, upstream: Upstream) -> None:
    for _ in range(5):
        http.post("/chat/completions", json={"model": "gpt-4o-mini", "messages": MESSAGES})
    assert len({received.connection for received in upstream.received}) == 1


def test_a_call_after_a_cut_connection_gets_a_fresh_one(http: httpx.Client, upstream: Upstream) -> None:
    upstream.plays(StreamCut(after_tokens=1))
    asked = {"model": "gpt-4o-mini", "messages": MESSAGES}
    assert http.post("/chat/completions", json=asked).status_code == 502
    assert http.post("/chat/completions", json=asked).status_code == 200


def _events(reply: Reply, asked: Asked) -> bytes:
    """What the upstream wrote as a stream's body, without the framing."""
    plain = Reply(
        reply.text,
        delivery=Delivery(framing="close", newline=reply.delivery.newline, has_comments=reply.delivery.has_comments),
    )
    sent = [step.data for step in plain.steps(asked) if isinstance(step, Send)]
    return b"".join(sent[1:])
