"""However the network cuts a stream of bytes, the same requests and replies are read from it."""

import itertools
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.gateway.wire.exchange import Request
from watchkeeper.gateway.wire.limits import ServerLimits
from watchkeeper.gateway.wire.reading import RequestReader
from watchkeeper.gateway.wire.rejections import Rejection


class Message(NamedTuple):
    raw: bytes
    method: str
    target: str
    body: bytes


_TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda text: "x-" + text)
_VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
_BODIES = st.one_of(st.binary(max_size=200), st.binary(min_size=1, max_size=9).map(lambda part: part * 3000))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A request with a body that is announced, chunked, or missing."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    target = "/" + draw(st.text("abcdef/%0123456789?=&", max_size=30))
    fields = draw(st.lists(st.tuples(_TOKENS, _VALUES), max_size=8, unique_by=lambda field: field[0]))
    body = draw(_BODIES)
    lines = ["host: gateway", *(f"{name}: {value}" for name, value in fields)]
    match draw(st.sampled_from(["length", "chunks", "upgrade"])):
        case "length":
            framed = body
            lines.append(f"content-length: {len(body)}")
        case "upgrade":
            framed = body
            lines += [f"content-length: {len(body)}", "connection: upgrade", "upgrade: h2c"]
        case _:
            framed = _chunked(body, draw(st.lists(st.integers(1, 50), max_size=8)))
            lines.append("transfer-encoding: chunked")
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
    return Message(head.encode() + framed, method, target, body)


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    framed = b""
    for size in [*sizes, len(body)]:
        part, body = body[:size], body[size:]
        if part:
            framed += b"%x;note=1\r\n%b\r\n" % (len(part), part)
    return framed + b"0\r\nx-sum: 1\r\n\r\n"


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places, taken modulo their length."""
    ends = sorted({place % (len(raw) + 1) for place in places} | {0, len(raw)})
    return [raw[start:end] for start, end in itertools.pairwise(ends)]


def take(reader: RequestReader) -> list[Request | Rejection]:
    """Take what has arrived, and what is behind it, as a connection does."""
    taken: list[Request | Rejection] = []
    while reader.arrived or reader.unread:
        if not reader.arrived:
            reader.read_on()
        taken += reader.arrived
        reader.arrived.clear()
    return taken


@given(
    sent=st.lists(messages(), min_size=1, max_size=5),
    places=st.lists(st.integers(0, 100_000), max_size=40),
    takes_every=st.integers(1, 10),
)
@settings(max_examples=150)
def test_any_cut_of_a_stream_gives_the_same_requests(sent: list[Message], places: list[int], takes_every: int) -> None:
    reader = RequestReader(ServerLimits())
    read: list[Request | Rejection] = []
    for time, part in enumerate(cut(b"".join(message.raw for message in sent), places)):
        reader.feed(part, float(time))
        if time % takes_every == 0:
            read += take(reader)
    read += take(reader)
    requests = [request for request in read if isinstance(request, Request)]
    assert len(requests) == len(read)
    for one, message in zip(requests, sent, strict=True):
        target = one.path + ("?" + one.query if "?" in message.target else "")
        assert (one.method, target, one.body) == (message.method, message.target, message.body)
    assert all(one.first_byte_at <= one.body_at for one in requests)
    assert reader.held_bytes == sum(len(message.body) for message in sent)
    assert reader.phase == "idle"


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=10))
@settings(max_examples=150)
def test_rubbish_gives_at_most_one_rejection_and_nothing_behind_it(raw: bytes, places: list[int]) -> None:
    reader = RequestReader(ServerLimits())
    for part in cut(raw, places):
        reader.feed(part, 0.0)
    arrived = take(reader)
    rejections = [one for one in arrived if isinstance(one, Rejection)]
    assert len(rejections) <= 1
    assert not rejections or (arrived[-1] is rejections[0] and reader.phase == "over")


def test_held_bytes_of_a_refused_body_are_given_back() -> None:
    reader = RequestReader(ServerLimits(body_bytes_max=10))
    reader.feed(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n", 0.0)
    assert reader.held_bytes == 8
    reader.feed(b"8\r\n12345678\r\n", 1.0)
    assert reader.held_bytes == 0
    assert len(reader.arrived) == 1


def test_tiny_chunks_are_joined_as_they_come() -> None:
    reader = RequestReader(ServerLimits())
    reader.feed(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", 0.0)
    for _ in range(20):
        reader.feed(b"1\r\nx\r\n" * 1000, 0.0)
    assert len(reader._parts) == 20
    reader.feed(b"0\r\n\r\n", 0.0)
    request = reader.arrived[0]
    assert isinstance(request, Request)
    assert request.body == b"x" * 20_000


def test_read_full_of_tiny_requests_is_taken_a_slice_at_a_time() -> None:
    reader = RequestReader(ServerLimits())
    raw = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 10_000
    reader.feed(raw, 0.0)
    assert 0 < len(reader.arrived) < 400
    assert reader.held_bytes == len(reader.unread)
    assert len(take(reader)) == 10_000
    assert reader.held_bytes == 0
