"""Rough counts where the upstream did not say: they err, but never by silence."""

import json

import pytest

from watchkeeper.gateway.estimate import TOKENS_PER_IMAGE, estimate


def _request(*messages: object) -> bytes:
    return json.dumps({"model": "m", "messages": messages}).encode()


def _events(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def test_a_plain_reply_is_counted_by_its_characters() -> None:
    reply = json.dumps({"choices": [{"message": {"content": "x" * 41}}]}).encode()
    usage = estimate(_request({"role": "user", "content": "y" * 8}), reply, is_stream=False)
    assert (usage.input_tokens, usage.output_tokens) == (2, 11)


def test_a_cut_stream_counts_what_arrived_with_tool_calls_and_reasoning() -> None:
    reply = _events(
        {"choices": [{"delta": {"role": "assistant", "content": "abcd"}}]},
        {"choices": [{"delta": {"reasoning_content": "abcd"}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"name": "find", "arguments": '{"a":1}1'}}]}}]},
    )[:-30]
    assert estimate(_request(), reply, is_stream=True).output_tokens == 2

    whole = _events({"choices": [{"delta": {"tool_calls": [{"function": {"name": "find", "arguments": '{"a"'}}]}}]})
    assert estimate(_request(), whole, is_stream=True).output_tokens == 2


def test_images_count_as_images_and_not_as_their_base64() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    usage = estimate(
        _request({"role": "user", "content": [{"type": "text", "text": "what?"}, image]}), b"{}", is_stream=False
    )
    assert usage.input_tokens == 2 + TOKENS_PER_IMAGE


def test_embeddings_count_their_input() -> None:
    request = json.dumps({"model": "m", "input": ["abcd", "abcdefgh"]}).encode()
    assert estimate(request, b'{"data":[]}', is_stream=False).input_tokens == 3


@pytest.mark.parametrize(
    "hostile", [b"", b"null", b"[1]", b'{"messages":[null,3,{"content":[4]}]}', b"\xff", b"[" * 90_000]
)
def test_nothing_that_was_sent_or_received_makes_the_count_fail(hostile: bytes) -> None:
    assert estimate(hostile, hostile, is_stream=False).output_tokens == 0
    assert estimate(hostile, b"data: " + hostile + b"\n\n", is_stream=True).output_tokens == 0
