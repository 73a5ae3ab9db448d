"""Continues an answer that broke off after the client had been given its beginning.

A target that can go on from a beginning is given it as the assistant's own words. One that cannot, or refuses, is asked
anew, and what it says is passed over as long as it repeats what the client has; where it says something else, there is
no honest way to go on.
"""

from typing import Self

from msgspec import structs

from watchkeeper.gateway.neutral import (
    Begin,
    CannotCarry,
    Event,
    EventReader,
    Failed,
    Finish,
    Text,
    TextDelta,
    Turn,
)
from watchkeeper.gateway.outcome import Failure
from watchkeeper.gateway.passage import Passage
from watchkeeper.gateway.plan import PreparedTarget
from watchkeeper.gateway.streams import TranslatedStream
from watchkeeper.gateway.ways import Way, reading_of

SAME_LETTERS = 24
"""With so many letters like those of the beginning, a target is taken to say it all again."""
_DIFFERS = (
    "The answer cannot be continued: the next target does not go on from its beginning, "
    "and its own answer is another one."
)


class Continuation:
    """What the client has, and who does not take it as a beginning."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._begins_anew: set[str] = set()

    @classmethod
    def after(cls, passage: Passage, previous: Self | None) -> Self | None:
        """Take up what the latest attempt has said; None when that cannot be continued (tools, reasoning, no words)."""
        relay = passage.relay
        reader = relay.reader if relay is not None else None
        if not isinstance(reader, TranslatedStream) or not reader.is_only_text:
            return None
        text = (previous.text if previous is not None else "") + "".join(reader.text)
        if not text:
            return None
        if previous is not None:
            previous.text = text
            return previous
        return cls(text)

    def restarts(self, target: PreparedTarget, failure: Failure) -> bool:
        """Tell whether a target that refused the beginning is worth asking anew; once."""
        if failure.error_class != "bad_request" or not target.continues or target.name in self._begins_anew:
            return False
        self._begins_anew.add(target.name)
        return True

    def way(self, passage: Passage, target: PreparedTarget) -> Way:
        """Write the request that goes on from here. Raises CannotCarry."""
        prompt, translation, writer = passage.prompt, passage.room.translation, passage.writer
        if prompt is None or translation is None or writer is None:
            raise CannotCarry("stream", "this answer cannot be continued")
        reader = target.dialect.event_reader()
        if not target.continues or target.name in self._begins_anew:
            asked, resumed = prompt, _Resumed(reader, self.text, begun=None)
        else:
            # Some upstreams refuse a beginning that ends in white space; they then say it again themselves.
            begun = self.text.rstrip()
            asked = structs.replace(prompt, turns=(*prompt.turns, Turn("assistant", (Text(begun),))))
            resumed = _Resumed(reader, self.text, begun=begun)
        body = target.dialect.request_body(asked, target.model)
        stream = TranslatedStream(resumed, writer)
        return Way(target.translated_head, body, stream, reading_of(passage, target, translation), is_native=False)


class _Resumed:
    """Reads a stream and leaves out what the client has already.

    A target that was given the beginning should go on behind it; some say all of it again. One that was not given it
    must say all of it again.
    """

    def __init__(self, reader: EventReader, known: str, *, begun: str | None) -> None:
        self._reader = reader
        self._known = known
        self._repeats = begun is None
        self._left = known if begun is None else known[len(begun) :]
        """What the target is still expected to repeat."""
        self._undecided = ""
        self._is_decided = begun is None

    def read(self, events: bytes) -> list[Event]:
        """See `EventReader.read`."""
        kept: list[Event] = []
        for event in self._reader.read(events):
            match event:
                case Begin():
                    pass
                case TextDelta():
                    new = self._new(event.text)
                    if new is None:
                        return [Failed("broken_stream", "answers_differ", _DIFFERS)]
                    if new:
                        kept.append(TextDelta(new))
                case Finish() if self._undecided:
                    kept += [TextDelta(self._past_left(self._undecided)), event]
                    self._undecided = ""
                case _:
                    kept.append(event)
        return kept

    def _new(self, text: str) -> str | None:
        """Return what of a piece is new; None when the target gives another answer than the one that was begun."""
        if not self._is_decided:
            said = self._undecided + text
            if self._known.startswith(said) and len(said) < len(self._known):
                if len(said) < SAME_LETTERS:
                    self._undecided = said
                    return ""
                self._repeats, self._left = True, self._known
            self._is_decided, self._undecided, text = True, "", said
        return (
            self._past_left(text)
            if self._left.startswith(text) or text.startswith(self._left) or not self._repeats
            else None
        )

    def _past_left(self, text: str) -> str:
        """Return what of a piece comes behind what is left to be repeated."""
        left = self._left
        if left.startswith(text):
            self._left = left[len(text) :]
            return ""
        self._left = ""
        return text.removeprefix(left)
