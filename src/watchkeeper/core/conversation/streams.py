"""A recorded stream, read event by event: the shape of each tells which API it is of."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from watchkeeper.core.conversation.parts import block_message
from watchkeeper.core.conversation.replies import response_answer
from watchkeeper.core.conversation.values import as_array, as_object, as_place, as_string, decoded, error_of
from watchkeeper.core.conversation.words import Answer, Message, Text, ToolCall


def streamed_answers(response: bytes, notes: list[str]) -> tuple[tuple[Answer, ...], str]:
    """Read the answers of a stream, in the order of their choices, and what it says went wrong."""
    chat, blocks, items = _Chat(), _Blocks(), _Items()
    error, unreadable = "", 0
    for payload in event_payloads(response):
        if payload.strip() == b"[DONE]":
            chat.is_terminated = True
            continue
        event = decoded(payload)
        if not isinstance(event, dict):
            unreadable += 1
            continue
        error = error or error_of(event) or error_of(as_object(event.get("response")))
        kind = as_string(event.get("type"))
        if "choices" in event:
            chat.add(event)
        elif kind.startswith("response."):
            items.add(kind, event)
        elif kind.startswith(("message_", "content_block_")):
            blocks.add(kind, event)
    if unreadable:
        notes.append(f"Events of the stream that are not JSON objects: {unreadable}; they are left out here.")
    if response and not (chat.is_terminated or blocks.is_terminated or items.is_terminated):
        closing = "closing event" if blocks.is_begun or items.is_begun else "closing [DONE] event"
        notes.append(f"The recorded stream ends without its {closing}.")
    return (*chat.answers(), *blocks.answers(), *items.answers()), error


def event_payloads(stream: bytes) -> Iterator[bytes]:
    """Yield the data of each server-sent event in a recorded stream, in order.

    Lines may end in LF, CRLF or CR, in any mixture. Several data lines of one event are joined by LF.
    An event that the recording cut is yielded as far as it goes; comments and events without data are not.
    """
    data: list[bytes] = []
    for line in stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)


class _Chat:
    """A stream of OpenAI's chat, or of its legacy completions."""

    def __init__(self) -> None:
        self.is_terminated = False
        self._drafts: dict[int, _Draft] = {}

    def add(self, event: dict[str, object]) -> None:
        for choice in map(as_object, as_array(event.get("choices"))):
            self._drafts.setdefault(as_place(choice.get("index"), 0), _Draft()).add(choice)

    def answers(self) -> list[Answer]:
        return [draft.answer(index) for index, draft in sorted(self._drafts.items())]


@dataclass(slots=True)
class _Draft:
    """A choice under assembly: fragments in the order they came."""

    role: str = "assistant"
    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    refusal: list[str] = field(default_factory=list[str])
    tool_calls: dict[int, "_ToolDraft"] = field(default_factory=dict[int, "_ToolDraft"])
    finish_reason: str = ""

    def add(self, choice: dict[str, object]) -> None:
        delta = as_object(choice.get("delta"))
        self.role = as_string(delta.get("role")) or self.role
        self.finish_reason = as_string(choice.get("finish_reason")) or self.finish_reason
        if fragment := as_string(delta.get("content")) or as_string(choice.get("text")):
            self.text.append(fragment)
        if fragment := as_string(delta.get("refusal")):
            self.refusal.append(fragment)
        if thought := as_string(delta.get("reasoning_content")) or as_string(delta.get("reasoning")):
            self.reasoning.append(thought)
        for position, call in enumerate(map(as_object, as_array(delta.get("tool_calls")))):
            self.tool_calls.setdefault(as_place(call.get("index"), position), _ToolDraft()).add(call)

    def answer(self, index: int) -> Answer:
        text = "".join(self.text)
        message = Message(
            role=self.role,
            parts=(Text(text),) if text else (),
            tool_calls=tuple(draft.tool_call() for _, draft in sorted(self.tool_calls.items())),
            reasoning="".join(self.reasoning),
            refusal="".join(self.refusal),
        )
        return Answer(index=index, message=message, finish_reason=self.finish_reason)


@dataclass(slots=True)
class _ToolDraft:
    """A tool call under assembly; its id and name come once, its arguments in pieces."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])

    def add(self, call: dict[str, object]) -> None:
        function = as_object(call.get("function"))
        self.id = as_string(call.get("id")) or self.id
        self.name = as_string(function.get("name")) or self.name
        self.arguments.append(as_string(function.get("arguments")))

    def tool_call(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.name, arguments="".join(self.arguments))


_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""What a delta of Anthropic's API adds to: the field of the delta that holds the new piece."""
_WHOLE = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "input"}
"""The field of the block that the pieces make up."""


