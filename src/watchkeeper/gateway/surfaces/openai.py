"""OpenAI's API as clients speak it: chat completions, embeddings, models, and the shape of its errors."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.call import Surface
from watchkeeper.gateway.refusals import BadRequest

ENDPOINTS: dict[str, Surface] = {"/chat/completions": "chat", "/embeddings": "embeddings"}
"""Path without the version prefix, and the surface behind it."""

_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class StreamOptions(Struct, gc=False):
    """`stream_options` of a chat request."""

    include_usage: bool | None = None


class ChatView(Struct, gc=False):
    """What the gateway must know of a chat request; all else passes through unread."""

    model: str
    messages: Raw
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None


class EmbeddingsView(Struct, gc=False):
    """What the gateway must know of an embeddings request."""

    model: str
    input: Raw
    user: str | None = None


View = ChatView | EmbeddingsView

_chat = msgspec.json.Decoder(ChatView)
_embeddings = msgspec.json.Decoder(EmbeddingsView)
_fields = msgspec.json.Decoder(dict[str, Raw])
_write = msgspec.json.Encoder().encode


def read_chat(body: bytes) -> ChatView:
    """Read a chat request.

    Raises:
        BadRequest: the body is not UTF-8, not JSON, lacks a field or has one of the wrong type.
    """
    _require_utf8(body)
    try:
        view = _chat.decode(body)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise _bad_body(body, problem) from None
    if memoryview(view.messages)[:1].tobytes() != b"[":
        raise BadRequest("`messages` must be an array of messages.", param="messages")
    return view


def read_embeddings(body: bytes) -> EmbeddingsView:
    """Read an embeddings request.

    Raises:
        BadRequest: as `read_chat`.
    """
    _require_utf8(body)
    try:
        return _embeddings.decode(body)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise _bad_body(body, problem) from None


def patch(body: bytes, changes: dict[str, bytes]) -> bytes:
    """Return the request with some top-level fields replaced by the given JSON; all other values keep their bytes."""
    fields: dict[str, Any] = _fields.decode(body)
    for name, value in changes.items():
        fields[name] = Raw(value)
    return _write(fields)


def with_usage(body: bytes) -> bytes:
    """Return the JSON of `stream_options` with `include_usage` on and the client's other options kept."""
    options = _fields.decode(body).get("stream_options")
    kept: dict[str, Any] = {} if options is None or bytes(options) == b"null" else _fields.decode(options)
    kept["include_usage"] = True
    return _write(kept)


def error_body(message: str, *, status: int, code: str | None, error_type: str = "", param: str | None = None) -> bytes:
    """Write an error as OpenAI's clients expect it."""
    if not error_type:
        error_type = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return _write({"error": {"message": message, "type": error_type, "param": param, "code": code}})


def models_body(names: list[str], *, created_s: int) -> bytes:
    """Write the list of models: route names first, in the given order."""
    rows = [{"id": name, "object": "model", "created": created_s, "owned_by": "watchkeeper"} for name in names]
    return _write({"object": "list", "data": rows})


def model_body(name: str, *, created_s: int) -> bytes:
    """Write one model."""
    return _write({"id": name, "object": "model", "created": created_s, "owned_by": "watchkeeper"})


def _require_utf8(body: bytes) -> None:
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as problem:
            what = "is compressed" if body.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")) else "is not valid UTF-8"
            raise BadRequest(
                f"The body {what}: byte {problem.start} cannot be decoded. Send JSON in UTF-8, uncompressed."
            ) from None


def _bad_body(body: bytes, problem: msgspec.MsgspecError | RecursionError) -> BadRequest:
    text = str(problem)
    if isinstance(problem, RecursionError):
        return BadRequest("The body is nested too deeply to be read.")
    if not isinstance(problem, msgspec.ValidationError):
        what = "The body is empty" if not body.strip() else f"The body is not valid JSON: {text}"
        return BadRequest(f"{what}. Send one JSON object.")
    what, _, where = text.partition(" - at `$")
    if what.startswith("Object missing required field"):
        field = what.rsplit("`", 2)[-2]
        return BadRequest(f"`{field}` is required.", param=field)
    field = where.strip(".`")
    return BadRequest(
        f"`{field}` has the wrong type: {_lower_first(what)}." if field else f"{what}.", param=field or None
    )


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
