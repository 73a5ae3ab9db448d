"""A stream of the Messages API whose bytes pass through."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, is_given
from watchkeeper.gateway.dialects.anthropic.reading import failure_of
from watchkeeper.gateway.outcome import Failure
from watchkeeper.gateway.patching import patch
from watchkeeper.gateway.streams import data_of, split_events
from watchkeeper.money.tiers import tier_in
from watchkeeper.money.usage import from_anthropic


class _Message(Struct, gc=False):
    model: str | None = None
    usage: Raw = ABSENT


class _Delta(Struct, gc=False):
    stop_reason: str | None = None


class _Event(Struct, gc=False):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: Raw = ABSENT


_event_of = msgspec.json.Decoder(_Event).decode
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class MessagesStream:
    """Reads what must be known; all of it passes, but for what cannot be read. See `streams.StreamReader`."""

    __slots__ = (
        "failure", "has_content", "is_done", "is_finished", "model", "service_tier", "skipped", "usage", "usage_raw",
    )  # fmt: skip

    def __init__(self, _keeps_usage: bool) -> None:
        self.model = ""
        self.usage: Usage | None = None
        self.usage_raw = b""
        self.has_content = False
        self.is_finished = False
        self.is_done = False
        self.failure: Failure | None = None
        self.skipped = 0
        self.service_tier = ""

    def feed(self, events: bytes) -> bytes:
        """Take whole events; see `streams.StreamReader.feed`."""
        parts = split_events(events)
        if len(parts) == 1:
            return events if self._keeps(events) else b""
        return b"".join([event for event in parts if self._keeps(event)])

    def end(self) -> bytes:
        """Nothing is added to what passes through."""
        return b""

    def _keeps(self, event: bytes) -> bool:
        data = data_of(event)
        if not data:
            return True
        try:
            found = _event_of(data)
        except msgspec.ValidationError:  # JSON, but of another shape: the client may know what it means
            return True
        except UNREADABLE:
            self.skipped += 1
            return False
        match found.type:
            case "content_block_delta" | "content_block_start":
                self.has_content = True
            case "message_start" if found.message is not None:
                self.model = found.message.model or ""
                self._add_usage(found.message.usage)
            case "message_delta":
                self.has_content = True
                self.is_finished = found.delta is not None and found.delta.stop_reason is not None
                self._add_usage(found.usage)
            case "message_stop":
                self.is_done = True
            case "error":
                self.failure = failure_of(200, data)
            case _:
                pass
        return True

    def _add_usage(self, usage: Raw) -> None:
        """Counts of a later event replace those of an earlier one: they are cumulative."""
        if not is_given(usage):
            return
        try:
            later = {name: bytes(value) for name, value in _fields(usage).items() if is_given(value)}
            self.usage_raw = patch(self.usage_raw or b"{}", dict(later))
        except UNREADABLE:
            return
        self.usage = from_anthropic(self.usage_raw)
        self.service_tier = tier_in(self.usage_raw)
