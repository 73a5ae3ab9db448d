"""Output items of a response that is being streamed: each writes its own events from its beginning to its end."""

from typing import Any

import msgspec

from watchkeeper.gateway.neutral import Thinking, ToolUse
from watchkeeper.gateway.surfaces.responses import shapes
from watchkeeper.gateway.surfaces.responses.shapes import Json, Status

_encode = msgspec.json.Encoder().encode


class Lines:
    """The events written so far and not taken yet, each with the next number."""

    __slots__ = ("_pieces", "_sequence")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._sequence = 0

    def add(self, kind: str, **fields: Any) -> None:
        """Write one event."""
        data = _encode({"type": kind, "sequence_number": self.number(), **fields})
        self._pieces.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    def delta(self, kind: bytes, place: bytes, text: str) -> None:
        """Write more of what stands at a place: the commonest event, put together without a dict."""
        self._pieces.append(
            b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b,"delta":%b}\n\n'
            % (kind, kind, self.number(), place, _encode(text))
        )

    def number(self) -> int:
        """Return the number of the next event, which is then given away."""
        number = self._sequence
        self._sequence = number + 1
        return number

    def put(self, event: bytes) -> None:
        """Add an event that is already written."""
        self._pieces.append(event)

    def take(self) -> bytes:
        """Return all events since it was last asked."""
        events = b"".join(self._pieces)
        self._pieces.clear()
        return events


class OpenItem:
    """What the three kinds of items share: a name, a place in the output, a beginning and an end."""

    __slots__ = ("_lines", "index", "item_id")

    def __init__(self, lines: Lines, item_id: str, index: int) -> None:
        self._lines = lines
        self.item_id = item_id
        self.index = index

    def end_part(self) -> bool:
        """End the piece that is being said; true when the item is to be closed with it."""
        return True

    def close(self, status: Status) -> Json:
        """Write what ends the item and return it whole."""
        raise NotImplementedError

    def _begin(self, item: Json) -> None:
        self._lines.add("response.output_item.added", output_index=self.index, item=item)

    def _end(self, item: Json) -> Json:
        self._lines.add("response.output_item.done", output_index=self.index, item=item)
        return item

    def _place(self, **within: int) -> Json:
        return {"item_id": self.item_id, "output_index": self.index, **within}


class OpenMessage(OpenItem):
    """A message: pieces of text and of refusal."""

    __slots__ = ("_bytes", "_content", "_is_refusal", "_words")

    def __init__(self, lines: Lines, item_id: str, index: int) -> None:
        super().__init__(lines, item_id, index)
        self._content: list[Json] = []
        self._words: list[str] = []
        self._is_refusal = False
        self._bytes = b""
        self._begin(shapes.message_item(item_id, [], "in_progress"))

    def say(self, text: str, *, is_refusal: bool) -> None:
        """Add words."""
        if self._words and is_refusal != self._is_refusal:
            self.end_part()
        if not self._words:
            self._is_refusal = is_refusal
            place = self._place(content_index=len(self._content))
            self._lines.add("response.content_part.added", **place, part=self._part(""))
            self._bytes = _encode(place if is_refusal else place | {"logprobs": []})[1:-1]
        self._words.append(text)
        kind = b"response.refusal.delta" if is_refusal else b"response.output_text.delta"
        self._lines.delta(kind, self._bytes, text)

    def end_part(self) -> bool:
        """End a piece; the message may go on with another."""
        if self._words:
            text = "".join(self._words)
            self._words.clear()
            place, part = self._place(content_index=len(self._content)), self._part(text)
            if self._is_refusal:
                self._lines.add("response.refusal.done", **place, refusal=text)
            else:
                self._lines.add("response.output_text.done", **place, text=text, logprobs=[])
            self._lines.add("response.content_part.done", **place, part=part)
            self._content.append(part)
        return False

    def close(self, status: Status) -> Json:
        """End the message."""
        self.end_part()
        return self._end(shapes.message_item(self.item_id, self._content, status))

    def _part(self, text: str) -> Json:
        return shapes.refusal_part(text) if self._is_refusal else shapes.text_part(text)


class OpenReasoning(OpenItem):
    """Reasoning: what is shown of it, and what only its provider can read."""

    __slots__ = ("_bytes", "_words", "redacted", "signature")

    def __init__(self, lines: Lines, item_id: str, index: int) -> None:
        super().__init__(lines, item_id, index)
        self._words: list[str] = []
        self._bytes = b""
        self.signature = ""
        self.redacted = ""
        self._begin(shapes.reasoning_item(item_id, Thinking()))

    @property
    def is_sealed(self) -> bool:
        """The provider's seal has come: further reasoning is another item."""
        return bool(self.signature or self.redacted)

    def think(self, text: str) -> None:
        """Add words."""
        if not self._words:
            place = self._place(summary_index=0)
            self._lines.add("response.reasoning_summary_part.added", **place, part=_summary(""))
            self._bytes = _encode(place)[1:-1]
        self._words.append(text)
        self._lines.delta(b"response.reasoning_summary_text.delta", self._bytes, text)

    def close(self, status: Status) -> Json:
        """End the reasoning; such an item has no status."""
        text = "".join(self._words)
        if text:
            place = self._place(summary_index=0)
            self._lines.add("response.reasoning_summary_text.done", **place, text=text)
            self._lines.add("response.reasoning_summary_part.done", **place, part=_summary(text))
        return self._end(shapes.reasoning_item(self.item_id, Thinking(text, self.signature, self.redacted)))


class OpenCall(OpenItem):
    """A tool that the model asks for."""

    __slots__ = ("_bytes", "_call_id", "_name", "_pieces")

    def __init__(self, lines: Lines, item_id: str, index: int, *, call_id: str, name: str) -> None:
        super().__init__(lines, item_id, index)
        self._call_id = call_id
        self._name = name
        self._pieces: list[str] = []
        self._bytes = _encode(self._place())[1:-1]
        self._begin(shapes.call_item(item_id, ToolUse(call_id, name, ""), "in_progress"))

    def more(self, text: str) -> None:
        """Add to the arguments."""
        self._pieces.append(text)
        self._lines.delta(b"response.function_call_arguments.delta", self._bytes, text)

    def close(self, status: Status) -> Json:
        """End the call; a tool without arguments is given an empty object."""
        if not self._pieces and status == "completed":
            self.more("{}")
        arguments = "".join(self._pieces)
        self._lines.add("response.function_call_arguments.done", **self._place(), name=self._name, arguments=arguments)
        return self._end(shapes.call_item(self.item_id, ToolUse(self._call_id, self._name, arguments), status))


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}
