"""Reads the items of a Responses request into turns: what the client says now and what was said before."""

from collections.abc import Iterable
from typing import Literal, assert_never

import msgspec
from msgspec import Raw

from watchkeeper.gateway.decoding import UNREADABLE
from watchkeeper.gateway.neutral import (
    CannotCarry,
    Declined,
    Document,
    Image,
    Part,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from watchkeeper.gateway.refusals import BadRequest
from watchkeeper.gateway.surfaces.responses import views
from watchkeeper.gateway.surfaces.responses.sealing import unsealed
from watchkeeper.gateway.surfaces.responses.views import STATELESS, UNKNOWN, leave_out, no_counterpart, read

Role = Literal["user", "assistant"]

ITEMS_MAX = 10_000
"""A longer conversation is not translated."""

_kind = msgspec.json.Decoder(views.Kind).decode
_message = msgspec.json.Decoder(views.Message).decode
_call = msgspec.json.Decoder(views.FunctionCall).decode
_result = msgspec.json.Decoder(views.FunctionCallOutput).decode
_reasoning = msgspec.json.Decoder(views.ReasoningItem).decode
_object = msgspec.json.Decoder(dict[str, Raw]).decode

_NO_THINKING = Thinking()
"""An item that says no more than its id says nothing to a target that does not keep it."""
_BY_CLIENT = (Text, Image, Document)
_DETAILS = {"original": "high"}
"""OpenAI's `detail` of a picture that neutral words do not have, and the nearest that they do."""


class Conversation:
    """The items read so far, as system text and turns."""

    __slots__ = ("_names", "_parts", "_role", "places", "system", "turns")

    def __init__(self) -> None:
        self.system: list[Text] = []
        self.turns: list[Turn] = []
        self.places: list[list[str]] = []
        """Where each part of each turn stands."""
        self._role: Role = "user"
        self._parts: list[Part] = []
        self._names: list[str] = []

    def read(self, raw: Raw, where: str) -> None:
        """Add one item.

        Raises:
            BadRequest: it is not an item of this API.
            CannotCarry: other APIs have nothing like it.
        """
        kind = read(_kind, raw, where).type
        match kind:
            case None | "message":
                self._add_message(read(_message, raw, where), where)
            case "function_call":
                self._add("assistant", _tool_use(read(_call, raw, where), where), where)
            case "function_call_output":
                self._add("user", _tool_result(read(_result, raw, where), where), where)
            case "reasoning":
                thinking = _thinking(read(_reasoning, raw, where))
                if thinking != _NO_THINKING:
                    self._add("assistant", thinking, where)
            case "item_reference":
                raise CannotCarry(where, STATELESS)
            case _:
                raise no_counterpart(f"{where}.type", kind)

    def close(self) -> None:
        """End the last turn."""
        if self._parts:
            self.turns.append(Turn(self._role, tuple(self._parts)))
            self.places.append(self._names)
            self._parts, self._names = [], []

    def _add_message(self, message: views.Message, where: str) -> None:
        parts = _parts(message.content, f"{where}.content")
        match message.role:
            case "system" | "developer":
                self._add_system(parts, where)
            case "assistant":
                _require(parts, (Text, Declined), where)
                for part, name in zip(parts, _names(message.content, where), strict=True):
                    self._add("assistant", part, name)
            case "user":
                _require(parts, _BY_CLIENT, where)
                self.close()
                self.turns.append(Turn("user", parts))
                self.places.append(_names(message.content, where))
            case _:
                assert_never(message.role)

    def _add_system(self, parts: tuple[Part, ...], where: str) -> None:
        if self.turns or self._parts:
            raise CannotCarry(f"{where}.role", "only messages at the beginning can instruct the model")
        for index, part in enumerate(parts):
            if not isinstance(part, Text):
                raise CannotCarry(f"{where}.content[{index}]", "instructions are text")
            self.system.append(part)

    def _add(self, role: Role, part: Part, name: str) -> None:
        """Put a part into the turn that is being said: calls of one reply, and their results, stand together."""
        if role != self._role:
            self.close()
            self._role = role
        self._parts.append(part)
        self._names.append(name)


def conversation_of(items: list[Raw]) -> Conversation:
    """Read the items of `input` in order.

    Raises:
        BadRequest: there are too many, or one of them is not an item of this API.
        CannotCarry: other APIs have nothing like one of them.
    """
    if len(items) > ITEMS_MAX:
        raise BadRequest(f"`input` has {len(items)} items; at most {ITEMS_MAX} are read.", param="input")
    conversation = Conversation()
    for index, raw in enumerate(items):
        conversation.read(raw, f"input[{index}]")
    conversation.close()
    return conversation


def _require(parts: Iterable[Part], allowed: tuple[type, ...], where: str) -> None:
    for index, part in enumerate(parts):
        if not isinstance(part, allowed):
            field = f"{where}.content[{index}].type"
            raise BadRequest(f"`{field}` does not go with the message's role.", param=field)


def _names(content: "str | list[views.Content]", where: str) -> list[str]:
    if isinstance(content, str):
        return [f"{where}.content"]
    return [f"{where}.content[{index}]" for index in range(len(content))]


def _parts(content: "str | list[views.Content]", where: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_part(part, f"{where}[{index}]") for index, part in enumerate(content))


def _part(part: views.Content, where: str) -> Text | Image | Document | Declined:
    match part:
        case views.InputText():
            return Text(part.text, _cache(part.prompt_cache_breakpoint))
        case views.OutputText():
            if part.annotations:
                raise CannotCarry(f"{where}.annotations", UNKNOWN)
            if part.logprobs:
                raise CannotCarry(f"{where}.logprobs", UNKNOWN)
            return Text(part.text)
        case views.Refusal():
            return Declined(part.refusal)
        case views.InputImage():
            return _image(part, where)
        case views.InputFile():
            return _document(part, where)
        case _:
            assert_never(part)


def _image(part: views.InputImage, where: str) -> Image:
    if part.file_id is not None:
        raise CannotCarry(f"{where}.file_id", STATELESS)
    if not part.image_url:
        raise BadRequest(f"`{where}.image_url` is required.", param=f"{where}.image_url")
    detail = _DETAILS.get(part.detail or "", part.detail or "")
    cache = _cache(part.prompt_cache_breakpoint)
    if not part.image_url.startswith("data:"):
        return Image(url=part.image_url, detail=detail, cache=cache)
    media_type, data = _data_url(part.image_url, f"{where}.image_url")
    return Image(media_type=media_type, data=data, detail=detail, cache=cache)


def _document(part: views.InputFile, where: str) -> Document:
    if part.file_id is not None:
        raise CannotCarry(f"{where}.file_id", STATELESS)
    if part.detail not in (None, "auto"):
        raise CannotCarry(f"{where}.detail", UNKNOWN)
    name, cache = part.filename or "", _cache(part.prompt_cache_breakpoint)
    if part.file_data:
        media_type, data = "application/pdf" if name.lower().endswith(".pdf") else "", part.file_data
        if data.startswith("data:"):
            media_type, data = _data_url(data, f"{where}.file_data")
        return Document(media_type=media_type, data=data, name=name, cache=cache)
    if part.file_url:
        return Document(url=part.file_url, name=name, cache=cache)
    raise BadRequest(f"`{where}.file_data` or `{where}.file_url` is required.", param=where)


def _data_url(url: str, where: str) -> tuple[str, str]:
    """Split a data URL into media type and base64."""
    head, comma, data = url[5:].partition(",")
    media_type, *options = head.split(";")
    if not comma or "base64" not in options:
        raise BadRequest(f"`{where}` is not a data URL in base64.", param=where)
    return media_type, data


def _cache(point: views.Breakpoint | None) -> Literal["", "5m", "1h"]:
    if point is None:
        return ""
    return "5m" if point.ttl is None else "1h"


def _tool_use(call: views.FunctionCall, where: str) -> ToolUse:
    if call.namespace:
        raise CannotCarry(f"{where}.namespace", UNKNOWN)
    leave_out(call.caller, f"{where}.caller", b'{"type":"direct"}')
    leave_out(call.is_async, f"{where}.async")
    return ToolUse(call.call_id, call.name, _arguments(call.arguments, f"{where}.arguments"))


def _arguments(text: str, where: str) -> str:
    if not text.strip():
        return "{}"
    try:
        _object(text.encode())
    except (*UNREADABLE, UnicodeEncodeError):
        raise BadRequest(f"`{where}` is not the text of a JSON object.", param=where) from None
    return text


def _tool_result(result: views.FunctionCallOutput, where: str) -> ToolResult:
    if result.namespace:
        raise CannotCarry(f"{where}.namespace", UNKNOWN)
    leave_out(result.caller, f"{where}.caller", b'{"type":"direct"}')
    content: list[Text | Image | Document] = []
    for index, part in enumerate(_parts(result.output, f"{where}.output")):
        if not isinstance(part, Text | Image | Document):
            field = f"{where}.output[{index}].type"
            raise BadRequest(f"`{field}` does not belong in a tool's output.", param=field)
        content.append(part)
    return ToolResult(result.call_id, tuple(content))


def _thinking(item: views.ReasoningItem) -> Thinking:
    pieces = item.content or item.summary or []
    return unsealed("\n\n".join(piece.text for piece in pieces), item.encrypted_content)
