"""The call that is measured: a chat request of 1,024 bytes with attribution, and its reply."""

import json

MODEL = "gpt-4o-mini"
REQUEST_BYTES = 1024
ATTRIBUTION = {
    "x-wk-tenant": "acme",
    "x-wk-subject": "user-4711",
    "x-wk-session": "session-0815",
    "x-wk-tags": "bench,chat",
}


def request_body(size: int = REQUEST_BYTES, model: str = MODEL) -> bytes:
    """Write a chat request of exactly this many bytes."""
    return _filled({"model": model, "messages": [{"role": "user", "content": ""}]}, size)


def messages_body(size: int = REQUEST_BYTES) -> bytes:
    """Write a Messages request of exactly this many bytes."""
    return _filled({"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": ""}]}, size)


def reply_body(size: int = REQUEST_BYTES) -> bytes:
    """Write a chat completion of exactly this many bytes."""
    message = {"role": "assistant", "content": ""}
    reply = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 250, "completion_tokens": 200, "total_tokens": 450},
    }
    return _filled(reply, size)


def headers(key: str) -> dict[str, str]:
    """Return the headers of a call, the key included."""
    return {"authorization": f"Bearer {key}", "content-type": "application/json", **ATTRIBUTION}


def request_bytes(port: int, key: str) -> bytes:
    """Write the whole HTTP request."""
    body = request_body()
    fields = {"host": f"127.0.0.1:{port}", **headers(key), "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body


def _filled(document: dict[str, object], size: int) -> bytes:
    """Write the document with its empty `content` filled up so that the whole has the given size."""
    empty = json.dumps(document)
    filler = ("All work and no play makes a dull reply. " * (size // 40 + 1))[: size - len(empty)]
    return empty.replace('"content": ""', f'"content": "{filler}"').encode()
