"""Scripts that answer: what is said, how fast, and in what pieces it travels."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, replace
from itertools import pairwise
from typing import Literal, Protocol

from watchkeeper.testing.apis import api_of
from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import Event, Said, Tool, UsageReport, written
from watchkeeper.testing.steps import Close, End, Send, Step, Wait, chunk, head

Packets = Literal["event", "byte", "bundle", "split"]
"""event: one write for each event. byte: one for each byte. bundle: one for all. split: each write ends in the middle
of an event."""

Framing = Literal["length", "chunked", "close"]


class Script(Protocol):
    """What the upstream does with one request."""

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Yield the steps, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a reply travels."""

    framing: Framing | None = None
    """None: a content-length for a document, chunked coding for a stream."""
    packets: Packets = "event"
    newline: Literal["\n", "\r\n"] = "\n"
    """What ends a line of a stream."""
    has_comments: bool = False
    """A keep-alive comment stands before each event."""
    is_gzipped: bool = False
    """Compressed without asking whether the client can read it."""
    length_error: int = 0
    """Added to a document's content-length; the connection is closed after the body."""
    head_s: float = 0.0
    """Before the status line."""
    first_s: float = 0.0
    """Between the head and the first byte of the body."""
    pace_s: float = 0.0
    """Between two writes of a stream."""
    headers: tuple[tuple[str, str], ...] = ()
    """Added to the reply's own."""

    def document(self, body: bytes, *, status: int = 200, content_type: str = "application/json") -> Iterator[Step]:
        """Send one body."""
        content = gzip.compress(body, mtime=0) if self.is_gzipped else body
        framing = self.framing or "length"
        yield Wait(self.head_s)
        yield Send(head(status, self._headers(content_type, framing, len(content))))
        yield Wait(self.first_s)
        match framing:
            case "length":
                yield from map(Send, self._pieces(content))
            case "chunked":
                yield from (Send(chunk(piece)) for piece in self._pieces(content))
                yield Send(chunk(b""))
            case "close":
                yield Send(content)
        if framing == "close" or self.length_error:
            yield Close()

    def cut_document(self, body: bytes, end: End | None) -> Iterator[Step]:
        """Promise a whole body and send the first half of it."""
        half = body[: len(body) // 2]
        promised = len(half) if end is None else len(body)
        yield Wait(self.head_s)
        yield Send(head(200, self._headers("application/json", "length", promised)))
        yield Wait(self.first_s)
        yield Send(half)
        if end is not None:
            yield end

    def stream(self, events: list[Event], end: End | None = None) -> Iterator[Step]:
        """Send a stream of events; with an `end`, that happens where the response would have ended in order."""
        framing = self.framing or "chunked"
        press = self._press()
        packets = [press(packet) for packet in self._packets([self._written(event) for event in events])]
        if self.is_gzipped and end is None:
            packets.append(press(None))
        yield Wait(self.head_s)
        yield Send(head(200, self._headers("text/event-stream; charset=utf-8", framing, sum(map(len, packets)))))
        yield Wait(self.first_s)
        for number, packet in enumerate(packets):
            if number:
                yield Wait(self.pace_s)
            yield Send(chunk(packet) if framing == "chunked" else packet)
        if end is not None:
            yield end
        elif framing == "chunked":
            yield Send(chunk(b""))
        elif framing == "close":
            yield Close()

    def _headers(self, content_type: str, framing: Framing, length: int) -> list[tuple[str, str]]:
        headers = [("content-type", content_type)]
        match framing:
            case "length":
                headers.append(("content-length", str(length + self.length_error)))
            case "chunked":
                headers.append(("transfer-encoding", "chunked"))
            case "close":
                headers.append(("connection", "close"))
        if self.is_gzipped:
            headers.append(("content-encoding", "gzip"))
        return headers + list(self.headers)

    def _pieces(self, content: bytes) -> list[bytes]:
        return [content[at : at + 1] for at in range(len(content))] if self.packets == "byte" else [content]

    def _written(self, event: Event) -> bytes:
        newline = self.newline.encode()
        comment = b": keep-alive" + newline * 2 if self.has_comments else b""
        name = b"event: " + event.name.encode() + newline if event.name else b""
        return comment + name + b"data: " + event.data + newline * 2

    def _packets(self, written: list[bytes]) -> list[bytes]:
        match self.packets:
            case "event":
                return written
            case "byte":
                return self._pieces(b"".join(written))
            case "bundle":
                return [b"".join(written)]
            case "split":
                halves = [(event[: len(event) // 2], event[len(event) // 2 :]) for event in written]
                seams = [last + first for (_, last), (first, _) in pairwise(halves)]
                return [halves[0][0], *seams, halves[-1][1]] if halves else []

    def _press(self) -> Callable[[bytes | None], bytes]:
        """Return what turns each packet into what is sent of it; None asks for the rest."""
        if not self.is_gzipped:
            return lambda packet: packet or b""
        press = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        return lambda packet: (
            press.flush() if packet is None else press.compress(packet) + press.flush(zlib.Z_SYNC_FLUSH)
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers whole or as a stream, in the API and in the way that the request asks."""

    text: str = "Hello from the scripted upstream."
    _: KW_ONLY
    thinking: str = ""
    """What the model shows of its thoughts, before the text."""
    tools: tuple[Tool, ...] = ()
    """Asked for after the text; give `text=""` for tools alone."""
    finish_reason: str = ""
    """`stop` or `tool_calls` when empty. In OpenAI's words, which other APIs translate, or in the API's own."""
    model: str = ""
    """The model name to answer with; the one asked for when empty."""
    reports_usage: UsageReport = "asked"
    usage: Json | None = None
    """Reported instead of what was counted: for details, and for wrong numbers. Other APIs rename `prompt_tokens` and
    `completion_tokens`."""
    is_terminated: bool = True
    """Whether a stream has the event that ends it: `[DONE]`, `message_stop`, `response.completed`."""
    has_ping: bool = False
    """Whether a stream of messages has a `ping`."""
    continues_prefill: bool = False
    """Whether to go on behind an assistant's message that ends the request, and so leave out its text."""
    delivery: Delivery = Delivery()

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Answer."""
        if asked.is_stream:
            return self.delivery.stream(self.events(asked))
        return self.delivery.document(self.document(asked))

    def document(self, asked: Asked) -> bytes:
        """Write the whole reply."""
        return written(api_of(asked.path).document(asked, self._said(asked)))

    def events(self, asked: Asked) -> list[Event]:
        """Write the reply's stream, its terminator included."""
        return api_of(asked.path).events(asked, self._said(asked))

    def _said(self, asked: Asked) -> Said:
        said = Said(
            text=self.text,
            thinking=self.thinking,
            tools=self.tools,
            finish_reason=self.finish_reason,
            model=self.model,
            reports_usage=self.reports_usage,
            usage=self.usage,
            is_terminated=self.is_terminated,
            has_ping=self.has_ping,
        )
        return replace(said, text=self._rest(asked.prefill)) if self.continues_prefill and asked.prefill else said

    def _rest(self, prefill: str) -> str:
        if not self.text.startswith(prefill):
            raise ValueError(f"the script does not go on from {prefill!r}: its text is {self.text!r}")
        return self.text[len(prefill) :]


@dataclass(frozen=True, slots=True)
class Document:
    """Answers with one JSON document, whatever was asked."""

    content: Json
    _: KW_ONLY
    status: int = 200
    delivery: Delivery = Delivery()

    def steps(self, _asked: Asked, /) -> Iterator[Step]:
        """Send it."""
        return self.delivery.document(written(self.content), status=self.status)