class _Blocks:
    """A stream of Anthropic's API: blocks that grow one after the other."""

    def __init__(self) -> None:
        self.is_begun = self.is_terminated = False
        self._role = "assistant"
        self._blocks: dict[int, dict[str, object]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._stop_reason = ""

    def add(self, kind: str, event: dict[str, object]) -> None:
        self.is_begun = True
        place = as_place(event.get("index"), 0)
        delta = as_object(event.get("delta"))
        match kind:
            case "message_start":
                self._role = as_string(as_object(event.get("message")).get("role")) or self._role
            case "content_block_start":
                self._blocks[place] = as_object(event.get("content_block"))
            case "content_block_delta":
                self._grow(place, as_string(delta.get("type")), delta)
            case "message_delta":
                self._stop_reason = as_string(delta.get("stop_reason")) or self._stop_reason
            case "message_stop":
                self.is_terminated = True
            case _:
                pass

    def _grow(self, place: int, kind: str, delta: dict[str, object]) -> None:
        if kind in _GROWING:
            self._blocks.setdefault(place, {"type": kind.removesuffix("_delta")})
            self._pieces.setdefault((place, _WHOLE[kind]), []).append(as_string(delta.get(_GROWING[kind])))

    def answers(self) -> list[Answer]:
        if not self.is_begun:
            return []
        blocks = {place: dict(block) for place, block in sorted(self._blocks.items())}
        for (place, name), pieces in self._pieces.items():
            begun = blocks[place].get(name)
            text = (begun if isinstance(begun, str) else "") + "".join(pieces)
            if text:
                blocks[place][name] = text
        message = block_message(self._role, list(blocks.values()))
        return [Answer(index=0, message=message, finish_reason=self._stop_reason)]


_DELTAS = {
    "response.output_text.delta": ("content", "output_text", "text"),
    "response.refusal.delta": ("content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text", "text"),
}
"""Events that add to a piece of an item: the item's list of pieces, the piece's type, and the field that grows."""
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class _Items:
    """A stream of the Responses API; its last event has everything, what came before counts where that is missing."""

    def __init__(self) -> None:
        self.is_begun = self.is_terminated = False
        self._whole: dict[str, object] = {}
        self._items: dict[int, dict[str, object]] = {}
        self._pieces: dict[tuple[int, str, int], tuple[str, str, list[str]]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._done: set[int] = set()

    def add(self, kind: str, event: dict[str, object]) -> None:
        self.is_begun = True
        place = as_place(event.get("output_index"), 0)
        if kind in _ENDS:
            self.is_terminated = True
            self._whole = as_object(event.get("response"))
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._items[place] = as_object(event.get("item"))
            if kind.endswith("done"):
                self._done.add(place)
        elif kind == "response.function_call_arguments.delta":
            self._arguments.setdefault(place, []).append(as_string(event.get("delta")))
        elif kind in _DELTAS:
            name, piece, grows = _DELTAS[kind]
            index = as_place(event.get("summary_index" if name == "summary" else "content_index"), 0)
            pieces = self._pieces.setdefault((place, name, index), (piece, grows, []))[2]
            pieces.append(as_string(event.get("delta")))

    def answers(self) -> list[Answer]:
        if not self.is_begun:
            return []
        whole = self._whole
        if not as_array(whole.get("output")):
            whole = {**whole, "output": self._assembled()}
        return [response_answer(whole)]

    def _assembled(self) -> list[object]:
        """Put the items together from what came of them."""
        items: dict[int, dict[str, object]] = {place: dict(item) for place, item in self._items.items()}
        grown: dict[tuple[int, str], list[object]] = {}
        for (place, name, _), (piece, grows, pieces) in sorted(self._pieces.items(), key=lambda one: one[0]):
            grown.setdefault((place, name), []).append({"type": piece, grows: "".join(pieces)})
        for (place, name), made in grown.items():
            if place not in self._done:
                items.setdefault(place, {"type": "message", "role": "assistant"})[name] = made
        for place, arguments in self._arguments.items():
            if place not in self._done:
                items.setdefault(place, {"type": "function_call"})["arguments"] = "".join(arguments)
        return [item for _, item in sorted(items.items())]
