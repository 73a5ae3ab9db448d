"""However a stream's bytes are cut on their way, the client gets the same and the record says the same."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.gateway.dialects import DIALECTS
from watchkeeper.gateway.relay import Relay
from watchkeeper.gateway.snapshot import Timeouts
from watchkeeper.gateway.streams import StreamReader, TranslatedStream
from watchkeeper.gateway.surfaces import ROOMS
from watchkeeper.gateway.surfaces.room import ReplyFrame
from watchkeeper.gateway.wire.runs import Signal

GOLDEN = sorted((Path(__file__).parent / "translation" / "golden").iterdir())
FRAME = ReplyFrame("01RELAY", 1_767_225_600, True, b"{}")
NATIVE = {"chat": ("openai", "chat"), "messages": ("anthropic", "messages"), "responses": ("openai", "responses")}

OTHER = {"chat": ("messages", "responses"), "messages": ("chat", "responses")}


class Client:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.got = b""

    def write(self, data: bytes) -> None:
        self.got += data


def reader_of(path: Path, *, to: str) -> StreamReader:
    """Understand a golden stream: as it is, or translated to a surface."""
    dialect, surface = NATIVE[path.name.partition("_")[0]]
    if not to:
        return DIALECTS[dialect].endpoints[surface].open_stream(True)  # type: ignore[index]  # a surface's name
    translation = ROOMS[to].translation  # type: ignore[index]  # a surface's name
    assert translation is not None
    return TranslatedStream(DIALECTS[dialect].event_reader(), translation.event_writer(FRAME))


def relayed(path: Path, cuts: list[int], *, to: str) -> tuple[bytes, tuple[Any, ...]]:
    """Relay a golden stream that arrives in pieces; return what the client got, and what is known of it."""
    client, reader, data = Client(), reader_of(path, to=to), path.read_bytes()
    relay = Relay(
        ended=Signal(),
        exchange=client,  # type: ignore[arg-type]  # writing is all that is needed
        now=lambda: 1.0,
        call_started_at=0.0,
        sent_at=0.5,
        heard_at=0.5,
        record_limit=1 << 20,
        reader=reader,
        begin=lambda _relay: None,
        timeouts=Timeouts(),
    )
    relay.on_head(200, [(b"content-type", b"text/event-stream")])
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        if start < stop:
            relay.on_data(data[start:stop])
    relay.on_end()
    known = (reader.usage, reader.model, reader.is_done, reader.is_finished, reader.failure, reader.skipped)
    return client.got + relay.rest(), (*known, relay.end)


CASES = [
    pytest.param(path, to, id=f"{path.stem}{'-to-' if to else ''}{to}")
    for path in GOLDEN
    if path.name.partition("_")[0] in NATIVE
    for to in ("", *OTHER.get(path.name.partition("_")[0], ()))
]


@pytest.mark.parametrize(("path", "to"), CASES)
@settings(max_examples=15)
@given(data=st.data())
def test_cutting_a_stream_at_any_byte_changes_nothing(path: Path, to: str, data: st.DataObject) -> None:
    length = len(path.read_bytes())
    cuts = sorted(data.draw(st.sets(st.integers(1, length - 1), max_size=30)))
    assert relayed(path, cuts, to=to) == relayed(path, [], to=to)


@pytest.mark.parametrize(("path", "to"), CASES)
def test_a_stream_that_arrives_byte_by_byte_is_the_same(path: Path, to: str) -> None:
    assert relayed(path, list(range(1, len(path.read_bytes()))), to=to) == relayed(path, [], to=to)


@pytest.mark.parametrize("path", [path for path in GOLDEN if path.name.startswith(("chat_", "messages_"))], ids=str)
def test_what_passes_through_is_what_came_but_for_what_cannot_be_read(path: Path) -> None:
    got, _ = relayed(path, [], to="")
    reader = reader_of(path, to="")
    if reader.feed(path.read_bytes()) == path.read_bytes():
        assert got == path.read_bytes()
    else:
        assert reader.skipped
