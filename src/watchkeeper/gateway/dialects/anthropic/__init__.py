"""Anthropic's Messages API as upstreams speak it."""

from watchkeeper.gateway.dialects.anthropic import replies
from watchkeeper.gateway.dialects.anthropic.reading import AnthropicReader, completion_of, failure_of
from watchkeeper.gateway.dialects.anthropic.streams import MessagesStream
from watchkeeper.gateway.dialects.anthropic.writing import request_body
from watchkeeper.gateway.dialects.dialect import Dialect, Endpoint
from watchkeeper.gateway.neutral import Prompt


def _unchanged(_body: bytes) -> dict[str, bytes | None]:
    return {}


def _write(prompt: Prompt, model: str) -> bytes:
    return request_body(prompt, model=model)


ANTHROPIC = Dialect(
    name="anthropic",
    endpoints={
        "messages": Endpoint("/v1/messages", _unchanged, replies.read, MessagesStream),
        "count_tokens": Endpoint("/v1/messages/count_tokens", _unchanged, replies.read_count, MessagesStream),
    },
    path="/v1/messages",
    auth="x-api-key",
    headers={b"anthropic-version": b"2023-06-01"},
    forwarded=frozenset({b"anthropic-version", b"anthropic-beta"}),
    strips="/v1",
    continues=True,
    error_family="anthropic",
    failure_of=failure_of,
    request_body=_write,
    completion_of=completion_of,
    event_reader=AnthropicReader,
)
