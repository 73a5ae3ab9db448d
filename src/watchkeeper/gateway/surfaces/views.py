"""What the gateway must know of a request in every case; all else passes through unread."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from watchkeeper.gateway.decoding import ABSENT
from watchkeeper.gateway.refusals import BadRequest

FEATURE_PREFIX = "feature/"
"""Begins the name of a feature, where others name a model; its release then brings the prompt."""
MODELS_MAX = 20
TOKENS_MAX = 1_000_000_000
"""A limit beyond this is none."""
Seen = TypeVar("Seen", bound="View")


class View(Protocol):
    """A request, seen from outside."""

    model: str
    models: list[str] | None
    """Tried in this order instead of `model`, as the client wishes."""

    @property
    def stream(self) -> bool | None:
        """The answer is to come as a stream of events."""
        ...

    @property
    def person(self) -> str:
        """Whom the request is made for, as the client calls them; empty when it does not say."""
        ...

    @property
    def wants_usage(self) -> bool:
        """The client asked for the usage of its stream, or its API always tells."""
        ...

    @property
    def output_limit(self) -> tuple[int, int | None]:
        """How many answers are asked for, and how many tokens each may have; None where the request sets no limit."""
        ...

    @property
    def names_tier(self) -> bool:
        """The request says by which of a provider's service tiers it is to be billed."""
        ...


class _Tiered(Struct, gc=False):
    """What requests of most APIs can say of the price they are billed at."""

    service_tier: Any = None
    speed: Any = None

    @property
    def names_tier(self) -> bool:
        """See `View.names_tier`."""
        return self.service_tier is not None or self.speed is not None


class StreamOptions(Struct, gc=False):
    """`stream_options` of a chat request."""

    include_usage: bool | None = None


class ChatView(_Tiered, gc=False, kw_only=True):
    """A chat request."""

    messages: Raw = ABSENT
    model: str = ""
    models: list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    n: Any = None

    @property
    def person(self) -> str:
        """See `View.person`."""
        return self.user or ""

    @property
    def output_limit(self) -> tuple[int, int | None]:
        """See `View.output_limit`."""
        limits = [limit for limit in (_count(self.max_completion_tokens), _count(self.max_tokens)) if limit]
        return _count(self.n) or 1, max(limits, default=None)

    @property
    def wants_usage(self) -> bool:
        """See `View.wants_usage`."""
        return bool(self.stream_options and self.stream_options.include_usage)


class CompletionsView(ChatView, gc=False):
    """A legacy completions request."""

    prompt: Raw = ABSENT
    best_of: Any = None

    @property
    def output_limit(self) -> tuple[int, int | None]:
        """See `View.output_limit`; each prompt has answers of its own, and those that are thrown away cost the same."""
        answers, limit = super().output_limit
        return max(answers, _count(self.best_of) or 1) * _prompts(self.prompt), limit


class EmbeddingsView(Struct, gc=False):
    """An embeddings request."""

    input: Raw
    model: str = ""
    models: list[str] | None = None
    user: str | None = None

    @property
    def stream(self) -> bool | None:
        """Vectors come whole."""
        return None

    @property
    def output_limit(self) -> tuple[int, int | None]:
        """Vectors cost nothing."""
        return 0, 0

    @property
    def names_tier(self) -> bool:
        """They have one price."""
        return False

    @property
    def wants_usage(self) -> bool:
        """See `View.wants_usage`."""
        return True

    @property
    def person(self) -> str:
        """See `View.person`."""
        return self.user or ""


class ResponsesView(_Tiered, gc=False):
    """A request of the Responses API."""

    input: Raw = ABSENT
    model: str = ""
    models: list[str] | None = None
    stream: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    max_output_tokens: Any = None

    @property
    def output_limit(self) -> tuple[int, int | None]:
        """See `View.output_limit`."""
        return 1, _count(self.max_output_tokens)

    @property
    def person(self) -> str:
        """See `View.person`."""
        return self.user or self.safety_identifier or ""

    @property
    def wants_usage(self) -> bool:
        """Its last event always tells."""
        return True


class MessagesMetadata(Struct, gc=False):
    """`metadata` of a Messages request."""

    user_id: str | None = None


