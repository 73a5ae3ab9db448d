"""A stream of chat or legacy completions whose bytes pass through."""

import msgspec
from msgspec import Raw, Struct

from watchkeeper.core.usage import Usage
from watchkeeper.gateway.decoding import ABSENT, UNREADABLE, is_given
from watchkeeper.gateway.dialects.openai.replies import failure_of
from watchkeeper.gateway.outcome import Failure
from watchkeeper.gateway.streams import data_of, split_events
from watchkeeper.money.tiers import tier_of
from watchkeeper.money.usage import from_openai

DONE = b"[DONE]"


class _Choice(Struct, gc=False):
    index: int = 0
    finish_reason: str | None = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Raw = ABSENT
    error: Raw = ABSENT
    service_tier: Raw = ABSENT


class _Delta(Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: Raw = ABSENT
    function_call: Raw = ABSENT
    audio: Raw = ABSENT


class _FirstChoice(Struct, gc=False):
    index: int = 0
    finish_reason: str | None = None
    delta: _Delta | None = None
    text: str | None = None


class _FirstChunk(Struct, gc=False):
    model: str | None = None
    choices: list[_FirstChoice] | None = None


_chunk_of = msgspec.json.Decoder(_Chunk).decode
_first_chunk_of = msgspec.json.Decoder(_FirstChunk).decode


class ChatStream:
    """Reads what must be known and takes out what the client did not ask for; see `streams.StreamReader`."""

    __slots__ = (
        "_finished", "_keeps_usage",
        "failure", "has_content", "is_done", "is_finished", "model", "service_tier", "skipped", "usage", "usage_raw",
    )  # fmt: skip

    def __init__(self, keeps_usage: bool) -> None:
        self._keeps_usage = keeps_usage
        self._finished: dict[int, bool] = {}
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
        if (
            events.startswith(b"data: {") and events.find(b"\n") == len(events) - 2
        ):  # one event on one line, as most are
            return events if self._keeps(events[6:]) else b""
        return b"".join([event for event in split_events(events) if self._keeps(data_of(event))])

    def end(self) -> bytes:
        """Nothing is added to what passes through."""
        return b""

    def _keeps(self, data: bytes) -> bool:
        """Read one event's data; tell whether the client gets the event."""
        if not data:
            return True
        if data.startswith(DONE):
            self.is_done = True
            return True
        try:
            chunk = _chunk_of(data)
        except msgspec.ValidationError:  # JSON, but of another shape: the client may know what it means
            return True
        except UNREADABLE:
            self.skipped += 1
            return False
        choices = chunk.choices
        if choices:
            if not self.has_content:
                self._look_for_content(data)
            for choice in choices:
                if choice.finish_reason is not None:
                    self._finished[choice.index] = True
                elif choice.index not in self._finished:
                    self._finished[choice.index] = False
            if self._finished and choices[-1].finish_reason is not None:
                self.is_finished = all(self._finished.values())
        if is_given(chunk.error):
            self.failure = failure_of(200, data)._replace(error_class="upstream_error")
        if not is_given(chunk.usage):
            return True
        self.usage_raw = bytes(chunk.usage)
        self.usage = from_openai(self.usage_raw)
        self.service_tier = tier_of(chunk.service_tier)
        return self._keeps_usage or bool(choices) or choices is None

    def _look_for_content(self, data: bytes) -> None:
        try:
            chunk = _first_chunk_of(data)
        except msgspec.MsgspecError:  # a field of a type of its own: it says something
            self.has_content = True
            return
        self.model = chunk.model or self.model
        for choice in chunk.choices or ():
            delta = choice.delta
            if (
                choice.finish_reason is not None
                or choice.text
                or (
                    delta is not None
                    and (
                        delta.content
                        or delta.reasoning_content
                        or delta.reasoning
                        or delta.refusal
                        or is_given(delta.tool_calls)
                        or is_given(delta.function_call)
                        or is_given(delta.audio)
                    )
                )
            ):
                self.has_content = True
