"""Scripts that fail, each in one way that upstreams fail in."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from watchkeeper.testing.apis import api_of
from watchkeeper.testing.asked import Asked
from watchkeeper.testing.said import Event, Refusal
from watchkeeper.testing.scripts import Delivery, Document, Reply
from watchkeeper.testing.steps import Close, End, Hang, Reset, Send, Step

PLAIN = Reply()
FIN = Close()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCut:
    """Stops in the middle: a stream after some tokens, a plain reply after half of its body."""

    after_tokens: int
    end: End | None = FIN
    """None: the response ends in order, as if this were all of it."""
    reply: Reply = PLAIN

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Answer up to the cut."""
        delivery = self.reply.delivery
        if not asked.is_stream:
            return delivery.cut_document(self.reply.document(asked), self.end)
        return delivery.stream(_until(self.reply.events(asked), self.after_tokens), self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Goes silent in the middle and keeps the connection open."""

    after_tokens: int
    reply: Reply = PLAIN

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Answer up to the stall."""
        return StreamCut(after_tokens=self.after_tokens, end=Hang(), reply=self.reply).steps(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenEvent:
    """Puts something that is not JSON into a stream, which then goes on; a plain reply is broken JSON."""

    after_tokens: int = 2
    data: bytes = b""
    """Empty for the half of an event of the API that was asked."""
    reply: Reply = PLAIN

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Answer, brokenly."""
        broken = api_of(asked.path).broken(self.data)
        if not asked.is_stream:
            return NotJson(broken.data).steps(asked)
        events = self.reply.events(asked)
        before = _until(events, self.after_tokens)
        return self.reply.delivery.stream([*before, broken, *events[len(before) :]])


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """Refuses with a status and an error.

    It is told in OpenAI's words. Anthropic's Messages have types of their own, by status, 529 for the code `overloaded`
    and texts of their own for the codes `context_length_exceeded` and `content_policy_violation`.
    """

    status: int
    _: KW_ONLY
    message: str = "The scripted upstream refuses."
    error_type: str = "server_error"
    code: str | None = None
    param: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Refuse."""
        refusal = Refusal(
            status=self.status, message=self.message, error_type=self.error_type, code=self.code, param=self.param
        )
        status, content = api_of(asked.path).refused(asked, refusal)
        return Document(content, status=status, delivery=Delivery(headers=self.headers)).steps(asked)


def rate_limited(retry_after_s: float | None = None) -> ErrorReply:
    """Refuse with 429; `retry-after` is sent when a time is given."""
    headers = () if retry_after_s is None else (("retry-after", f"{retry_after_s:g}"),)
    message = "Rate limit reached for the scripted model."
    return ErrorReply(429, message=message, error_type="rate_limit_error", code="rate_limit_exceeded", headers=headers)


def overloaded() -> ErrorReply:
    """Refuse with 503, or 529 where the API has that."""
    return ErrorReply(503, message="The scripted model is overloaded.", code="overloaded")


def context_length_exceeded() -> ErrorReply:
    """Refuse a prompt as too long."""
    message = "This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens."
    return ErrorReply(
        400,
        message=message,
        error_type="invalid_request_error",
        code="context_length_exceeded",
        param="messages",
    )


def content_policy_violation() -> ErrorReply:
    """Refuse a prompt for what it says."""
    message = "Your request was rejected as a result of the scripted safety system."
    return ErrorReply(400, message=message, error_type="invalid_request_error", code="content_policy_violation")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInside:
    """Answers 200 with an error for a body, streams included."""

    message: str = "The scripted upstream failed and said 200."
    code: str | None = "server_error"

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Refuse, in disguise."""
        refusal = Refusal(status=500, message=self.message, code=self.code)
        _, content = api_of(asked.path).refused(asked, refusal)
        return Document(content).steps(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """Breaks off a stream with an event that carries an error; a plain reply is `ErrorInside`."""

    after_tokens: int = 2
    message: str = "The scripted upstream failed in the middle."
    code: str | None = "server_error"
    is_terminated: bool = False
    """Whether what ends a stream follows the error: `[DONE]`, `message_stop`, `response.failed`."""
    reply: Reply = PLAIN

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Answer up to the error."""
        if not asked.is_stream:
            return ErrorInside(message=self.message, code=self.code).steps(asked)
        before = _until(self.reply.events(asked), self.after_tokens)
        refusal = Refusal(status=500, message=self.message, code=self.code)
        failed = api_of(asked.path).failed(asked, refusal, before)
        return self.reply.delivery.stream([*before, *(failed if self.is_terminated else failed[:1])])


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """Answers with a web page, as proxies before a provider do."""

    status: int = 502

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        """Show the page."""
        page = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
        return Delivery().document(page, status=self.status, content_type="text/html")


@dataclass(frozen=True, slots=True)
class NotJson:
    """Answers 200 with a body that claims to be JSON and is not."""

    body: bytes = b'{"id": "chatcmpl-broken", "choices": [{"index": 0, "message": {"role": "assis'

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        """Answer, brokenly."""
        return Delivery().document(self.body)


@dataclass(frozen=True, slots=True)
class Raw:
    """Writes these bytes, whatever they mean."""

    data: bytes
    end: End | None = None

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        """Write."""
        yield Send(self.data)
        if self.end is not None:
            yield self.end


@dataclass(frozen=True, slots=True)
class ResetBeforeHead:
    """Reads the request and tears the connection down."""

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        """Reset."""
        yield Reset()


@dataclass(frozen=True, slots=True)
class Silence:
    """Reads the request and never answers."""

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        """Say nothing."""
        yield Hang()


def _until(events: list[Event], after_tokens: int) -> list[Event]:
    """Return the events up to the one that completes so many tokens, of all choices together."""
    sent = 0
    for position, event in enumerate(events):
        if sent >= after_tokens and (sent or event.tokens):
            return events[:position]
        sent += event.tokens
    raise ValueError(f"the script stops after {after_tokens} tokens and its reply has only {sent}")