class MessagesView(_Tiered, gc=False, kw_only=True):
    """A request of the Messages API, or of its counting of tokens."""

    messages: Raw = ABSENT
    model: str = ""
    models: list[str] | None = None
    stream: bool | None = None
    metadata: MessagesMetadata | None = None
    max_tokens: Any = None

    @property
    def output_limit(self) -> tuple[int, int | None]:
        """See `View.output_limit`."""
        return 1, _count(self.max_tokens)

    @property
    def person(self) -> str:
        """See `View.person`."""
        return (self.metadata.user_id or "") if self.metadata else ""

    @property
    def wants_usage(self) -> bool:
        """Its events always tell."""
        return True


_list = msgspec.json.Decoder(list[Any]).decode
_chat = msgspec.json.Decoder(ChatView).decode
_completions = msgspec.json.Decoder(CompletionsView).decode
_embeddings = msgspec.json.Decoder(EmbeddingsView).decode
_responses = msgspec.json.Decoder(ResponsesView).decode
_messages = msgspec.json.Decoder(MessagesView).decode


def read_chat(body: bytes) -> ChatView:
    """Read a chat request.

    Raises:
        BadRequest: the body is not UTF-8, not JSON, lacks a field or has one of the wrong type.
    """
    view = _read(_chat, body)
    _require_messages(view.messages, view.model)
    return view


def read_completions(body: bytes) -> CompletionsView:
    """Read a legacy completions request; raises as `read_chat`."""
    view = _read(_completions, body)
    if not view.prompt:
        raise BadRequest("`prompt` is required.", param="prompt")
    return view


def read_embeddings(body: bytes) -> EmbeddingsView:
    """Read an embeddings request; raises as `read_chat`."""
    return _read(_embeddings, body)


def read_responses(body: bytes) -> ResponsesView:
    """Read a request of the Responses API; raises as `read_chat`."""
    return _read(_responses, body)


def read_messages(body: bytes) -> MessagesView:
    """Read a request of the Messages API; raises as `read_chat`."""
    view = _read(_messages, body)
    _require_messages(view.messages, view.model)
    return view


def _read(decode: Callable[[bytes], Seen], body: bytes) -> Seen:
    require_utf8(body)
    try:
        view = decode(body)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise bad_body(body, problem) from None
    if not view.model or view.models is not None:
        _require_model(view)
    return view


def _require_messages(messages: Raw, model: str) -> None:
    if messages:
        require_list(messages, "messages", "messages")
    elif not model.startswith(FEATURE_PREFIX):
        raise BadRequest("`messages` is required.", param="messages")


def require_list(value: Raw, name: str, of: str) -> None:
    """Refuse what is not an array."""
    if memoryview(value)[:1].tobytes() != b"[":
        raise BadRequest(f"`{name}` must be an array of {of}.", param=name)


def require_utf8(body: bytes) -> None:
    """Refuse what cannot be JSON because it is not text."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as problem:
            what = "is compressed" if body.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")) else "is not valid UTF-8"
            raise BadRequest(
                f"The body {what}: byte {problem.start} cannot be decoded. Send JSON in UTF-8, uncompressed."
            ) from None


def bad_body(body: bytes, problem: msgspec.MsgspecError | RecursionError) -> BadRequest:
    """Say in the client's words why its body cannot be read."""
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


def _require_model(view: View) -> None:
    if view.models is not None:
        if not 0 < len(view.models) <= MODELS_MAX or not all(view.models):
            raise BadRequest(f"`models` must name between 1 and {MODELS_MAX} models.", param="models")
    elif not view.model:
        raise BadRequest("`model` is required.", param="model")


def _prompts(prompt: Raw) -> int:
    """Count the prompts: a text or the numbers of one's tokens are one, a list of either is as many."""
    if memoryview(prompt)[:1].tobytes() != b"[":
        return 1
    listed = _list(prompt)
    return max(1, len(listed)) if not listed or not isinstance(listed[0], int) else 1


def _count(given: Any) -> int | None:
    """A number that can be a limit; whatever else a client sends is for its upstream to refuse."""
    return given if type(given) is int and 0 < given <= TOKENS_MAX else None


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
