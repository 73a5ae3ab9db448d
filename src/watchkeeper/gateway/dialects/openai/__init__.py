"""OpenAI's API as upstreams speak it, and every server compatible with it."""

from collections.abc import Callable

from watchkeeper.core.call import Surface
from watchkeeper.gateway.dialects.dialect import Dialect, Endpoint
from watchkeeper.gateway.dialects.openai import replies, responses
from watchkeeper.gateway.dialects.openai.reading import OpenAIReader, completion_of
from watchkeeper.gateway.dialects.openai.streams import ChatStream
from watchkeeper.gateway.dialects.openai.writing import request_body
from watchkeeper.gateway.neutral import Prompt
from watchkeeper.gateway.patching import field, patch


def _with_usage(body: bytes) -> dict[str, bytes | None]:
    """`stream_options` with `include_usage` on and the client's other options kept."""
    return {"stream_options": patch(field(body, "stream_options") or b"{}", {"include_usage": b"true"})}


def _unchanged(_body: bytes) -> dict[str, bytes | None]:
    return {}


def _write(prompt: Prompt, model: str) -> bytes:
    return request_body(prompt, model=model)


def _endpoint(path: str, *, with_usage: Callable[[bytes], dict[str, bytes | None]] = _unchanged) -> Endpoint:
    return Endpoint(path, with_usage, replies.read, ChatStream)


_ENDPOINTS: dict[Surface, Endpoint] = {
    "chat": _endpoint("/chat/completions", with_usage=_with_usage),
    "completions": _endpoint("/completions", with_usage=_with_usage),
    "embeddings": _endpoint("/embeddings"),
    "responses": Endpoint("/responses", _unchanged, responses.read, responses.ResponsesStream),
}

OPENAI = Dialect(
    name="openai",
    endpoints=_ENDPOINTS,
    path="/chat/completions",
    auth="bearer",
    headers={},
    forwarded=frozenset({b"openai-beta"}),
    strips="",
    continues=False,
    error_family="openai",
    failure_of=replies.failure_of,
    request_body=_write,
    completion_of=completion_of,
    event_reader=OpenAIReader,
)
